"""Tables into one file, one at a time: Parquet, Arrow, JSONL, CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hf_magics.inference.mapping.columns import plain
from hf_magics.optional import optional

Write = Callable[[Path, Any, Iterable[Any]], None]
"""Takes the path, the schema of all tables, and the tables."""


def _parquet(path: Path, schema: Any, tables: Iterable[Any]) -> None:
    with optional("pyarrow.parquet", extra="data").ParquetWriter(path, schema) as writer:
        for table in tables:
            writer.write_table(table)


def _arrow(path: Path, schema: Any, tables: Iterable[Any]) -> None:
    arrow = optional("pyarrow", extra="data")
    with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_file(file, schema) as writer:
        for table in tables:
            writer.write_table(table)


def _json_lines(path: Path, _schema: Any, tables: Iterable[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for table in tables:
            for record in table.to_pylist():
                file.write(json.dumps(plain(record), ensure_ascii=False, default=str) + "\n")


def _csv(path: Path, schema: Any, tables: Iterable[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)  # its own ends of lines, else a lone \r in a text is not quoted
        writer.writerow(schema.names)
        for table in tables:
            for record in table.to_pylist():
                writer.writerow([_cell(value) for value in record.values()])


def _cell(value: Any) -> Any:
    """Return a value as a cell: lists and dictionaries as JSON, nothing for what is missing."""
    if isinstance(value, (list, dict)):
        return json.dumps(plain(value), ensure_ascii=False, default=str)
    return "" if value is None else value


WRITERS: dict[str, Write] = {
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".arrow": _arrow,
}
"""What writes a kind of file, by its suffix."""
