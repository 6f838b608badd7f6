"""A text, or two that a tab parts."""

from __future__ import annotations


class OneText(str):
    """A text that no tab parts: a row of a column, where a pair is two values."""

    __slots__ = ()


def split_pair(text: str) -> tuple[str, ...]:
    """Return a text, or the two texts that its first tab parts."""
    if isinstance(text, OneText):
        return (text,)
    first, tab, second = text.partition("\t")
    return (first, second) if tab else (first,)
