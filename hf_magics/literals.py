"""A word of a line to the value it stands for."""

from __future__ import annotations

import json
from typing import Any

_NAMED = {"true": True, "false": False, "null": None, "none": None}


def literal(text: str) -> Any:
    """Return ``true``, ``null``, numbers, lists and objects as such; everything else as text."""
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text
