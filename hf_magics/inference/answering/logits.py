"""The logits of a head with few labels: the numbers that the probabilities are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hf_magics.display.numbers import number
from hf_magics.display.parts import Column, Fold, Part, Table
from hf_magics.display.words import left_out, shortened

_MOST_LABELS = 12  # a table of more is no longer read
# characters of a line, which is whole above: with more, a terminal has no room for the labels
_NAME = 40


def logits_parts(
    labels: Sequence[str], lines: Sequence[str], logits: torch.Tensor, function: str, most: int
) -> tuple[Part, ...]:
    """Return a folded table with the logit of each label in each line; none for many labels.

    Args:
        labels: The names of the labels.
        lines: The names of the lines.
        logits: Of the shape (lines, labels).
        function: What makes probabilities of them: ``softmax`` or ``sigmoid``.
        most: How many lines are shown.
    """
    if len(labels) > _MOST_LABELS:
        return ()
    columns = (Column("line"), *(Column(one, "right") for one in labels))
    rows = tuple(
        (shortened(line, _NAME), *map(number, row))
        for line, row in zip(lines[:most], logits[:most].tolist(), strict=True)
    )
    table = Table(columns, rows, left_out=left_out(len(lines), most), matrix=True)
    return (Fold(f"Logits: {function} makes the probabilities of them", (table,)),)
