"""The parts of a page: frozen values that say what is shown, never how.

A result describes itself once as a `Page`; `html.py` and `text.py` each draw it. Every string
here is raw: the renderers escape markup and make control characters visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "right"]


@dataclass(frozen=True)
class Note:
    """One sentence at the top of a page: something that the reader must not miss."""

    text: str
    level: Literal["info", "warning"] = "warning"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Span:
    """A stretch of a text, as character offsets ``[start, end)``.

    ``label`` is what it says where it is pointed at, and ``name`` what stands beside it.
    ``strength`` from 0 to 1 is how strongly it is tinted; where it is None, neighbours are tinted
    in turn.
    """

    start: int
    end: int
    label: str = ""
    name: str = ""
    strength: float | None = None


@dataclass(frozen=True)
class Marked:
    """A text with stretches that are tinted in turn; spans are in order and don't overlap."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Heat:
    """A small picture of a matrix: a row of floats a line, NaN where there is no number.

    ``low`` and ``high`` are the values at the ends of the scale. Where they have different
    signs the scale diverges from zero. ``label`` says in words what the picture shows.
    """

    values: tuple[tuple[float, ...], ...]
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Code:
    """Text to read or copy letter by letter; white space counts.

    Where it ``wraps``, a line that is not indented may be parted between its words.
    """

    text: str
    language: str = ""
    wraps: bool = False


@dataclass(frozen=True)
class Picture:
    """An image as the bytes of a PNG or JPEG file; ``label`` says in words what it shows."""

    data: bytes
    label: str


@dataclass(frozen=True)
class Bar:
    """A part of a whole, from 0 to 1, drawn beside the number that ``text`` gives."""

    value: float
    text: str


@dataclass(frozen=True)
class Tint:
    """A text on a tint: ``strength`` from -1 to 1, the sign in two colours, 0 is clear."""

    text: str
    strength: float


Cell = str | Marked | Heat | Code | Picture | Bar | Tint
"""What stands in a table: numbers arrive as strings, already at their precision."""


@dataclass(frozen=True)
class Column:
    """A column's heading; ``right`` for numbers; ``mono`` for tokens, paths and values."""

    name: str
    align: Align = "left"
    mono: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first column heads its row.

    ``caption`` says what it is. ``left_out`` says what is not shown and how to see it; a renderer
    that has to cut further rows to stay in its budget says so in the same place. Where no column
    has a name, the table is a list of facts and has no heading row. Of a ``matrix`` each column is
    of one kind: where it is too wide for a terminal, it stands there in parts.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    left_out: str = ""
    matrix: bool = False


@dataclass(frozen=True)
class Fold:
    """Details that are there for whoever opens them."""

    summary: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Branch:
    """A line of a tree: its cells, and the lines below it.

    ``details`` stand under the line for whoever opens it; ``shut`` says that what is below shows
    then too. A terminal shows what is below, and no details.
    """

    cells: tuple[str, ...]
    below: tuple[Branch, ...] = ()
    details: str = ""
    shut: bool = False


@dataclass(frozen=True)
class Tree:
    """Lines with lines below them, in columns; the first column is indented.

    ``left_out`` says what is not shown, as in a `Table`. ``spare`` are the names of columns that a
    terminal leaves out where it is too narrow, in this order.
    """

    columns: tuple[Column, ...]
    branches: tuple[Branch, ...]
    caption: str = ""
    left_out: str = ""
    spare: tuple[str, ...] = ()


Part = Note | Text | Marked | Heat | Code | Picture | Table | Tree | Fold


@dataclass(frozen=True)
class Page:
    """What a result looks like: the notes, then the answer, then the details."""

    title: str
    parts: tuple[Part, ...] = ()
    notes: tuple[Note, ...] = ()


def facts(rows: dict[str, Cell], caption: str = "") -> Table:
    """A table of names and values; entries whose value is the empty string are left out."""
    kept = tuple((name, value) for name, value in rows.items() if value != "")
    return Table((Column(""), Column("", mono=True)), kept, caption)
