"""A page as plain text for a terminal. The only file that knows tabulate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from tabulate import tabulate

from hf_magics.display import limits
from hf_magics.display.branches import as_table
from hf_magics.display.columns import broadest, fitted, wrap
from hf_magics.display.imageless import without_pictures
from hf_magics.display.numbers import number
from hf_magics.display.parts import (
    Align,
    Bar,
    Cell,
    Code,
    Fold,
    Heat,
    Marked,
    Note,
    Page,
    Part,
    Picture,
    Span,
    Table,
    Text,
    Tint,
    Tree,
)
from hf_magics.display.scale import diverges, ends, has_gaps, position, reduced
from hf_magics.display.segments import segments
from hf_magics.display.visible import visible

_BUDGET = 65_536
_NARROWEST = 40
_GAP = "  "
_LIMITS = limits.Limits(fold_rows=20, fold_lines=20, picture_rows=12, picture_columns=32)
_WORDS = {"info": "Note:", "warning": "Warning:"}
_SHADES = " ░▒▓█"
_FAINT = 0.9
_NO_NUMBER = "?"
_MOST_FOLDED = 3  # a terminal can't fold: the details must not bury the answer
_BAR = 10  # characters
_FEWEST = 2  # columns of a part: the first, and one that it heads
_CELL_SHADES = (2, 16)  # rows and columns
# stands for a space that tabulate would strip: visible() leaves no such character in a text
_KEPT_SPACE = "\ue000"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table as text; a picture is left out where room is short."""

    name: str
    align: Align
    texts: list[str]
    picture: bool

    @property
    def breadth(self) -> int:
        return max(map(broadest, (self.name, *self.texts)))

    @property
    def same_in_all(self) -> bool:
        """Whether every one of several rows says the same here."""
        return len(self.texts) > 1 and len(set(self.texts)) == 1 and "" not in self.texts


def render(page: Page, width: int = 80) -> str:
    """The page in lines of at most ``width`` columns (40 at least), as far as words allow."""
    width = max(width, _NARROWEST)
    return limits.within(_BUDGET, page, lambda trimmed: _page(trimmed, width), _LIMITS)


def _page(page: Page, width: int) -> str:
    title = _wrapped(page.title, width)
    heading = [f"{title}\n{'=' * broadest(title)}"] if page.title else []
    return "\n\n".join([*heading, _parts((*page.notes, *page.parts), width)]).strip("\n")


def _parts(parts: tuple[Part, ...], width: int) -> str:
    return "\n\n".join(drawn for part in parts if (drawn := _part(part, width)))


def _part(part: Part, width: int) -> str:  # noqa: C901, PLR0911 - one arm a part
    match part:
        case Note():
            return _wrapped(f"{_WORDS[part.level]} {part.text}", width)
        case Text():
            return _lines(visible(part.text, keep_newlines=True), width)
        case Marked():
            return _lines(_marked(part), width)
        case Heat():
            return _heat(part, width)
        case Code():
            return _code(part, width)
        case Picture():
            return _wrapped(f"({part.label})", width)
        case Table():
            return _table(part, width)
        case Tree():
            return _table(as_table(part, width), width)
        case Fold():
            return _fold(part, width)
        case _:
            assert_never(part)


def _code(code: Code, width: int) -> str:
    text = visible(code.text, keep_newlines=True)
    if not code.wraps:
        return text
    return "\n".join(one if one[:1] == " " else _lines(one, width) for one in text.split("\n"))


def _fold(fold: Fold, width: int) -> str:
    summary = _wrapped(fold.summary, width)
    drawn = _parts(fold.parts[:_MOST_FOLDED], width)
    hidden = len(fold.parts) - _MOST_FOLDED
    are = "is" if hidden == 1 else "are"
    more = f"\n\n… {hidden} more {are} not shown in text" if hidden > 0 else ""
    return f"{summary}\n{'-' * broadest(summary)}\n{drawn}{more}"


def _heat(heat: Heat, width: int) -> str:
    low, high = map(number, ends(heat))
    middle = f"{_SHADES[2]} 0, " if diverges(heat) else ""
    gaps = f"; {_NO_NUMBER} is not a number" if has_gaps(heat) else ""
    scale = f"blank {low}, {middle}{_SHADES[-1]} {high}{gaps}"
    pieces = (_wrapped(heat.label, width), _shades(heat), _wrapped(scale, width))
    return "\n".join(filter(None, pieces))


def _shades(heat: Heat) -> str:
    return "\n".join("".join(_shade(heat, value) for value in row) for row in heat.values)


def _shade(heat: Heat, value: float) -> str:
    along = position(heat, value)
    if math.isnan(along):
        return _NO_NUMBER
    return _SHADES[round(along * (len(_SHADES) - 1))]


def _marked(marked: Marked) -> str:
    pieces = ((visible(text, keep_newlines=True), span) for text, span in segments(marked))
    return "".join(_bracketed(text, span) if span else text for text, span in pieces)


def _bracketed(text: str, span: Span) -> str:
    if span.strength is not None and span.strength <= _FAINT and not span.name:
        return text  # what would hardly be tinted
    return f"[{text} {visible(span.name)}]" if span.name else f"[{text}]"


