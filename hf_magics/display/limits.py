"""How much of a page is drawn: cut to fit a budget, and always saying what was left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import assert_never

from hf_magics.display.branches import kept
from hf_magics.display.numbers import plural
from hf_magics.display.parts import (
    Bar,
    Branch,
    Cell,
    Code,
    Fold,
    Heat,
    Marked,
    Note,
    Page,
    Part,
    Picture,
    Table,
    Text,
    Tint,
    Tree,
)
from hf_magics.display.scale import reduced

_LONG_WORD = 64  # characters: a text without a space in so many is cut anywhere
_FEWEST_ROWS, _FEWEST_CHARACTERS = 16, 512  # before cells, pictures and parts are cut as well


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is drawn of each thing."""

    rows: int = 2_048
    columns: int = 256
    parts: int = 256
    characters: int = 65_536
    """In one paragraph, text or piece of code."""
    cell_characters: int = 2_000
    lines: int = 65_536
    """In one piece of code."""
    fold_rows: int = 2_048
    fold_lines: int = 65_536
    picture_rows: int = 128
    picture_columns: int = 128
    picture_bytes: int = 49_152
    """Of one picture."""


def within(
    budget: int, page: Page, draw: Callable[[Page], str], widest: Limits | None = None
) -> str:
    """The page drawn in at most ``budget`` UTF-8 bytes, with as little left out as may be."""
    limits = widest or Limits()
    while len((drawn := draw(_page(page, limits))).encode()) > budget:
        smaller = _smaller(limits, len(drawn) // budget)
        if smaller == limits:
            break
        limits = smaller
    return drawn


def _part(part: Part, limits: Limits) -> Part:  # noqa: C901, PLR0911 - one arm a part
    match part:
        case Note() | Text():
            return replace(part, text=_cut(part.text, limits.characters))
        case Marked():
            return _marked(part, limits.characters)
        case Heat():
            return _heat(part, limits)
        case Code():
            return _code(part, limits)
        case Picture():
            return _picture(part, limits)
        case Table():
            return _table(part, limits)
        case Tree():
            return _tree(part, limits)
        case Fold():
            return _fold(part, limits)
        case _:
            assert_never(part)


def _smaller(limits: Limits, times_too_long: int) -> Limits:
    """Fewer rows and shorter texts; when there are few rows, less of everything."""
    if limits.rows <= _FEWEST_ROWS:
        return Limits(**{f.name: max(1, getattr(limits, f.name) // 2) for f in fields(limits)})
    part = max(2, times_too_long)
    return replace(
        limits,
        rows=max(_FEWEST_ROWS, limits.rows // part),
        characters=max(_FEWEST_CHARACTERS, limits.characters // part),
    )


def _page(page: Page, limits: Limits) -> Page:
    notes = tuple(
        Note(_cut(note.text, limits.characters), note.level) for note in page.notes[: limits.parts]
    )
    left = len(page.notes) - len(notes)
    more = (Note(f"{plural(left, 'more note')} not shown."),) if left else ()
    title = _cut(page.title, limits.cell_characters)
    return Page(title, _parts(page.parts, limits), notes + more)


def _parts(parts: tuple[Part, ...], limits: Limits) -> tuple[Part, ...]:
    kept = tuple(_part(part, limits) for part in parts[: limits.parts])
    left = len(parts) - len(kept)
    return (*kept, Text(f"{plural(left, 'more part')} not shown.")) if left else kept


def _fold(fold: Fold, limits: Limits) -> Fold:
    inside = replace(
        limits,
        rows=min(limits.rows, limits.fold_rows),
        lines=min(limits.lines, limits.fold_lines),
    )
    return Fold(_cut(fold.summary, limits.cell_characters), _parts(fold.parts, inside))


def _table(table: Table, limits: Limits) -> Table:
    shown = table.rows[: limits.rows]
    columns = table.columns[: limits.columns]
    rows = tuple(tuple(_cell(cell, limits) for cell in row[: limits.columns]) for row in shown)
    names = (replace(c, name=_cut(c.name, limits.cell_characters)) for c in columns)
    return Table(
        tuple(names),
        rows,
        _cut(table.caption, limits.cell_characters),
        _left_out(table, len(shown), len(columns), limits),
        table.matrix,
    )


_MORE = re.compile(r"([\d,]+) more (\w+?)s?: (.*)", re.DOTALL)


def _left_out(table: Table, rows: int, columns: int, limits: Limits) -> str:
    own = _MORE.fullmatch(table.left_out)
    if own and rows < len(table.rows):  # one count of both, not a count beside another
        left = int(own[1].replace(",", "")) + len(table.rows) - rows
        table = replace(table, left_out=f"{plural(left, f'more {own[2]}')}: {own[3]}")
        rows = len(table.rows)
    said = [
        f"{plural(left, f'more {what}')} {'is' if left == 1 else 'are'} not shown"
        for left, what in (
            (len(table.rows) - rows, "row"),
            (len(table.columns) - columns, "column"),
        )
        if left
    ]
    said += [_cut(table.left_out, limits.cell_characters)] if table.left_out else []
    return "; ".join(said) or ("" if table.rows else "no rows")


def _tree(tree: Tree, limits: Limits) -> Tree:
    fewer, left = kept(tree, limits.rows)
    more = f"{plural(left, 'more line')} not shown" if left else ""
    return replace(
        fewer,
        branches=_branches(fewer.branches, limits),
        caption=_cut(tree.caption, limits.cell_characters),
        left_out="; ".join(filter(None, (more, _cut(tree.left_out, limits.cell_characters)))),
    )


def _branches(branches: tuple[Branch, ...], limits: Limits) -> tuple[Branch, ...]:
    most = limits.cell_characters
    return tuple(
        Branch(
            tuple(_cut(cell, most) for cell in one.cells),
            _branches(one.below, limits),
            _cut(one.details, most),
            one.shut,
        )
        for one in branches
    )


def _cell(cell: Cell, limits: Limits) -> Cell:
    match cell:
        case str():
            return _cut(cell, limits.cell_characters)
        case Marked():
            return _marked(cell, limits.cell_characters)
        case Heat():
            return _heat(cell, limits)
        case Code():
            return replace(cell, text=_cut(cell.text, limits.cell_characters))
        case Picture():
            return _picture(cell, limits)
        case Bar() | Tint():
            return replace(cell, text=_cut(cell.text, limits.cell_characters))
        case _:
            assert_never(cell)


def _marked(marked: Marked, most: int) -> Marked:
    end = _end(marked.text, most)
    shown = tuple(
        replace(span, end=min(span.end, end), label=_cut(span.label, most))
        for span in marked.spans
        if span.start < end
    )
    return Marked(_cut(marked.text, most), shown)


def _heat(heat: Heat, limits: Limits) -> Heat:
    fewer = reduced(heat, limits.picture_rows, limits.picture_columns)
    return replace(fewer, label=_cut(fewer.label, limits.cell_characters))


def _picture(picture: Picture, limits: Limits) -> Picture:
    """A picture of no bytes is one that was left out: its label stays."""
    label = _cut(picture.label, limits.cell_characters)
    fits = len(picture.data) <= limits.picture_bytes
    return Picture(picture.data if fits else b"", label)


def _code(code: Code, limits: Limits) -> Code:
    lines = code.text.split("\n")
    left = len(lines) - limits.lines
    text = "\n".join(lines[: limits.lines])
    more = f"\n… {plural(left, 'more line')}" if left > 0 else ""
    return replace(code, text=_cut(text, limits.characters) + more)


def _cut(text: str, most: int) -> str:
    end = _end(text, most)
    left = len(text) - end
    return f"{text[:end]}… {plural(left, 'more character')}" if left else text


def _end(text: str, most: int) -> int:
    """Where a text is cut: before a space that is near, so that no number is cut in two."""
    if len(text) <= most:
        return len(text)
    space = max(text.rfind(one, max(1, most - _LONG_WORD), most + 1) for one in " \n\t")
    return space if space > 0 else most
