"""Rows from a value of the notebook: a list, a Series, an array, a column, a table."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import InputError
from hf_magics.inference.mapping.sources import Row, Source, Window, cut, labels_of, row_of
from hf_magics.inference.pairs import OneText
from hf_magics.snippets import Snippet, assigned, given

_SLICE = 1_024
_FEW = 20
_SHORT = 2_000


class Values:
    """Something with a length that gives slices; a column that lies on disk stays there."""

    count: int | None

    def __init__(self, values: Any, name: str, column: str) -> None:
        self.name = name or "inputs"
        self.column = column
        self._values = values
        self.count = self._length()

    def windows(self, rows: int, chars: int, start: int = 0) -> Iterator[Window]:
        """Yield windows from a row on."""
        return cut(self._rows(start), rows, chars, start)

    def code(self) -> Snippet:
        """Return the line that lists the column; of a long one, of what is to be filled in."""
        few = self._few()
        if few:
            return Snippet((), (assigned("column", few),))
        count = "rows" if self.count is None else plural(self.count, "row")
        name, line = given(self.name, f"a column of {count}")
        return Snippet((), (line, f"column = list({name})"))

    def _few(self) -> list[str] | None:
        """Return the rows where they are texts, and so few that code can hold them."""
        if self.count is None or self.count > _FEW:
            return None
        rows = [row for row, problem in self._rows(0) if not problem]
        texts = [str(row) for row in rows if isinstance(row, str) and "\t" not in row]
        is_all = len(texts) == self.count and sum(map(len, texts)) <= _SHORT
        return texts if is_all else None

    def share(self, row: int) -> float | None:
        """Return the share of the rows."""
        return row / self.count if self.count else 1.0

    def fingerprint(self) -> str:
        """Return a hash of all rows."""
        found = hashlib.blake2b(digest_size=32)
        for value, problem in self._rows(0):
            found.update(_bytes(value) + problem.encode() + b"\0")
        return found.hexdigest()

    def _length(self) -> int | None:
        return len(self._values)

    def _rows(self, start: int) -> Iterator[Row]:
        for at in range(start, len(self._values), _SLICE):
            for value in _sliced(self._values, at, at + _SLICE):
                yield row_of(value)


class Stream(Values):
    """Something that can be gone through again and again, and no more than that."""

    def share(self, row: int) -> float | None:  # noqa: ARG002 - as any source is asked
        """Return None: only its end tells how much it is."""
        return None

    def _length(self) -> int | None:
        return None

    def _rows(self, start: int) -> Iterator[Row]:
        return map(row_of, itertools.islice(iter(self._values), start, None))


def open_values(value: Any, name: str, column: str) -> Source:
    """Return a value as a source.

    Raises:
        InputError: It is no column, or a table without the column that is asked for.
    """
    if isinstance(value, dict) and hasattr(value, "column_names"):
        parts = sentence_list([f"{name or 'it'}[{part!r}]" for part in value], most=9)
        raise InputError(f"{name or 'the input'} is a dictionary of datasets: give {parts}")
    is_sized = hasattr(value, "__len__")
    if hasattr(value, "collect") and not is_sized:
        raise InputError(_not_collected(value, name or "inputs", column))
    if hasattr(value, "column_names") or hasattr(value, "columns"):
        label = (_column_of if is_sized else _column_of_stream)(value, name or "the table", column)
        table, kind = name or "inputs", Values if is_sized else Stream
        return kind(value[label], f"{table}.{label}", str(label))
    if column:
        raise InputError(f"--column {column}: {name or 'the input'} is no table, it has no columns")
    if isinstance(value, deque):  # has no slices
        return Values(list(value), name, "text")
    if isinstance(value, Iterable) and not is_sized and not isinstance(value, Iterator):
        return Stream(value, name, "text")
    if isinstance(value, (dict, bytes)) or not (is_sized and hasattr(value, "__getitem__")):
        raise InputError(
            "%hf_map takes a list, a Series, a column or a file, not "
            f"{type(value).__name__}: list(…) makes a list of it"
        )
    return Values(value, name, _own_name(value))


def choose_column(columns: Sequence[str], texts: Sequence[str], wanted: str, name: str) -> str:
    """Return the column that is meant: the one asked for, the only one of texts, or ``text``.

    Args:
        columns: All columns.
        texts: Those that hold texts.
        wanted: What was asked for, ``""`` where nothing.
        name: What the table or file is called.

    Raises:
        InputError: There is no such column, or several could be meant.
    """
    if wanted in columns:
        return wanted
    known = sentence_list(columns, most=20)
    if wanted:
        raise InputError(
            f"{name} has no column '{wanted}'{nearest(wanted, columns)}; it has {known}"
        )
    if len(texts) == 1:
        return texts[0]
    if "text" in columns:
        return "text"
    raise InputError(f"which column of {name}? --column NAME; it has {known}")


def _column_of(table: Any, name: str, wanted: str) -> Any:
    """Return the label of the column that is meant, which need not be a text."""
    labels = labels_of(table)
    texts = [
        str(one)
        for one in dict.fromkeys(labels)
        if len(table) and labels.count(one) == 1 and isinstance(_sliced(table[one], 0, 1)[0], str)
    ]
    chosen = choose_column(list(map(str, labels)), texts, wanted, name)
    meant = [one for one in labels if str(one) == chosen]
    if len(meant) > 1:
        raise InputError(f"{name} has {len(meant)} columns that are called '{chosen}': rename one")
    return meant[0]


def _column_of_stream(table: Any, name: str, wanted: str) -> str:
    """Return the column of a stream of rows that is meant; its first row may be all that tells."""
    first: dict[str, Any] = next(iter(table), {})
    labels = labels_of(table) or list(first)
    texts = [label for label in labels if isinstance(first.get(label), str)]
    return choose_column(labels, texts, wanted, name)


def _not_collected(table: Any, name: str, column: str) -> str:
    read = f"{name}.select({column!r})" if column else name
    return (
        f"{name} is a {type(table).__name__}, whose rows are not there yet: give {read}.collect()"
    )


def _own_name(values: Any) -> str:
    """Return the name that a Series has, ``text`` where there is none."""
    name = getattr(values, "name", None)
    taken = name in {"row", "error"}
    return name if isinstance(name, str) and name and not taken else "text"


def _sliced(values: Any, begin: int, end: int) -> list[Any]:
    part = values.iloc[begin:end] if hasattr(values, "iloc") else values[begin:end]
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(part, method) and not _holds_arrays(part):
            return list(getattr(part, method)())
    return list(part)


def _holds_arrays(part: Any) -> bool:
    """Say whether an array is of images, each an array of its own."""
    return getattr(part, "ndim", 1) > 2  # noqa: PLR2004 - rows of token IDs have two dimensions


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        kind = b"t" if isinstance(value, OneText) else b"s"
        return kind + value.encode("utf-8", "surrogatepass")
    if hasattr(value, "tobytes"):
        return bytes(value.tobytes()) + repr(getattr(value, "shape", "")).encode()
    if hasattr(value, "read_bytes"):
        return bytes(value.read_bytes())
    known = f"{type(value).__qualname__} {_ADDRESS.sub('', repr(value))}"
    return known.encode("utf-8", "surrogatepass")


_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