def _table(table: Table, width: int) -> str:
    table = without_pictures(table)
    pieces = (
        _wrapped(table.caption, width),
        _rows(table, width) if table.columns else "",
        _wrapped(f"… {table.left_out}", width) if table.left_out else "",
    )
    return "\n".join(filter(None, pieces))


def _rows(table: Table, width: int) -> str:
    """As columns; if too wide: without pictures, wrapped, what all rows share said once.

    A row a block of lines where even that is too wide.
    """
    columns = _columns(table)
    natural = [column.breadth for column in columns]
    if sum(natural) <= _room(columns, width):
        return _grid(columns, natural)
    columns = [column for column in columns if not column.picture]
    if table.matrix:
        return _panels(columns, width)
    shared = [column for column in columns[1:] if column.same_in_all]
    varying = [column for column in columns if column not in shared]
    for kept, said in ((columns, []), (varying, shared)):
        flexible = [column.align == "left" for column in kept]
        widths = fitted([column.breadth for column in kept], flexible, _room(kept, width))
        if widths:
            return "\n".join(filter(None, (_in_every_row(said, width), _grid(kept, widths))))
    return "\n\n".join(filter(None, (_in_every_row(shared, width), _records(varying, width))))


def _panels(columns: list[_Column], width: int) -> str:
    """As several grids one under the other, each with the first column: a wide matrix."""
    panels, at = [], 1
    while at < len(columns):
        kept = [columns[0]]
        while at < len(columns) and (len(kept) < _FEWEST or _fits([*kept, columns[at]], width)):
            kept.append(columns[at])
            at += 1
        panels.append(_grid(kept, [column.breadth for column in kept]))
    return "\n\n".join(panels)


def _fits(columns: list[_Column], width: int) -> bool:
    return sum(column.breadth for column in columns) <= _room(columns, width)


def _in_every_row(columns: list[_Column], width: int) -> str:
    said = ", ".join(f"{column.name} {column.texts[0]}" for column in columns)
    return _lines(f"in every row: {said}", width) if said else ""


def _columns(table: Table) -> list[_Column]:
    by_column = [[row[at] for row in table.rows] for at in range(len(table.columns))]
    return [
        _Column(
            visible(column.name),
            column.align,
            [_cell(cell) for cell in cells],
            picture=any(isinstance(cell, Heat) for cell in cells),
        )
        for column, cells in zip(table.columns, by_column, strict=True)
    ]


def _cell(cell: Cell) -> str:  # noqa: PLR0911 - one arm a cell
    match cell:
        case str():
            return visible(cell)
        case Marked():
            return _marked(cell)
        case Heat():
            # one value everywhere makes a picture that says nothing
            return _shades(reduced(cell, *_CELL_SHADES)) if cell.low < cell.high else ""
        case Code():
            return visible(cell.text, keep_newlines=True)
        case Picture():
            return f"({visible(cell.label)})"
        case Bar():
            return _bar(cell)
        case Tint():
            return visible(cell.text)
        case _:
            assert_never(cell)


def _bar(bar: Bar) -> str:
    full = round(max(0.0, min(1.0, bar.value)) * _BAR)
    return f"{visible(bar.text)} {'█' * full}{'░' * (_BAR - full)}"


def _room(columns: list[_Column], width: int) -> int:
    return width - len(_GAP) * (len(columns) - 1)


def _grid(columns: list[_Column], widths: list[int]) -> str:
    drawn = [[_fit(t, w) for t in c.texts] for c, w in zip(columns, widths, strict=True)]
    if any(column.name for column in columns):
        heads = ([_fit(c.name, w), "-" * w] for c, w in zip(columns, widths, strict=True))
        drawn = [head + texts for head, texts in zip(heads, drawn, strict=True)]
    lines = list(zip(*drawn, strict=True))
    aligns = [column.align for column in columns]
    # numbers arrive at their precision: tabulate must not read "007" as one
    grid = tabulate(lines, tablefmt="plain", disable_numparse=True, colalign=aligns)
    return "\n".join(line.rstrip() for line in grid.replace(_KEPT_SPACE, " ").split("\n"))


def _fit(text: str, width: int) -> str:
    return "\n".join(map(_keep_spaces, wrap(text, width)))


def _keep_spaces(line: str) -> str:
    start = len(line) - len(line.lstrip(" "))
    return _KEPT_SPACE * start + line[start:]


def _records(columns: list[_Column], width: int) -> str:
    rows = zip(*(column.texts for column in columns), strict=True)
    return "\n\n".join(
        "\n".join(
            _record(c.name, text, width) for c, text in zip(columns, row, strict=True) if text
        )
        for row in rows
    )


def _record(name: str, text: str, width: int) -> str:
    named = f"{name}: {text}" if name else text
    return "\n  ".join(wrap(named, width - 2))


def _wrapped(text: str, width: int) -> str:
    return _lines(visible(text), width)


def _lines(text: str, width: int) -> str:
    return "\n".join(wrap(text, width))
