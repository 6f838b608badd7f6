"""Eager attention for the length of a block: the one implementation that gives its weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

EAGER = "eager"


@contextlib.contextmanager
def eager_attention(model: Any) -> Iterator[str]:
    """Switch a model to eager attention, and back to what each of its parts had.

    Yields what the model had, ``""`` where it was eager already, or is none that can be switched.
    """
    before = _implementations(model.config)
    if not hasattr(model, "set_attn_implementation") or _all_eager(before):
        yield ""
        return
    try:
        model.set_attn_implementation(EAGER)
        yield str(model_wide(before))
    finally:
        model.set_attn_implementation(before)


def model_wide(implementations: Any) -> Any:
    """Return the implementation of the model itself, of those that its parts have."""
    return implementations[""] if isinstance(implementations, dict) else implementations


def _implementations(config: Any) -> Any:
    """Return what a config has, by its parts' names as ``set_attn_implementation`` takes them."""
    own = getattr(config, "_attn_implementation", None)
    parts = {
        name: _implementations(part)
        for name in getattr(config, "sub_configs", {})
        if (part := getattr(config, name, None)) is not None
    }
    return {"": own, **parts} if parts else own


def _all_eager(implementations: Any) -> bool:
    if isinstance(implementations, dict):
        return all(map(_all_eager, implementations.values()))
    return implementations in {EAGER, None}
