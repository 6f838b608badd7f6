"""Text in columns of a terminal, where some characters take two and some none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wcwidth import wcswidth

_NARROWEST = 12  # a text column is not wrapped below this
_WORDS = re.compile(r"\s+|\S+")
_PIECES = re.compile(r"[^./_,-]+[./_,-]*|[./_,-]+")  # paths and names break where they part
_SHORT = 24  # columns; a shorter word, number or option does not break


def breadth(text: str) -> int:
    """How many columns a line of visible text takes."""
    if text.isascii():
        return len(text)
    return wcswidth(text)


def broadest(text: str) -> int:
    """How many columns the longest line of a text takes."""
    return max(map(breadth, text.split("\n")))


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` columns; what doesn't fit in one is broken."""
    return [line for whole in text.split("\n") for line in _wrapped(whole, width)]


def fitted(natural: Sequence[int], flexible: Sequence[bool], room: int) -> list[int] | None:
    """The columns' widths after the broadest flexible ones gave way, or None if that's too wide."""
    widths = [min(width, room) if f else width for width, f in zip(natural, flexible, strict=True)]
    while sum(widths) > room:
        able = [at for at, f in enumerate(flexible) if f and widths[at] > _NARROWEST]
        if not able:
            return None
        widths[max(able, key=widths.__getitem__)] -= 1
    return widths


def _wrapped(line: str, width: int) -> list[str]:
    if breadth(line) <= width:
        return [line]
    lines = [""]
    for word in _WORDS.findall(line):
        whole = breadth(word) <= min(width, _SHORT)
        for piece in [word] if whole else _PIECES.findall(word):
            for part in _broken(piece, width):
                _add(lines, part, width)
    return [line.rstrip() for line in lines]


def _add(lines: list[str], piece: str, width: int) -> None:
    if breadth(lines[-1] + piece.rstrip()) <= width:
        lines[-1] += piece
    elif not piece.isspace():  # white space ends a line, and doesn't begin one
        lines.append(piece)


def _broken(piece: str, width: int) -> list[str]:
    if breadth(piece) <= width:
        return [piece]
    parts = [""]
    for character in piece:
        # the whole is measured: a character may widen the one before it, or join it
        if parts[-1] and breadth(parts[-1] + character) > width:
            parts.append("")
        parts[-1] += character
    return parts
