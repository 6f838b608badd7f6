"""Marked texts on the pages of tasks that answer in place."""

from __future__ import annotations

from collections.abc import Sequence

from hf_magics.display.numbers import plural
from hf_magics.display.parts import Column, Marked, Part, Table


def marked_lines(lines: Sequence[Marked], most: int) -> Part:
    """Return one text as it is, and several in a table with their numbers, at most so many."""
    if len(lines) == 1:
        return lines[0]
    rows = tuple((str(at), line) for at, line in enumerate(lines[:most], 1))
    hidden = len(lines) - len(rows)
    left = f"{plural(hidden, 'more line')}: .values has them all" if hidden else ""
    return Table((Column("line", "right"), Column("text")), rows, "", left)
