"""The names of a table's columns, for Tab: of a variable, or of the head of a file."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hf_magics.errors import MissingExtraError
from hf_magics.optional import optional

_HEAD = 2**20  # a first line that is longer has no column names that anyone would type


def columns_of(name: str, variables: Mapping[str, Any]) -> list[str]:
    """Return the columns of a variable or file of that name, none where there are none to see."""
    table = variables.get(name)
    if table is None:
        return _columns_in(Path(name).expanduser())
    found = getattr(table, "column_names", None)
    found = getattr(table, "columns", None) if found is None else found
    return [] if found is None or callable(found) else [str(one) for one in found]


def _columns_in(path: Path) -> list[str]:
    suffixes = [one.lower() for one in path.suffixes if one.lower() != ".gz"]
    read = SUFFIXES.get(suffixes[-1]) if suffixes else None
    try:
        return read(path) if read is not None else []
    except (OSError, ValueError, EOFError, MissingExtraError):  # no such file: nothing to offer
        return []


def _none(_: Path) -> list[str]:
    return []


def _csv(path: Path) -> list[str]:
    return next(csv.reader([_first_line(path)]), [])


def _tsv(path: Path) -> list[str]:
    return next(csv.reader([_first_line(path)], delimiter="\t"), [])


def _json_lines(path: Path) -> list[str]:
    found = json.loads(_first_line(path))
    return list(found) if isinstance(found, dict) else []


def _parquet(path: Path) -> list[str]:
    return list(optional("pyarrow.parquet", extra="data").read_schema(path).names)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        is_packed = path.suffix.lower() == ".gz"
        line = gzip.GzipFile(fileobj=file).readline(_HEAD) if is_packed else file.readline(_HEAD)
    return line.decode("utf-8-sig")


SUFFIXES: Mapping[str, Callable[[Path], list[str]]] = {
    **dict.fromkeys((".txt", ".text"), _none),
    **dict.fromkeys((".jsonl", ".ndjson"), _json_lines),
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
"""The files that a map reads, and how their columns are found."""
