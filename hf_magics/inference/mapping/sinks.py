"""Where answers go: a part for each finished window, and all parts into one file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_magics.display.words import sentence_list
from hf_magics.errors import SaveError
from hf_magics.inference.mapping.columns import as_type, from_arrow, to_arrow, unified
from hf_magics.inference.mapping.tables import Table
from hf_magics.inference.mapping.writers import WRITERS
from hf_magics.optional import optional


def write_part(folder: Path, number: int, table: Table) -> None:
    """Write a finished window, whole or not at all."""
    arrow = optional("pyarrow", extra="data")
    made = to_arrow(table)
    with (
        _in_place(_part(folder, number)) as beside,
        arrow.OSFile(str(beside), "wb") as file,
        arrow.ipc.new_file(file, made.schema) as writer,
    ):
        writer.write_table(made)


def read_part(folder: Path, number: int) -> Table:
    """Return a finished window as it was."""
    return from_arrow(_read(folder, number))


def assemble(
    folder: Path, numbers: Sequence[int], to: Path, told: Callable[[Path], None] = lambda _: None
) -> None:
    """Put the parts, in order, into one file: the same bytes for the same parts.

    One part at a time is in memory. The file is written beside and moved into place; ``told`` is
    called with it between the two.
    """
    schema = unified([_schema(folder, number) for number in numbers])
    tables = (as_type(_read(folder, number), schema) for number in numbers)
    with _in_place(to) as beside:
        WRITERS[to.suffix.lower()](beside, schema, tables)
        told(beside)


def check_target(to: Path) -> None:
    """Refuse a file that could not be written at the end, before anything is run.

    Raises:
        SaveError: Its kind is unknown, it is a folder, or there is no folder for it.
    """
    if to.suffix.lower() not in WRITERS:
        raise SaveError(f"--to {to}: the kind of file is one of {sentence_list(WRITERS, most=9)}")
    if to.is_dir():
        raise SaveError(f"--to {to} is a folder: give a file in it")
    folder = to.absolute().parent
    if not folder.is_dir():
        raise SaveError(f"--to {to}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise SaveError(f"--to {to}: the folder {folder} can't be written")
    optional("pyarrow", extra="data")


def _part(folder: Path, number: int) -> Path:
    return folder / f"window-{number:06}.arrow"


def _schema(folder: Path, number: int) -> Any:
    with _opened(folder, number) as part:
        return part.schema


def _read(folder: Path, number: int) -> Any:
    with _opened(folder, number) as part:
        return part.read_all()


@contextlib.contextmanager
def _opened(folder: Path, number: int) -> Iterator[Any]:
    arrow = optional("pyarrow", extra="data")
    with arrow.OSFile(str(_part(folder, number)), "rb") as file, arrow.ipc.open_file(file) as part:
        yield part


@contextlib.contextmanager
def _in_place(path: Path) -> Iterator[Path]:
    """Give a path beside; what was written there takes the place at the end, all of it or nothing.

    Its bytes are on the disk before it has its name: a crash of the machine leaves no empty file.
    Memory that Arrow took to write it and keeps for the next time goes back to the system.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
        optional("pyarrow", extra="data").default_memory_pool().release_unused()
