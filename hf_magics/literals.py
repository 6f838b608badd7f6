"""Values written as text: a word of a line, and JSON that anybody may have written."""

from __future__ import annotations

import json
from typing import Any

_NAMED = {"true": True, "false": False, "null": None, "none": None}


def literal(text: str) -> Any:
    """Return ``true``, ``null``, numbers, lists and objects as such; everything else as text."""
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    try:
        return parsed(text)
    except ValueError:
        return text


def parsed(text: str | bytes) -> Any:
    """Return what a text in JSON says.

    Raises:
        ValueError: It is none, or nested deeper than Python reads.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
