"""Linear layers on a CPU, computed with weights that are packed for its caches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from hf_magics.modeling.placement import available
from hf_magics.modeling.store import LoadedModel

_KERNELS = {"AVX2", "AVX512"}
_ROOM = 4  # the packed weights may take this part of the memory that is free
_KINDS: dict[type, Callable[[Any], torch.Tensor]] = {
    nn.Linear: lambda layer: layer.weight,
    Conv1D: lambda layer: layer.weight.t().contiguous(),
}
"""Layers that multiply by a matrix, and that matrix with a row for each output."""


def can_pack(loaded: LoadedModel) -> bool:
    """Say whether torch is faster with a model's weights packed, and there is memory for them.

    oneDNN's matrix products on an x86 CPU; torch's own calls MKL with the weights as they lie.
    """
    if loaded.runner is not None:  # another engine computes
        return False
    has_kernels = torch.backends.cpu.get_cpu_capability() in _KERNELS
    if not has_kernels or not torch.backends.mkldnn.is_available():
        return False
    weights = {id(one.weight): one.weight for one in _layers(loaded.model)}.values()
    nbytes = sum(one.numel() * one.element_size() for one in weights)
    return bool(0 < nbytes * _ROOM < available(torch.device("cpu")))


@contextlib.contextmanager
def packed(
    model: Any, *, wanted: bool = True, most: Callable[[], int] = lambda: _MOST
) -> Iterator[None]:
    """Run the block with a second, packed copy of the weights of each linear layer in float32.

    The outputs are the same but for rounding. The copies are not kept: weights may change later.

    Args:
        model: A torch model; those parts of it that can't be packed are left as they are.
        wanted: False to do nothing.
        most: Returns how many tokens a batch has at most.
    """
    layers = list(_layers(model)) if wanted else []
    copies: dict[int, torch.Tensor] = {}
    try:
        for layer in layers:
            key = id(layer.weight)  # tied weights are packed once
            if key not in copies:
                with torch.no_grad():
                    copies[key] = _pack(_KINDS[type(layer)](layer).detach())
            layer.forward = _Packed(layer, copies[key], most)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


class _Packed:
    """The forward pass of a layer with its weights packed."""

    def __init__(self, layer: Any, weight: torch.Tensor, most: Callable[[], int]) -> None:
        self._layer = layer
        self._weight = weight
        self._most = most

    def __call__(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - as torch calls it
        """Return what the layer gives; its own way where this one can't be gone."""
        if input.dtype != torch.float32 or not input.numel() or torch.is_grad_enabled():
            return type(self._layer).forward(self._layer, input)  # type: ignore[no-any-return]
        rows = input.reshape(-1, input.shape[-1])
        short = -len(rows) % _step(self._most())
        padded = torch.cat((rows, rows.new_zeros(short, rows.shape[-1]))) if short else rows
        multiply = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - what torch.compile calls
        found = multiply(padded, self._weight, self._layer.bias, "none", [], "")
        return found[: len(rows)].reshape(*input.shape[:-1], -1)  # type: ignore[no-any-return]


def _layers(model: Any) -> Iterator[Any]:
    """Yield the layers that can be packed: plain, in float32, on the CPU, with no other forward."""
    for one in model.modules():
        if type(one) not in _KINDS or "forward" in vars(one):
            continue
        weight = one.weight
        is_plain = type(weight) is nn.Parameter and weight.dtype == torch.float32
        if is_plain and weight.device.type == "cpu" and weight.numel():
            yield one


def _pack(weight: torch.Tensor) -> torch.Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)  # type: ignore[no-any-return]  # noqa: SLF001


_ROWS = 1_024  # tokens that the layout is chosen for; it serves any number


def _step(most: int) -> int:
    """Return what numbers of rows are filled up to a multiple of: some 16 of them are left.

    oneDNN compiles a kernel for each number of rows that it meets and keeps it, half a megabyte for
    each shape of a layer.
    """
    return max(_LEAST, most // 16)


_LEAST = 32
_MOST = 1_024
