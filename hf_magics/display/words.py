"""Small pieces of the sentences that errors and notes are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from hf_magics.display.numbers import plural

_NONE: Mapping[str, str] = MappingProxyType({})
_WIDE = 200  # characters of a text in a table
_SHORT = 2  # letters that say too little of how a word goes on


def nearest(word: str, known: Iterable[str], meant: Mapping[str, str] = _NONE) -> str:
    """Return ``"; did you mean 'bert'?"`` for a word like one that is known, else ``""``.

    ``meant`` says what words mean that are not like it: it goes before what looks alike.
    """
    names = [name for name in known if not name.startswith("_")]
    if meant.get(word.lower()) in names:
        return f"; did you mean '{meant[word.lower()]}'?"
    folded = {name.lower(): name for name in names}
    begun = [name for name in folded if len(word) > _SHORT and name.startswith(word.lower())]
    found = difflib.get_close_matches(word.lower(), begun or folded, n=1, cutoff=0.6) or begun
    return f"; did you mean '{folded[found[0]]}'?" if found else ""


def sentence_list(names: Iterable[str], most: int = 12) -> str:
    """Return ``"a, b, c and 4 more"``; ``"nothing"`` where there is none."""
    listed = list(names)
    if not listed:
        return "nothing"
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"


def shortened(text: str, most: int = _WIDE) -> str:
    """Return a text of at most so many characters, and an ellipsis where there were more."""
    return text if len(text) <= most else f"{text[:most]}…"


def left_out(count: int, shown: int) -> str:
    """Say how many rows a table leaves out, ``""`` where none."""
    return f"{plural(count - shown, 'more row')}: .df has them all" if count > shown else ""


def line_numbers(numbers: Sequence[int]) -> str:
    """Return ``"line 3"`` or ``"lines 1, 3"``."""
    return f"line{'s' if len(numbers) > 1 else ''} {sentence_list(map(str, numbers))}"


def one_line(text: object) -> str:
    """Return a message of another library as one line."""
    return " ".join(str(text).split())
