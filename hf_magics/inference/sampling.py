"""A tensor of any kind and size to summaries, in bounded time: of very large ones a sample."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch

from hf_magics.inference.tensors import TensorSummary, corner, summarise

MOST_VALUES = 2**25  # a second, or less, on two cores
_SAMPLE = 2**22


def summaries_of(
    name: str, tensor: torch.Tensor, most: int = MOST_VALUES
) -> tuple[TensorSummary, ...]:
    """Return a summary of a tensor, and of the parts that have numbers where it has none itself.

    A complex one has a real and an imaginary part, a sparse one the values that it stores, a
    quantized one those that it stands for.

    Args:
        name: What it is called.
        tensor: A tensor; its values are left where they are.
        most: The most values that all count; of more the statistics are those of a sample.
    """
    tensor = tensor.detach()
    has_views = tensor.layout == torch.strided and not tensor.is_meta
    small = sample(tensor, min(most, _SAMPLE)) if has_views and tensor.numel() > most else tensor
    whole = dataclasses.replace(
        summarise(name, small),
        shape=tuple(tensor.shape),
        nbytes=tensor.numel() * tensor.element_size(),
        corner="" if tensor.is_meta else corner(small if _is_costly(tensor) else tensor),
    )
    parts = [one for part in _parts(name, small) for one in summaries_of(*part, most)]
    if has_views:  # there is a number in each for each of the whole
        parts = [dataclasses.replace(one, shape=whole.shape) for one in parts]
    return (whole, *parts)


def is_sampled(one: TensorSummary, most: int = MOST_VALUES) -> bool:
    """Say whether the numbers are those of a sample."""
    return math.prod(one.shape) > most and not (math.isnan(one.low) and one.nans == one.infs == 0)


def sample(tensor: torch.Tensor, most: int) -> torch.Tensor:
    """Return at most so many values, evenly spaced in each dimension: a view, nothing is copied."""
    while tensor.numel() > most:
        longest = max(range(tensor.dim()), key=lambda one: tensor.shape[one])
        step = min(-(-tensor.numel() // most), -(-tensor.shape[longest] // _FEWEST) or 1)
        tensor = tensor[(slice(None),) * longest + (slice(None, None, max(2, step)),)]
    return tensor


_FEWEST = 64  # of the longest dimension are left before the next is thinned


def _parts(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    if tensor.is_meta or not tensor.numel():
        return
    if tensor.layout == torch.sparse_coo:
        yield f"{name}.values()", tensor._values()  # noqa: SLF001 - values() needs them in order
    elif tensor.layout != torch.strided:
        yield f"{name}.values()", tensor.values()
    elif tensor.is_complex():
        yield from ((f"{name}.real", tensor.real), (f"{name}.imag", tensor.imag))
    elif tensor.is_quantized:
        yield f"{name}.dequantize()", tensor.dequantize()


def _is_costly(tensor: torch.Tensor) -> bool:
    """Say whether torch converts all of it to print its corners."""
    is_float8 = tensor.is_floating_point() and tensor.element_size() == 1
    return tensor.is_quantized or is_float8
