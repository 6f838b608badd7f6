"""The checkpoint of a map: what the job is, and each window that is finished.

A folder with ``job.json``, a part for each window, and ``windows.jsonl`` with a line for each. A
window is finished once its line is there; its part was written before. What was cut off between the
two is run again, and gives the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hf_magics.display.words import one_line
from hf_magics.errors import InputError, SaveError
from hf_magics.inference.mapping.sinks import assemble, read_part, write_part
from hf_magics.inference.mapping.sources import Window
from hf_magics.inference.mapping.tables import Table
from hf_magics.inference.mapping.worker import Finished
from hf_magics.literals import parsed
from hf_magics.optional import optional

_FORMAT = 4
_JOB, _WINDOWS, _LOCK = "job.json", "windows.jsonl", "lock"
_WHOLE, _DONE = "whole.json", "done.json"  # the file before it has its name, and after


@dataclass(frozen=True)
class Entry:
    """A finished window: its rows, and what is told of it; ``budget`` is that of the next one."""

    start: int
    rows: int
    tokens: int
    cut: int
    equal: int
    failed: int
    budget: int

    @classmethod
    def of(cls, window: Window, done: Finished) -> Entry:
        """Return what is told of a window."""
        return cls(
            window.start,
            len(window.rows),
            done.tokens,
            done.cut,
            done.equal,
            done.failed,
            done.budget,
        )


class Journal:
    """The folder of one job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the folder for the length of the block.

        Raises:
            InputError: Another process is at work on it.
            SaveError: It can't be written.
        """
        with contextlib.ExitStack() as stack:
            with _writing(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_locked(self.folder / _LOCK))
            yield

    def begin(
        self,
        job: Mapping[str, Any],
        plan: Callable[[], dict[str, Any]],
        *,
        anew: bool = False,
        to: Path | None = None,
    ) -> dict[str, Any]:
        """Return the job as it was begun, by this run or one before, and read what is finished.

        Args:
            job: What is to be done.
            plan: Gives the windows and batches of a new job. Of one that was begun before they are
                those of the run that is gone on with.
            anew: Let go of what is there, if it is a job.
            to: The file that a new job is to write; what is there by that name is to be replaced.

        Raises:
            InputError: The folder has another job, or is damaged.
            SaveError: The folder can't be written.
        """
        with _writing(self.folder):
            if anew:
                self._forget()
            begun = self._begin(job, plan, to)
            self._read_entries()
        return begun

    def add(self, entry: Entry, table: Table) -> None:
        """Write a finished window down: its part, then its line."""
        with _writing(self.folder):
            write_part(self.folder, len(self.entries), table)
            with (self.folder / _WINDOWS).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(entry)) + "\n")
                lines.flush()
                os.fsync(lines.fileno())
        self.entries.append(entry)

    def tables(self) -> Iterator[Table]:
        """Yield the finished windows in order.

        Raises:
            InputError: One can't be read.
        """
        arrow = optional("pyarrow", extra="data")
        for number in range(len(self.entries)):
            try:
                table = read_part(self.folder, number)
            except (OSError, arrow.ArrowException) as error:
                raise _damaged(self.folder, f"a part is: {one_line(error)[:80]}") from error
            yield table

    def deliver(self, to: Path, *, keep: bool) -> None:
        """Put all windows into one file, and let go of the parts if they are not to be kept.

        The job stays known.
        """
        with _writing(self.folder):
            whole = self.folder / _WHOLE
            assemble(
                self.folder,
                range(len(self.entries)),
                to,
                told=lambda beside: _write_json(whole, _mark(beside)),
            )
            _write_json(self.folder / _DONE, _mark(to) | {"to": str(to.absolute())})
            if not keep:
                self._drop("window-*")

    def delivered(self, to: Path) -> bool:
        """Say whether the file was finished before.

        Raises:
            InputError: It was, and is not the same file now.
        """
        done = self._read(_DONE)
        written = done.pop("to", "")
        has_parts = not self.entries or any(self.folder.glob("window-*"))
        if not done or (has_parts and written != str(to.absolute())):
            return False
        if not to.is_file() or done != _mark(to):
            raise InputError(
                f"{to} was finished before, and has changed or gone since: --overwrite makes it "
                "anew"
            )
        return True

    def wrote(self, to: Path) -> bool:
        """Say whether a file is this job's own, or one that it was told to replace."""
        if self._read(_DONE).get("to") == str(to.absolute()):
            return True
        return _mark(to) in (self._read(_WHOLE), self._read(_JOB).get("replaces"))

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return self._object(path.read_bytes(), name) if path.is_file() else {}

    def _object(self, text: str | bytes, name: str) -> dict[str, Any]:
        try:
            found = parsed(text)
        except ValueError as error:
            raise _damaged(self.folder, f"{name} is no JSON") from error
        if not isinstance(found, dict):
            raise _damaged(self.folder, f"{name} holds no object")
        return found

    def _forget(self) -> None:
        """Take all away but the lock, half-written files too; the job's own last: it stays one."""
        if (self.folder / _JOB).is_file():
            for names in ("window-*", _WINDOWS, _DONE, _WHOLE, _JOB):
                self._drop(names)

    def _drop(self, names: str) -> None:
        for path in (*self.folder.glob(names), *self.folder.glob(f".{names}.new")):
            path.unlink()

    def _begin(
        self, job: Mapping[str, Any], plan: Callable[[], dict[str, Any]], to: Path | None
    ) -> dict[str, Any]:
        path = self.folder / _JOB
        job = {"format": _FORMAT, **job}
        if not path.is_file():
            ours = {_LOCK, f".{_JOB}.new"}  # the latter where a first try was killed
            if any(one.name not in ours for one in self.folder.iterdir()):
                raise InputError(
                    f"{self.folder} has other files in it: a checkpoint needs a folder of its own"
                )
            replaces = _mark(to) if to is not None and to.is_file() else None
            begun = {**job, "plan": plan(), "replaces": replaces}
            _write_json(path, begun)
            return begun
        found = self._read(_JOB)
        other = next((name for name, value in job.items() if found.get(name) != value), None)
        if other is not None:
            raise InputError(
                f"{self.folder} is the checkpoint of another job: {_WHAT[other]} is not what it "
                "was when that began; --overwrite begins anew"
            )
        return found

    def _read_entries(self) -> None:
        """Read the lines of finished windows; one that was cut off is taken away."""
        path = self.folder / _WINDOWS
        text = path.read_bytes() if path.is_file() else b""
        whole, _, cut_off = text.rpartition(b"\n")
        try:
            self.entries = [Entry(**self._object(line, _WINDOWS)) for line in whole.splitlines()]
        except TypeError as error:
            raise _damaged(self.folder, f"{_WINDOWS} has other fields") from error
        if cut_off:
            _write(path, f"{whole.decode()}\n" if whole else "")


def _damaged(folder: Path, why: str) -> InputError:
    return InputError(f"the checkpoint {folder} is damaged ({why}): --overwrite begins anew")


def folder_beside(to: Path) -> Path:
    """Return the folder where a job keeps what is finished, if no other is given."""
    return to.with_name(f".{to.name}.hf_map")


_WHAT = {
    "source": "the content of the input",
    "weights": "the model's weights",
    "model": "the model",
    "task": "the task",
    "options": "an option",
    "format": "the version of hf_magics",
}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that goes with the process, however that ends."""
    with path.open("w") as held:
        try:
            _lock(held.fileno())
        except OSError:
            raise InputError(f"another process is at work on {path.parent}") from None
        yield


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        import msvcrt  # noqa: PLC0415 - only there

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SaveError(
            f"{folder} can't be written: {error.strerror or error}; finished windows are kept "
            "there, and the same line goes on with them"
        ) from error


def _mark(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"bytes": found.st_size, "changed": found.st_mtime_ns}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    _write(path, json.dumps(value, indent=1))


def _write(path: Path, text: str) -> None:
    """Put a small file in its place, whole."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
