"""The outputs of several batches as those of one, in the order of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hf_magics.inference.batching import Batch
from hf_magics.inference.tensors import walk


class Merger:
    """Puts the outputs of batches together, as one batch of all rows would give them.

    Which dimensions are those of the tokens shows in batches of different widths: there the sizes
    differ. What a narrower batch does not have is zero.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Batch, Any]] = []

    def takes(self, outputs: Any) -> bool:
        """Say whether these outputs have the tensors that those before them had."""
        return not self._parts or _outline(outputs) == _outline(self._parts[0][1])

    def add(self, rows: Batch, outputs: Any) -> None:
        """Take the outputs for these rows."""
        self._parts.append((rows, outputs))

    def merged(self) -> Any:
        """Return one output of the model's own class."""
        rows = [rows for rows, _ in self._parts]
        return _joined([outputs for _, outputs in self._parts], rows)


def can_merge(outputs: Any, rows: int) -> bool:
    """Say whether an output has only tensors of a row each, such as no loss and no cache."""
    if isinstance(outputs, torch.Tensor):
        return outputs.dim() > 0 and outputs.shape[0] == rows
    if isinstance(outputs, Mapping):
        return all(can_merge(one, rows) for one in outputs.values())
    if isinstance(outputs, (tuple, list)):
        return all(can_merge(one, rows) for one in outputs)
    return outputs is None


def _outline(outputs: Any) -> list[tuple[str, int]]:
    return [(name, leaf.dim()) for name, leaf in walk(outputs)]


def _joined(parts: Sequence[Any], rows: Sequence[Batch]) -> Any:
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return _stacked(parts, rows)
    if isinstance(first, Mapping):
        named = {name: _joined([one[name] for one in parts], rows) for name in first}
        return type(first)(**named)
    if isinstance(first, (tuple, list)):
        return type(first)(_joined([one[at] for one in parts], rows) for at in range(len(first)))
    return None


def _stacked(parts: Sequence[torch.Tensor], rows: Sequence[Batch]) -> torch.Tensor:
    """Return the tensors' rows in their places, padded with zeros where sizes differ."""
    sizes = [max(sizes) for sizes in zip(*(one.shape[1:] for one in parts), strict=True)]
    whole = parts[0].new_zeros((sum(map(len, rows)), *sizes))
    for places, part in zip(rows, parts, strict=True):
        inner = tuple(slice(size) for size in part.shape[1:])
        index = torch.tensor(places, device=whole.device)
        whole[(slice(None), *inner)].index_copy_(0, index, part)
    return whole
