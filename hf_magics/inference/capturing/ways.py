"""What is kept of a tensor: all of it, or one vector a row; each as a function and as code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hf_magics.inference.capturing.scopes import Span

_ROWS_AND_FEATURES, _TOKENS, _HEADS = 2, 3, 4  # dimensions of a tensor


@dataclass(frozen=True)
class Way:
    """How one tensor is kept.

    ``dim`` is the dimension of the tokens and ``dims`` how many there are, once ``first`` was
    called: ``unflatten`` where rows and tokens are one dimension, ``expand`` where one row stands
    for all; there are ``rows`` of ``width`` tokens then. ``padded`` says that some are padding.
    """

    keep: str = "all"
    dim: int = 1
    dims: int = _TOKENS
    first: str = ""
    padded: bool = False
    double: bool = False
    rows: int = 0
    width: int = 0

    def kept(self, states: torch.Tensor, span: Span) -> torch.Tensor:
        """Return what is kept: ``states`` for ``all``, else without the dimension of the tokens.

        It is a tensor of its own: a module further on may write into what it is given.
        """
        if self.keep == "all":
            return states.detach().clone()
        states = states.detach()
        if self.first:
            states = getattr(states, self.first)(*self._sizes())
        mask = span.mask
        if self.keep == "last":
            return self._last(states, mask)
        states = states if self.double else states.float()
        if mask is None:
            return states.mean(dim=self.dim)
        mask = mask.to(states.device)
        hidden = ~mask[self._at(mask=True)]
        total = states.masked_fill(hidden, 0).sum(dim=self.dim)  # padding may hold NaN
        return total / mask.sum(dim=1)[self._at(mask=False)]

    def lines(self, mask: str) -> list[str]:
        """Return the same as lines of code, with the expression of the mask, from ``states`` on."""
        if self.keep == "all":
            return ["return states.clone()"]
        lines = [f"mask = {mask}.bool()"] if self.padded else []
        if self.first:
            lines.append(f"states = states.{self.first}({', '.join(map(str, self._sizes()))})")
        return [*lines, *(self._last_lines() if self.keep == "last" else self._mean_lines())]

    def _sizes(self) -> tuple[Any, ...]:
        """Return the arguments of ``first``."""
        if self.first == "unflatten":
            return (0, (self.rows, self.width))
        return (self.rows, *[-1] * (self.dims - 1))

    def _last(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        if mask is None:
            return states.select(self.dim, -1).clone()
        mask = mask.to(states.device)
        rows = torch.arange(len(mask), device=mask.device)
        return states.movedim(self.dim, 1)[rows, mask.cumsum(dim=1).argmax(dim=1)]

    def _last_lines(self) -> list[str]:
        if not self.padded:
            return [f"return states.select({self.dim}, -1).clone()"]
        moved = "" if self.dim == 1 else f".movedim({self.dim}, 1)"
        return [
            "last = mask.cumsum(dim=1).argmax(dim=1)  # the last token that is no padding",
            f"return states{moved}[torch.arange(len(mask)), last]",
        ]

    def _mean_lines(self) -> list[str]:
        states = "states" if self.double else "states.float()"
        if not self.padded:
            return [f"return {states}.mean(dim={self.dim})"]
        hidden, each = (_written(self._at(mask=one)) for one in (True, False))
        return [
            f"total = {states}.masked_fill(~mask[{hidden}], 0).sum(dim={self.dim})",
            f"return total / mask.sum(dim=1)[{each}]",
        ]

    def _at(self, *, mask: bool) -> tuple[slice | None, ...]:
        """Return the index that puts a mask, or a number a row, beside the dimensions of states."""
        if mask:
            return tuple(slice(None) if one in (0, self.dim) else None for one in range(self.dims))
        return (slice(None), *[None] * (self.dims - 2))


def way_of(keep: str, module: nn.Module, states: torch.Tensor, span: Span) -> Way | None:
    """Return how a tensor of these tokens is kept, None where it has no dimension of them."""
    if not states.is_floating_point() or not span.readable:
        return None
    shape, first = tuple(states.shape), ""
    if len(shape) == _ROWS_AND_FEATURES and span.width > 1 and shape[0] == span.rows * span.width:
        shape, first = (span.rows, span.width, shape[1]), "unflatten"
    elif len(shape) >= _TOKENS and shape[0] == 1 < span.rows:
        first = "expand"
    elif len(shape) < _TOKENS or shape[0] != (span.rows or shape[0]):
        return None
    dim = _token_dim(shape, module, span)
    if not dim:
        return None
    double, padded = states.dtype == torch.float64, span.mask is not None
    sizes = (span.rows, span.width) if first else (0, 0)
    return Way(keep, dim, len(shape), first, padded, double, *sizes)


def _token_dim(shape: tuple[int, ...], module: nn.Module, span: Span) -> int:
    """Return the dimension of the tokens, 0 where none is, or two could be.

    Of attention there are rows, heads, queries and keys: the queries count.
    """
    channels_first = isinstance(module, (nn.Conv1d, nn.BatchNorm1d))
    if not span.width:  # of a picture or sound the inputs don't say how many there are
        is_plain = len(shape) == _TOKENS and not channels_first
        return int(is_plain and shape[2] in span.sizes)
    if channels_first:
        return 2 * int(shape[-1] == span.width)
    if len(shape) == _HEADS and shape[2] == shape[3] == span.width:
        return 2
    found = [dim for dim in range(1, len(shape) - 1) if shape[dim] == span.width]
    return found[0] if len(found) == 1 else 0


def _written(index: tuple[slice | None, ...]) -> str:
    return ", ".join("None" if one is None else ":" for one in index)
