"""Rows from a file of any size: text, CSV, JSONL, Parquet."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import InputError
from hf_magics.inference.mapping.sources import Row, Source, row_of
from hf_magics.inference.mapping.streamed import Streamed, decoded, starts_quickly
from hf_magics.literals import parsed
from hf_magics.optional import optional
from hf_magics.paths import path_of
from hf_magics.snippets import Snippet, from_home

_LONGEST_CELL = 2**27  # bytes: where a quote is not closed, the rest of the file is one cell


class TextFile(Streamed):
    """A row a line."""

    def choose(self, column: str) -> None:
        """Take the lines: there is nothing to choose.

        Raises:
            InputError: A column is asked for.
        """
        if column:
            raise InputError(f"--column {column}: {self.path.name} is plain text, a row a line")

    def code(self) -> Snippet:
        """Return the lines that read the file whole."""
        return self._by_lines('line.rstrip("\\r\\n")')

    def _columns(self) -> tuple[list[str], list[str]]:
        return [], []

    def _rows(self, start: int) -> Iterator[Row]:
        for number, raw in self._lines():
            if number > start:
                yield decoded(raw.rstrip(b"\r\n"), number)


class JsonLines(Streamed):
    """A row an object; the column is a key."""

    def code(self) -> Snippet:
        """Return the line that reads the column whole."""
        made = self._by_lines(f"json.loads(line)[{self.column!r}]")
        return Snippet(("import json", *made.imports), made.lines)

    def _columns(self) -> tuple[list[str], list[str]]:
        lines = (_object(raw) for _, raw in itertools.islice(self._lines(), _LOOKED_AT))
        found = next((one for one in lines if one), None)
        if found is None:
            raise InputError(f"{self.path.name}: none of its first lines is a JSON object")
        return list(found), [name for name, value in found.items() if isinstance(value, str)]

    def _rows(self, start: int) -> Iterator[Row]:
        for number, raw in self._lines():
            if number > start:
                yield self._row(number, raw)

    def _row(self, number: int, raw: bytes) -> Row:
        text, problem = decoded(raw, number)
        if problem:
            return text, problem
        try:
            found = parsed(text)
        except ValueError as error:
            return None, f"can't be read: line {number:,} is no JSON: {_fault(error)}"
        if not isinstance(found, dict) or self.column not in found:
            return None, f"can't be read: line {number:,} has no '{self.column}'"
        return row_of(found[self.column])


_LOOKED_AT = 100  # lines, for the names of the columns


def _fault(error: ValueError) -> str:
    """Return what is wrong with a line of JSON: the only one that JSON was given to count."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1:,}"
    return one_line(error)[:80]


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        found = parsed(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class CsvFile(Streamed):
    """A row a record; the first has the names of the columns. Lines may be in quotes."""

    def code(self) -> Snippet:
        """Return the line that reads the column whole."""
        tab = r', sep="\t"' if self._has_tabs() else ""
        return self._by_pandas("read_csv", f"{tab}, dtype=str, keep_default_na=False")

    def choose(self, column: str) -> None:
        """Take one column.

        Raises:
            InputError: There is none of that name, or more than one that could be meant.
        """
        try:
            super().choose(column)
        except InputError as error:
            if all(map(_is_utf8, self.names)):
                raise
            why = "the names of its columns, in line 1, are no UTF-8: save it as UTF-8"
            raise InputError(f"{self.path.name}: {why}") from error  # nobody could type them
        self._at = self.names.index(self.column)

    def _columns(self) -> tuple[list[str], list[str]]:
        names = next(self._records(), (0, []))[1]
        if len(set(names)) < len(names) or not names:
            raise InputError(f"{self.path.name} has no first line with the names of its columns")
        return names, names

    def _rows(self, start: int) -> Iterator[Row]:
        for at, (number, record) in enumerate(self._records(), -1):
            if at >= start:
                yield self._row(number, record)

    def _row(self, number: int, record: Sequence[str]) -> Row:
        if len(record) != len(self.names):
            return None, (
                f"can't be read: the record that ends in line {number:,} has "
                f"{plural(len(record), 'column')}, not {len(self.names)}"
            )
        if not _is_utf8(record[self._at]):
            return None, f"can't be read: the record that ends in line {number:,} is no UTF-8"
        return row_of(record[self._at])

    def _has_tabs(self) -> bool:
        return ".tsv" in (one.lower() for one in self.path.suffixes)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each record that is not empty, and the line that it ends in."""
        lines = (
            line
            for _, raw in self._lines()
            for line in _LINE.split(raw.decode("utf-8", "surrogateescape"))
        )
        reader = csv.reader(lines, delimiter="\t" if self._has_tabs() else ",")
        try:
            with _long_cells():
                yield from ((reader.line_num, record) for record in reader if record)
        except csv.Error as error:
            raise InputError(f"{self.path.name}, line {reader.line_num:,}: {error}") from error


def _is_utf8(cell: str) -> bool:
    """Say whether a cell was UTF-8: other bytes were read as halves of characters."""
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


_LINE = re.compile(r"(?<=\r)(?=[^\n])")  # a carriage return alone ends a line too


class ParquetFile(Streamed):
    """A row a row; row groups before the first one are not read."""

    def code(self) -> Snippet:
        """Return the line that reads the column whole."""
        return self._by_pandas("read_parquet", "")

    def _columns(self) -> tuple[list[str], list[str]]:
        arrow = optional("pyarrow", extra="data")
        with self._read():
            file = self._opened()
        schema = file.schema_arrow
        strings = (arrow.types.is_string, arrow.types.is_large_string)
        self.count = file.metadata.num_rows
        texts = [one.name for one in schema if any(is_text(one.type) for is_text in strings)]
        return list(schema.names), texts

    def _opened(self) -> Any:
        return optional("pyarrow.parquet", extra="data").ParquetFile(self.path)

    def share(self, row: int) -> float | None:
        """Return the share of the rows."""
        return row / self.count if self.count else 1.0

    @contextlib.contextmanager
    def _read(self) -> Iterator[None]:
        arrow = optional("pyarrow", extra="data")
        try:
            yield
        except (OSError, arrow.ArrowException) as error:
            raise InputError(
                f"{self.path.name} is no Parquet file, or damaged: {one_line(error)[:200]}"
            ) from error

    def _rows(self, start: int) -> Iterator[Row]:
        with self._read():
            yield from self._from(start)

    def _from(self, start: int) -> Iterator[Row]:
        file, before = self._opened(), 0
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if before + rows > start:
                yield from self._group(file, group, max(0, start - before))
            before += rows

    def _group(self, file: Any, group: int, skipped: int) -> Iterator[Row]:
        batches = file.iter_batches(row_groups=[group], columns=[self.column])
        for batch in batches:
            values = batch.column(0)
            yield from map(row_of, values[skipped:].to_pylist())
            skipped = max(0, skipped - len(values))


_KINDS: dict[str, type[Streamed]] = {
    ".txt": TextFile,
    ".text": TextFile,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": CsvFile,
    ".tsv": CsvFile,
    ".parquet": ParquetFile,
}
SUFFIXES = tuple(_KINDS)
"""Of the files that a map reads."""


def open_file(given: str | Path, column: str) -> Source:
    """Return a file as a source, by its suffix; text, CSV and JSONL may be packed: ``.csv.gz``.

    Raises:
        InputError: It is not there, empty, of another kind, or has no such column.
    """
    path = path_of(given)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise InputError(f"{path} {what}: %hf_map takes a file or a variable")
    kind = _kind_of(path)
    if kind is None:
        raise InputError(
            f"{path.name}: %hf_map reads {sentence_list(SUFFIXES, most=9)}; what else there is "
            "goes through pandas into a column"
        )
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty")
    file = kind(path)
    file.given = from_home(str(given))
    file.choose(column)
    return file


def column_names(path: Path) -> list[str]:
    """Return the names of a file's columns; none where it is no file that a map reads.

    None too where its first line is longer than 1 MiB: whoever asks doesn't want to wait.

    Raises:
        InputError: It is not what its suffix says.
        MissingExtraError: Parquet without pyarrow.
        OSError: It can't be read.
    """
    kind = _kind_of(path)
    if kind is None or not path.is_file():
        return []
    is_quick = kind is ParquetFile or starts_quickly(path)
    return kind(path).names if is_quick else []


def _kind_of(path: Path) -> type[Streamed] | None:
    suffixes = [one.lower() for one in path.suffixes if one.lower() != ".gz"]
    return _KINDS.get(suffixes[-1]) if suffixes else None
