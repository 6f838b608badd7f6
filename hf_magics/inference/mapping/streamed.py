"""A file that is read as a stream: how far it is, and that it must not change meanwhile."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from hf_magics.errors import InputError
from hf_magics.inference.mapping.sources import Row, Window, cut
from hf_magics.inference.mapping.values import choose_column
from hf_magics.snippets import Snippet, literal

_WHOLE = 2**26
_SAMPLES, _SAMPLE = 256, 2**16
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_AHEAD = 256  # windows that may be read and not run yet
_QUICK = 2**20


class Streamed:
    """The base of all kinds of files: a subclass yields the rows of one kind."""

    column = "text"
    count: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.given = str(path)  # in a script
        self.name = path.name
        self._mark = _mark(path)
        self._position = 0
        self._reached: deque[tuple[int, int]] = deque([(0, 0)], maxlen=_AHEAD)
        self.names, self._texts = self._columns()

    def choose(self, column: str) -> None:
        """Take one column, ``""`` for the one that is meant.

        Raises:
            InputError: There is none of that name, or more than one that could be meant.
        """
        self.column = choose_column(self.names, self._texts, column, self.path.name)
        self.name = f"{self.path.name} · {self.column}"

    def windows(self, rows: int, chars: int, start: int = 0) -> Iterator[Window]:
        """Yield windows from a row on.

        Raises:
            InputError: The file changed since it was opened, or can't be read.
        """
        for window in cut(self._rows(start), rows, chars, start):
            if _mark(self.path) != self._mark:
                raise InputError(
                    f"{self.path} changed while it was read: run the line again, with --overwrite "
                    "where it has --to or --checkpoint"
                )
            end = window.start + len(window.rows)
            if window.start == start:  # where a job goes on: about as many bytes a row before it
                self._reached.append((start, self._position * start // max(1, end)))
            self._reached.append((end, self._position))
            yield window

    def code(self) -> Snippet:
        """Return the lines that read the column whole."""
        raise NotImplementedError

    def share(self, row: int) -> float | None:
        """Return the share of the bytes that was read when the window before the row was full."""
        reached = dict(self._reached).get(row)
        return None if reached is None or not self._mark[0] else reached / self._mark[0]

    def fingerprint(self) -> str:
        """Return a hash of a file: whole up to 64 MiB.

        Of a larger one its size, the time of its last change, and 256 stretches of 64 KiB: reading
        a hundred gigabytes to begin would take minutes.
        """
        size, changed = self._mark
        found = hashlib.blake2b(f"{size}".encode(), digest_size=32)
        with self.path.open("rb") as file:
            if size <= _WHOLE:
                found.update(file.read())
                return found.hexdigest()
            found.update(f"{changed}".encode())
            for at in range(_SAMPLES):
                file.seek((size - _SAMPLE) * at // (_SAMPLES - 1))
                found.update(file.read(_SAMPLE))
        return found.hexdigest()

    def _by_lines(self, row: str) -> Snippet:
        """Return the lines that make a row of each ``line``: parted as `_lines` does, by LF."""
        gzipped = self.path.suffix.lower() == ".gz"
        words = '"rt", encoding="utf-8-sig", newline="\\n"'
        opened = f"{'gzip.' if gzipped else ''}open({literal(self.given)}, {words})"
        lines = (f"with {opened} as file:", f"    column = [{row} for line in file]")
        return Snippet(("import gzip",) if gzipped else (), lines)

    def _by_pandas(self, reader: str, more: str) -> Snippet:
        read = f"pandas.{reader}({literal(self.given)}{more})"
        return Snippet(("import pandas",), (f"column = list({read}[{self.column!r}])",))

    def _columns(self) -> tuple[list[str], list[str]]:
        """Return the names of the columns, and those that hold text.

        Raises:
            InputError: The file is not what its suffix says.
        """
        raise NotImplementedError

    def _rows(self, start: int) -> Iterator[Row]:
        """Yield the rows from one on, and keep `_position` up to date."""
        raise NotImplementedError

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each line's number, from 1, and its bytes."""
        self._position = 0
        try:
            with self.path.open("rb") as raw, _unpacked(raw, self.path) as file:
                yield from self._counted(file, raw)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self.path} can't be read: {error}") from error

    def _counted(self, file: IO[bytes], read: IO[bytes]) -> Iterator[tuple[int, bytes]]:
        packed = file is not read
        for number, raw in enumerate(file, 1):
            if number == 1 and raw.startswith(_UTF16):
                raise InputError(f"{self.path.name} is UTF-16 from line 1 on: save it as UTF-8")
            self._position = read.tell() if packed else self._position + len(raw)
            yield number, raw.removeprefix(_BOM) if number == 1 else raw


def decoded(raw: bytes, number: int) -> Row:
    """Return a line as text, or where it is no UTF-8."""
    try:
        return raw.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        return None, f"can't be read: line {number:,} is no UTF-8 at byte {error.start + 1:,}"


def starts_quickly(path: Path) -> bool:
    """Say whether the first line of a file of lines is soon read: 1 MiB at most.

    Raises:
        OSError: The file can't be read.
    """
    with path.open("rb") as raw, _unpacked(raw, path) as file:
        start = file.readline(_QUICK)
    return len(start) < _QUICK or start.endswith(b"\n")


def _unpacked(raw: IO[bytes], path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(raw)) if path.suffix.lower() == ".gz" else raw


def _mark(path: Path) -> tuple[int, int]:
    """Return size and time of the last change.

    Raises:
        InputError: It has gone.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns
