"""A page as static HTML: escaped here and nowhere else, and never over its budget.

The tags, attributes and styles are those that JupyterLab's sanitiser keeps in a notebook which
is not trusted. Meaning is in the tags, so that the page reads well where styles are stripped too;
tints are translucent and text has no colour, so that it reads well in light and in dark.
"""

from __future__ import annotations

import base64
import re
from itertools import count
from typing import assert_never

from markupsafe import escape

from hf_magics.display import branches, limits
from hf_magics.display.highlighting import highlighted
from hf_magics.display.numbers import number
from hf_magics.display.parts import (
    Bar,
    Branch,
    Cell,
    Code,
    Column,
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
from hf_magics.display.picture import data_uri
from hf_magics.display.scale import diverges, ends, has_gaps
from hf_magics.display.segments import segments
from hf_magics.display.visible import visible

# without these classes a dollar sign in a table begins a formula
_ROOT = '<div class="hf-magics tex2jax_ignore mathjax_ignore">'
_BLOCK = "margin:0 0 10px"
# a notebook's own style may break a number in two: break at spaces, and elsewhere only in need
_PRE = (
    f"{_BLOCK};font-family:monospace;white-space:pre-wrap;word-break:normal;"
    "overflow-wrap:break-word"
)
_FAINT = "font-size:.9em;opacity:.75"
_TINTS = ("rgba(60,130,240,.2)", "rgba(240,150,30,.22)")
_BLUE, _ORANGE = "60,130,240", "240,150,30"
_BAR = "rgba(60,130,240,.3)"
_CLEAR = 0.05
# the sanitiser knows no ch: of these fonts each character is 0.6 em wide
_EVEN = "font-family:Menlo,DejaVu Sans Mono,Liberation Mono,Courier New,monospace;white-space:pre"
_LEVEL = f"{0.6 * branches.INDENT:.1f}em"
# what opens a line, so that the columns stand under each other
_MARKER = "16px"
_NOTES = {
    "info": ("Note:", "rgba(60,130,240,.12)", "rgba(60,130,240,.7)"),
    "warning": ("Warning:", "rgba(240,160,0,.15)", "rgba(240,150,0,.9)"),
}
_CELL_PICTURE, _PICTURE = (96, 48), (384, 384)  # pixels: width and height
_NAME = 64  # characters; what is longer is a text, and too much of it in bold is loud
_MAY_BREAK = re.compile(r"\S[\s–-]")  # numbers such as 6.061e-04 and ranges stay in one line
_SPACES_COUNT = re.compile(r"^\s|\s$|\s\s|\n")


def render(page: Page, budget: int = 65_536) -> str:
    """The page as HTML of at most ``budget`` UTF-8 bytes; what had to be left out is named."""
    return limits.within(budget, page, _page)


def _page(page: Page) -> str:
    title = f'<p style="{_BLOCK}"><strong>{_text(page.title)}</strong></p>' if page.title else ""
    return f"{_ROOT}{title}{_parts((*page.notes, *page.parts))}</div>"


def _parts(parts: tuple[Part, ...]) -> str:
    return "".join(map(_part, parts))


def _part(part: Part) -> str:  # noqa: C901, PLR0911 - one arm a part
    match part:
        case Note():
            return _note(part)
        case Text():
            text = _text(part.text, keep_newlines=True)
            return f'<p style="{_BLOCK};white-space:pre-wrap">{text}</p>'
        case Marked():
            return f'<pre style="{_PRE}">{_pre(_marked(part))}</pre>'
        case Heat():
            return _heat(part)
        case Code():
            return f'<pre style="{_PRE};overflow-x:auto">{_pre(_code(part))}</pre>'
        case Picture():
            return f'<p style="{_BLOCK}">{_picture(part)}<br>{_text(part.label)}</p>'
        case Table():
            return _table(part)
        case Tree():
            return _tree(part)
        case Fold():
            summary = (
                f'<summary style="cursor:pointer;margin:0 0 6px">{_text(part.summary)}</summary>'
            )
            return f'<details style="{_BLOCK}">{summary}{_parts(part.parts)}</details>'
        case _:
            assert_never(part)


def _note(note: Note) -> str:
    word, tint, edge = _NOTES[note.level]
    style = f"{_BLOCK};padding:4px 10px;background:{tint};border-left:3px solid {edge}"
    return f'<p style="{style}"><strong>{word}</strong> {_text(note.text)}</p>'


def _heat(heat: Heat) -> str:
    low, high = map(number, ends(heat))
    scale = (
        f"{low} (blue) to {high} (orange)" if diverges(heat) else f"{low} (clear) to {high} (full)"
    )
    label = f"{_text(heat.label)}<br>" if heat.label else ""
    gaps = "; magenta is not a number" if has_gaps(heat) else ""
    legend = f'<span style="{_FAINT}">{scale}{gaps}</span>'
    return f'<p style="{_BLOCK}">{label}{_image(heat, _PICTURE)}<br>{legend}</p>'


def _image(heat: Heat, size: tuple[int, int]) -> str:
    source = data_uri(heat, *size)
    if not source:
        return "(empty)"
    label = _text(heat.label)
    style = "border:1px solid rgba(128,128,128,.4);vertical-align:middle"
    return f'<img src="{source}" alt="{label}" title="{label}" style="{style}">'


def _table(table: Table) -> str:
    caption = table.caption and f'<caption style="text-align:left">{_text(table.caption)}</caption>'
    rows = "".join(_row(table.columns, row) for row in table.rows)
    left_out = table.left_out and f'<div style="{_FAINT}">{_text(table.left_out)}</div>'
    whole = ";white-space:nowrap" if table.matrix else ""  # it scrolls: its rows stay lines
    return (
        f'<div style="{_BLOCK}"><div style="overflow-x:auto">'
        f'<table cellpadding="4" style="border-collapse:collapse;margin:0{whole}">'
        f"{caption}{_head(table.columns)}<tbody>{rows}</tbody></table></div>{left_out}</div>"
    )


def _tree(tree: Tree) -> str:
    wide = branches.widths(tree)
    names = branches.line(tree, [column.name for column in tree.columns], 0, wide)
    lines = "".join(_branch(tree, one, 0, wide) for one in tree.branches)
    caption = tree.caption and f"<div>{_text(tree.caption)}</div>"
    left_out = tree.left_out and f'<div style="{_FAINT}">{_text(tree.left_out)}</div>'
    return (
        f'<div style="{_BLOCK}">{caption}<div style="overflow-x:auto;{_EVEN}">'
        f'<div style="padding:0 0 0 {_MARKER}"><strong>{_text(names)}</strong>'
        f"</div>{lines}</div>{left_out}</div>"
    )


def _branch(tree: Tree, branch: Branch, level: int, wide: tuple[int, ...]) -> str:
    line = _text(branches.line(tree, branch.cells, level, wide))
    items = [_branch(tree, one, level + 1, wide) for one in branch.below]
    if branch.details:
        said = _text(branch.details, keep_newlines=True)
        items.insert(0, f'<div style="opacity:.75;padding:0 0 0 {_MARKER}">{said}</div>')
    # a list is indented where styles are stripped, too; what opens a line is mark enough
    inside = "".join(f'<li style="display:block">{one}</li>' for one in items)
    indented = f'<ul style="margin:0;padding:0 0 0 {_LEVEL}">{inside}</ul>' if inside else ""
    opened = " open" if branch.below and not branch.shut else ""
    return f'<details{opened}><summary style="cursor:pointer">{line}</summary>{indented}</details>'


def _head(columns: tuple[Column, ...]) -> str:
    if not any(column.name for column in columns):
        return ""
    cells = "".join(
        f'<th scope="col" style="text-align:{column.align}">{_text(column.name)}</th>'
        for column in columns
    )
    return f"<thead><tr>{cells}</tr></thead>"


def _row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> str:
    cells = (
        _cell(column, cell, heads=not at)
        for at, (column, cell) in enumerate(zip(columns, row, strict=True))
    )
    return f"<tr>{''.join(cells)}</tr>"


def _cell(column: Column, cell: Cell, *, heads: bool) -> str:
    style = f"text-align:{column.align}{_white_space(column, cell)}{_background(cell)}"
    content = _content(cell)
    if column.mono and isinstance(cell, str) and cell:
        content = f"<samp>{content}</samp>"
    if heads:
        weight = "" if isinstance(cell, str) and len(cell) <= _NAME else ";font-weight:normal"
        return f'<th scope="row" style="{style}{weight}">{content}</th>'
    return f'<td style="{style}">{content}</td>'


def _white_space(column: Column, cell: Cell) -> str:
    """The style that keeps spaces, only where there are some to keep: most cells are one word."""
    if isinstance(cell, Heat | Picture):
        return ""
    text = cell if isinstance(cell, str) else cell.text
    if column.align == "right" and _MAY_BREAK.search(text):
        return ";white-space:pre"
    return ";white-space:pre-wrap" if _SPACES_COUNT.search(text) else ""


def _content(cell: Cell) -> str:  # noqa: PLR0911 - one arm a cell
    match cell:
        case str():
            return _text(cell)
        case Marked():
            return f"<samp>{_marked(cell)}</samp>"
        case Heat():
            return _image(cell, _CELL_PICTURE)
        case Code():
            return f"<samp>{_code(cell)}</samp>"
        case Picture():
            return _picture(cell)
        case Bar():
            return _bar(cell)
        case Tint():
            return _text(cell.text)
        case _:
            assert_never(cell)


def _picture(picture: Picture) -> str:
    label = _text(picture.label)
    if not picture.data:
        return f"({label}: the picture is left out)"
    kind = "png" if picture.data.startswith(b"\x89PNG") else "jpeg"
    source = f"data:image/{kind};base64,{base64.b64encode(picture.data).decode('ascii')}"
    return f'<img src="{source}" alt="{label}" title="{label}" style="max-width:100%">'


def _bar(bar: Bar) -> str:
    along = f"{100 * max(0.0, min(1.0, bar.value)):.1f}%"
    style = (
        "display:inline-block;min-width:120px;padding:0 4px;background:linear-gradient("
        f"to right,{_BAR} {along},transparent {along})"
    )
    return f'<span style="{style}">{_text(bar.text)}</span>'


def _background(cell: Cell) -> str:
    if not isinstance(cell, Tint) or abs(cell.strength) < _CLEAR:
        return ""
    return f";background:{_shade(cell.strength, _ORANGE if cell.strength >= 0 else _BLUE)}"


def _shade(strength: float, colour: str) -> str:
    # half opaque at most: text on it keeps its contrast in light and in dark
    return f"rgba({colour},{0.5 * min(1.0, abs(strength)):.2f})"


def _code(code: Code) -> str:
    if code.language != "python":
        return _text(code.text, keep_newlines=True)
    pieces = ((_text(text, keep_newlines=True), style) for text, style in highlighted(code.text))
    return "".join(f'<span style="{css}">{one}</span>' if css else one for one, css in pieces)


def _marked(marked: Marked) -> str:
    pieces, marks = [], count()
    for text, span in segments(marked):
        piece = _text(text, keep_newlines=True)
        pieces.append(_span(piece, span, next(marks)) if span else piece)
    return "".join(pieces)


def _span(piece: str, span: Span, number: int) -> str:
    tint = _TINTS[number % 2] if span.strength is None else _shade(span.strength, _ORANGE)
    # of a long text most tokens are sure: a tint that nobody sees is not written
    clear = span.strength is not None and span.strength < _CLEAR
    style = "" if clear else f' style="background:{tint}"'
    title = f' title="{_text(span.label)}"' if span.label else ""
    name = f" <sub><strong>{_text(span.name)}</strong></sub>" if span.name else ""
    return f"<span{style}{title}>{piece}{name}</span>"


def _pre(content: str) -> str:
    """What goes into a ``pre``, whose first line break the parser would drop."""
    return f"\n{content}" if content.startswith("\n") else content


def _text(text: str, *, keep_newlines: bool = False) -> str:
    # str() first: a str subclass with an __html__ of its own would not be escaped
    return str(escape(str(visible(text, keep_newlines=keep_newlines))))
