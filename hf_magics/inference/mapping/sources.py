"""Where the rows of a map come from: what a source is, a row of one, and windows of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hf_magics.inference.pairs import OneText
from hf_magics.snippets import Snippet

Row = tuple[Any, str]
"""What a row holds, and why it can't be read, ``""`` where it can."""

WINDOW_CHARS = 4_000_000
"""Characters of a window at most: what bounds the memory where rows are long."""


@dataclass(frozen=True)
class Window:
    """Consecutive rows: the number of the first, from 0, and why some of them can't be read."""

    start: int
    rows: tuple[Any, ...]
    problems: Mapping[int, str] = field(default_factory=dict)


class Source(Protocol):
    """Rows in their order, as often as they are asked for.

    ``name`` is for pages; ``column`` is what a file of answers calls the inputs; ``count`` is None
    where only reading tells.
    """

    name: str
    column: str
    count: int | None

    def windows(self, rows: int, chars: int, start: int = 0) -> Iterator[Window]:
        """Yield windows of so many rows and characters at most, from a row on.

        They depend on the content alone: from the start of any of them on, the later ones are the
        same.
        """

    def code(self) -> Snippet:
        """Return plain code that makes the rows: a list named ``column``."""

    def share(self, row: int) -> float | None:
        """Return how much of the source is before a row, from 0 to 1; None where unknown."""

    def fingerprint(self) -> str:
        """Return a hash of the content, that is another where the content is.

        Raises:
            InputError: It can't be told for these values.
        """


def labels_of(table: Any) -> list[Any]:
    """Return the labels of a table's columns, none where a value has no columns."""
    found = getattr(table, "column_names", None)
    found = getattr(table, "columns", None) if found is None else found
    return [] if found is None or callable(found) else list(found)


def row_of(value: Any) -> Row:
    """Return a value of a column as a row: None for what is missing.

    The two texts of a pair are parted by a tab; a text that has one is none.
    """
    if _is_missing(value):
        return None, ""
    if getattr(value, "ndim", None) == 1 and "int" in str(getattr(value, "dtype", "")):
        return value.tolist(), ""  # token IDs, in an array; other numbers are a sound
    if isinstance(value, str) and "\t" in value:
        return OneText(value), ""
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2  # noqa: PLR2004 - a pair
    if is_pair and all(isinstance(one, str) for one in value):
        if any("\t" in one for one in value):
            return None, "has a tab in a text of a pair, which is what parts the two"
        return "\t".join(value), ""
    return value, ""


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float) and value != value  # noqa: PLR0124
    # pandas' own, whose comparison is no bool
    return value is None or is_nan or type(value).__name__ == "NAType"


def cut(rows_: Iterable[Row], rows: int, chars: int, start: int) -> Iterator[Window]:
    """Cut a stream of rows into windows: a window is full before a row that would be too much."""
    held: list[Row] = []
    length = 0
    for row in rows_:
        size = len(row[0]) if isinstance(row[0], str) else 0
        if held and (len(held) == rows or length + size > chars):
            yield _window(held, start)
            start += len(held)
            held, length = [], 0
        held.append(row)
        length += size
    if held:
        yield _window(held, start)


def _window(held: Sequence[Row], start: int) -> Window:
    problems = {at: problem for at, (_, problem) in enumerate(held) if problem}
    return Window(start, tuple(value for value, _ in held), problems)
