"""Lengths to batches under a token budget, and the order back. Knows no tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from hf_magics.errors import FitError

T = TypeVar("T")
Batch = tuple[int, ...]
"""Row numbers, the longest row first."""


def plan_batches(lengths: Sequence[int], budget: int, *, mixed: bool = True) -> list[Batch]:
    """Return batches of at most ``budget`` tokens, padding included, of rows about as long.

    The longest come first, so that what does not fit shows at once. Where a batch is half full and
    the next row is shorter, it ends: rows of one length need no padding and no mask.

    Args:
        lengths: Tokens of each row.
        budget: Tokens of a batch at most; a row that is longer by itself is a batch of its own.
        mixed: False for a model that reads padding: rows of one length only go together.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[Batch] = []
    begin = 0
    for at in range(1, len(order) + 1):
        alike = at < len(order) and lengths[order[at]] == lengths[order[begin]]
        ends = at == len(order) or not (mixed or alike)
        if ends or _is_full(lengths, order, begin, at, budget):
            batches.append(tuple(order[begin:at]))
            begin = at
    return batches


def _is_full(
    lengths: Sequence[int], order: Sequence[int], begin: int, at: int, budget: int
) -> bool:
    """Say whether the rows from ``begin`` on are a batch without the row at ``at``."""
    width, count = lengths[order[begin]], at - begin
    if width * (count + 1) > budget:
        return True
    is_one_length = width == lengths[order[at - 1]] != lengths[order[at]]
    return is_one_length and 2 * width * count >= budget


def halving(
    rows: Batch, run: Callable[[Batch], T], on_split: Callable[[Batch], None] | None = None
) -> Iterator[tuple[Batch, T]]:
    """Yield what ``run`` gives for the rows, in halves where the device has no room for them all.

    Args:
        rows: A batch.
        run: What is done with a batch or a part of it.
        on_split: Told of each batch that was too large.

    Raises:
        FitError: There is no room for one row by itself.
    """
    try:
        found = run(rows)
    except FitError:
        if len(rows) == 1:
            raise
    else:
        yield rows, found
        return
    # outside of the handler: the traceback holds the tensors that had no room
    if on_split is not None:
        on_split(rows)
    middle = (len(rows) + 1) // 2
    for half in (rows[:middle], rows[middle:]):
        yield from halving(half, run, on_split)
