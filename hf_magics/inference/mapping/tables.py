"""A finished window as a table: a row an input, whether it has an answer or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hf_magics.inference.mapping.sources import Window

Table = dict[str, Any]
"""A column by name: a list, or an array of the shape (rows, dimensions)."""


def table_of(
    window: Window,
    same: Mapping[int, int],
    column: str,
    found: Mapping[int, Mapping[str, Any]],
    errors: Mapping[int, str],
) -> Table:
    """Return the window's table: rows of errors have no answer, equal texts have the same."""
    count = len(window.rows)
    of = [same.get(row, row) for row in range(count)]
    table: Table = {
        "row": list(range(window.start, window.start + count)),
        column: [_shown(value) for value in window.rows],
    }
    for name in {name: None for values in found.values() for name in values}:
        free = f"{name}_" if name in table else name
        table[free] = _column([found.get(place, {}).get(name) for place in of])
    table["error"] = [errors.get(place) for place in of]
    return table


def _column(values: list[Any]) -> Any:
    """Return vectors as one array, NaN where there is none; other values as they are."""
    width = next((one.shape for one in values if isinstance(one, np.ndarray)), None)
    if width is None:
        return [_listed(one) for one in values]
    nothing = np.full(width, np.nan, dtype=np.float32)
    return np.stack([nothing if one is None else one for one in values]).astype(np.float32)


def _listed(value: Any) -> Any:
    """Return tuples as the lists that a file gives back."""
    return [_listed(one) for one in value] if isinstance(value, (list, tuple)) else value


def _shown(value: Any) -> Any:
    """Return an input as a file can have it: a text, token IDs, the name of a thing."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    return list(value) if isinstance(value, (list, tuple)) else str(value)
