"""The values of a heat map: how many are drawn, and where each stands on its scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hf_magics.display.numbers import shape
from hf_magics.display.parts import Heat

Rows = tuple[tuple[float, ...], ...]


def diverges(heat: Heat) -> bool:
    """Whether the scale runs both ways from zero."""
    return heat.low < 0 < heat.high


def has_gaps(heat: Heat) -> bool:
    """Whether a number is missing anywhere."""
    return any(math.isnan(value) for row in heat.values for value in row)


def ends(heat: Heat) -> tuple[float, float]:
    """The values at the ends of the scale as drawn: a diverging one reaches as far both ways."""
    farthest = max(-heat.low, heat.high)
    return (-farthest, farthest) if diverges(heat) else (heat.low, heat.high)


def position(heat: Heat, value: float) -> float:
    """Where a value stands between the ends of the scale, from 0 to 1; NaN stays NaN."""
    if math.isnan(value):
        return value
    low, high = ends(heat)
    # where all values are one, the middle of the scale says neither low nor high
    return max(0.0, min(1.0, (value - low) / (high - low))) if high > low else 0.5


def reduced(heat: Heat, most_rows: int, most_columns: int) -> Heat:
    """The same picture with at most so many rows and columns, each value the mean of a block.

    A NaN makes its whole block NaN: it must not be averaged away. The label says what was done.
    """
    rows, columns = len(heat.values), max(map(len, heat.values), default=0)
    if rows <= most_rows and columns <= most_columns:
        return heat
    tall, wide = -(-rows // most_rows), -(-columns // most_columns)
    label = f"{heat.label} (means of up to {shape((tall, wide))} values)".lstrip()
    return replace(heat, values=_means(heat.values, tall, wide), label=label)


def _means(values: Rows, tall: int, wide: int) -> Rows:
    bands = (values[start : start + tall] for start in range(0, len(values), tall))
    return tuple(_mean_row(band, wide) for band in bands)


def _mean_row(band: Rows, wide: int) -> tuple[float, ...]:
    columns = range(0, max(map(len, band)), wide)
    return tuple(_mean([v for row in band for v in row[at : at + wide]]) for at in columns)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
