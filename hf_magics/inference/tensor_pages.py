"""Tensors on a page: a row each, their values folded, and what in them is not finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hf_magics.display.numbers import number, plural, shape, size
from hf_magics.display.parts import Cell, Code, Column, Fold, Heat, Part, Table
from hf_magics.inference.tensors import OtherSummary, TensorSummary

_COLUMNS = (
    Column("tensor", mono=True),
    Column("shape", "right"),
    Column("dtype", mono=True),
    Column("device", mono=True),
    Column("min", "right"),
    Column("max", "right"),
    Column("mean", "right"),
    Column("std", "right"),
    Column("NaN", "right"),
    Column("Inf", "right"),
    Column("picture"),
)
_MOST_CORNERS = 12
_AT_A_GLANCE = 16  # numbers


def tensor_table(
    tensors: Sequence[TensorSummary], most: int, caption: str, more: str, total: int = 0
) -> Table:
    """Return a row a tensor, of at most so many.

    Args:
        tensors: The first of them at least.
        most: How many are shown.
        caption: What they are.
        more: What has those that are not shown, such as ``.df has them all``.
        total: How many there are, where only the first were summarised.
    """
    rows = tuple(_row(one) for one in tensors[:most])
    hidden = max(total, len(tensors)) - len(rows)
    left_out = f"{plural(hidden, 'more tensor')}: {more}" if hidden > 0 else ""
    return Table(_COLUMNS, rows, caption, left_out)


def others_table(others: Sequence[OtherSummary], caption: str) -> Table:
    """Return a row for each thing that is no tensor."""
    columns = (
        Column("output", mono=True),
        Column("kind", mono=True),
        Column("what"),
        Column("size", "right"),
    )
    rows = tuple(
        (one.name, one.kind, one.words, size(one.nbytes) if one.nbytes else "–") for one in others
    )
    return Table(columns, rows, caption)


def corners(tensors: Sequence[TensorSummary]) -> tuple[Part, ...]:
    """Return what torch prints of each of the first tensors; folded, where that is much."""
    shown = [one for one in tensors if one.corner][:_MOST_CORNERS]
    parts: list[Part] = [Code(f"# {one.name}\n{one.corner}", "python") for one in shown]
    if sum(math.prod(one.shape) for one in tensors) <= _AT_A_GLANCE:
        return tuple(parts)
    which = "" if len(shown) == len(tensors) else f" of the first {len(shown)}"
    return (Fold(f"Values{which} as torch prints them", tuple(parts)),)


def not_finite(one: TensorSummary) -> str:
    """Say how much NaN and Inf a tensor holds."""
    found = [f"{count:,} {name}" for count, name in ((one.nans, "NaN"), (one.infs, "Inf")) if count]
    return f"{one.name} holds {' and '.join(found)}: its statistics are over the finite values"


def record(one: TensorSummary) -> dict[str, Any]:
    """Return a tensor's numbers as a row of data."""
    row = asdict(one)
    del row["heat"]
    return {"tensor": row.pop("name"), "min": row.pop("low"), "max": row.pop("high"), **row}


def _row(one: TensorSummary) -> tuple[Cell, ...]:
    extremes = (_extreme(one, value) for value in (one.low, one.high))
    picture: Cell = ""
    if one.heat and not math.isnan(one.low):
        values = [value for row in one.heat for value in row if not math.isnan(value)]
        scale = (min(values, default=0.0), max(values, default=0.0))
        told = f"from {number(scale[0])} to {number(scale[1])}"
        label = f"means of blocks of {_first_matrix(one)}, {told}"
        picture = Heat(one.heat, *scale, label)
    return (
        one.name,
        shape(one.shape),
        one.dtype,
        one.device,
        *extremes,
        *(_statistic(value) for value in (one.mean, one.std)),
        f"{one.nans:,}",
        f"{one.infs:,}",
        picture,
    )


def _statistic(value: float) -> str:
    return "–" if math.isnan(value) else number(value)


def _extreme(one: TensorSummary, value: float) -> str:
    """Return the least or largest value: of whole numbers, such as IDs, as the one that it is."""
    whole = one.dtype.startswith(("int", "uint", "bool")) and math.isfinite(value)
    return f"{value:.0f}" if whole else _statistic(value)


def _first_matrix(one: TensorSummary) -> str:
    outer = len(one.shape) - 2
    return one.name + (f"[{', '.join('0' * outer)}]" if outer > 0 else "")
