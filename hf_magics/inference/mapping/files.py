"""Rows from a file of any size: text, CSV, JSONL, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import InputError
from hf_magics.inference.mapping.sources import Row, Source
from hf_magics.inference.mapping.streamed import Streamed, decoded
from hf_magics.inference.mapping.values import choose_column
from hf_magics.optional import optional

_LONGEST_CELL = 2**31 - 1


class TextFile(Streamed):
    """A row a line."""

    _has_columns = False

    def _begin(self, column: str) -> None:
        if column:
            raise InputError(f"--column {column}: {self.path.name} is plain text, a row a line")

    def _rows(self, start: int) -> Iterator[Row]:
        for number, raw in self._lines():
            if number > start:
                yield decoded(raw.rstrip(b"\r\n"), number)


class JsonLines(Streamed):
    """A row an object; the column is a key."""

    def _begin(self, column: str) -> None:
        first = next((raw for _, raw in self._lines() if raw.strip()), b"")
        try:
            found = json.loads(first or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{self.path.name}: its first line is no JSON object")
        texts = [name for name, value in found.items() if isinstance(value, str)]
        self.column = choose_column(list(found), texts, column, self.path.name)

    def _rows(self, start: int) -> Iterator[Row]:
        for number, raw in self._lines():
            if number > start:
                yield self._row(number, raw)

    def _row(self, number: int, raw: bytes) -> Row:
        text, problem = decoded(raw, number)
        if problem:
            return text, problem
        try:
            found = json.loads(text)
        except ValueError as error:
            return None, f"can't be read: line {number:,} is no JSON: {one_line(error)[:80]}"
        if not isinstance(found, dict) or self.column not in found:
            return None, f"can't be read: line {number:,} has no '{self.column}'"
        return found[self.column], ""


class CsvFile(Streamed):
    """A row a record; the first has the names of the columns. Lines may be in quotes."""

    def _begin(self, column: str) -> None:
        self._names = next(self._records(), (0, []))[1]
        if len(set(self._names)) < len(self._names) or not self._names:
            raise InputError(f"{self.path.name} has no first line with the names of its columns")
        self.column = choose_column(self._names, self._names, column, self.path.name)
        self._at = self._names.index(self.column)

    def _rows(self, start: int) -> Iterator[Row]:
        for at, (number, record) in enumerate(self._records(), -1):
            if at >= start:
                yield self._row(number, record)

    def _row(self, number: int, record: Sequence[str]) -> Row:
        if len(record) != len(self._names):
            return None, (
                f"can't be read: the record that ends in line {number:,} has {len(record)} columns,"
                f" not {len(self._names)}"
            )
        try:
            record[self._at].encode("utf-8")
        except UnicodeEncodeError:
            return None, f"can't be read: the record that ends in line {number:,} is no UTF-8"
        return record[self._at], ""

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each record that is not empty, and the line that it ends in."""
        lines = (raw.decode("utf-8", "surrogateescape") for _, raw in self._lines())
        before = csv.field_size_limit(_LONGEST_CELL)
        tab = ".tsv" in self.path.suffixes
        reader = csv.reader(lines, delimiter="\t" if tab else ",")
        try:
            yield from ((reader.line_num, record) for record in reader if record)
        except csv.Error as error:
            raise InputError(f"{self.path.name}, line {reader.line_num:,}: {error}") from error
        finally:
            csv.field_size_limit(before)


class ParquetFile(Streamed):
    """A row a row; row groups before the first one are not read."""

    def _begin(self, column: str) -> None:
        arrow = optional("pyarrow", extra="data")
        try:
            file = self._opened()
        except arrow.ArrowInvalid as error:
            raise InputError(f"{self.path.name} is no Parquet file: {one_line(error)}") from error
        schema = file.schema_arrow
        strings = (arrow.types.is_string, arrow.types.is_large_string)
        texts = [one.name for one in schema if any(is_text(one.type) for is_text in strings)]
        self.column = choose_column(schema.names, texts, column, self.path.name)
        self.count = file.metadata.num_rows

    def _opened(self) -> Any:
        return optional("pyarrow.parquet", extra="data").ParquetFile(self.path)

    def share(self, row: int) -> float | None:
        """Return the share of the rows."""
        return row / self.count if self.count else 1.0

    def _rows(self, start: int) -> Iterator[Row]:
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
            yield from ((value, "") for value in values[skipped:].to_pylist())
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


def open_file(path: Path, column: str) -> Source:
    """Return a file as a source, by its suffix; text, CSV and JSONL may be packed: ``.csv.gz``.

    Raises:
        InputError: It is not there, empty, of another kind, or has no such column.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise InputError(f"{path} {what}: %hf_map takes a file or a variable")
    suffixes: list[Any] = [one for one in path.suffixes if one != ".gz"]
    kind = _KINDS.get(suffixes[-1].lower() if suffixes else "")
    if kind is None:
        raise InputError(
            f"{path.name}: %hf_map reads {sentence_list(_KINDS, most=9)}; what else there is goes "
            "through pandas into a column"
        )
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty")
    return kind(path, column)
