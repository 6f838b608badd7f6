"""A tensor to its summary: computed once, on the tensor's own device."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch._tensor_str import printoptions  # what torch.set_printoptions sets, for one block
from transformers.cache_utils import Cache, EncoderDecoderCache

from hf_magics.display.numbers import plural, shape

_HEAT_ROWS, _HEAT_COLUMNS = 8, 32
_EDGE = 3
_MOST_LINES = 24


@dataclass(frozen=True)
class TensorSummary:
    """A tensor in numbers.

    The statistics are over the finite values; ``std`` is torch's own, with Bessel's correction;
    they are NaN where there is nothing to compute. ``nbytes`` counts the elements. ``corner`` is
    what torch prints of it; ``heat`` has the means of blocks of the first matrix in it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    device: str
    nbytes: int
    low: float = math.nan
    high: float = math.nan
    mean: float = math.nan
    std: float = math.nan
    nans: int = 0
    infs: int = 0
    corner: str = ""
    heat: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class OtherSummary:
    """Something in an output that is no tensor: a cache by its size, a number, a text."""

    name: str
    kind: str
    words: str
    nbytes: int = 0


def summarise(name: str, tensor: torch.Tensor) -> TensorSummary:
    """Return the summary of a tensor of any shape, dtype and device."""
    basic = TensorSummary(
        name,
        tuple(tensor.shape),
        str(tensor.dtype).removeprefix("torch."),
        str(tensor.device),
        tensor.numel() * tensor.element_size(),
    )
    dense = tensor.layout == torch.strided and not tensor.is_quantized
    if tensor.numel() == 0 or tensor.is_meta or tensor.is_complex() or not dense:
        return basic
    tensor = tensor.detach()
    return replace(basic, **_statistics(tensor), corner=corner(tensor), heat=heat(tensor))


def walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf of an output with its name: ``hidden_states[2]``, ``logits``.

    Tuples, lists and mappings are entered; a cache is one leaf.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from walk(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (tuple, list)) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield from walk(inner, f"{name}[{number}]" if name else f"output[{number}]")
    elif value is not None:
        yield name or "output", value


def summaries(outputs: Any) -> tuple[TensorSummary | OtherSummary, ...]:
    """Return a summary for each leaf of an output, in order."""
    return tuple(
        summarise(name, leaf) if isinstance(leaf, torch.Tensor) else other(name, leaf)
        for name, leaf in walk(outputs)
    )


def nbytes_held(outputs: Any) -> int:
    """Return the bytes of memory that an output keeps alive: each storage once, caches included."""
    storages = {}
    for _, leaf in walk(outputs):
        for tensor in _cache_tensors(leaf) if isinstance(leaf, Cache) else [leaf]:
            if isinstance(tensor, np.ndarray):
                storages[tensor.ctypes.data] = tensor.nbytes
            elif isinstance(tensor, torch.Tensor) and not tensor.is_meta:
                storage = tensor.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def corner(tensor: torch.Tensor) -> str:
    """Return the values as torch prints them, with the corners of what is large.

    Of more than three dimensions the first entry of the outer ones is taken.
    """
    inner = tensor
    while inner.dim() > _EDGE:
        inner = inner[0]
    with printoptions(threshold=0, edgeitems=_EDGE):
        lines = str(inner).splitlines()
    if len(lines) > _MOST_LINES:
        more = plural(len(lines) - _MOST_LINES, "more line")
        lines = [*lines[:_MOST_LINES], f"… {more}"]
    prefix = "" if inner is tensor else f"[{', '.join('0' * (tensor.dim() - inner.dim()))}] = "
    return prefix + "\n".join(lines)


def heat(tensor: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    """Return the means of blocks of the first matrix, at most 8 × 32."""
    matrix = tensor
    while matrix.dim() > 2:  # noqa: PLR2004 - a matrix
        matrix = matrix[0]
    matrix = torch.atleast_2d(matrix)
    matrix = matrix if matrix.dtype == torch.float64 else matrix.float()
    rows, columns = min(_HEAT_ROWS, matrix.shape[0]), min(_HEAT_COLUMNS, matrix.shape[1])
    pooled = torch.nn.functional.adaptive_avg_pool2d(matrix[None], (rows, columns))[0]
    return tuple(tuple(row) for row in pooled.tolist())


def _statistics(tensor: torch.Tensor) -> dict[str, Any]:
    if not tensor.is_floating_point():
        values = tensor.double()
    else:
        values = tensor.float() if tensor.element_size() < _SINGLE else tensor
    low, high = (float(one) for one in torch.aminmax(values))
    if math.isfinite(low) and math.isfinite(high):
        return {"low": low, "high": high, **_moments(values)}
    nans, infs = int(values.isnan().sum()), int(values.isinf().sum())
    finite = values[values.isfinite()]
    if finite.numel() == 0:
        return {"nans": nans, "infs": infs}
    low, high = (float(one) for one in torch.aminmax(finite))
    return {"low": low, "high": high, "nans": nans, "infs": infs, **_moments(finite)}


_SINGLE = 4  # bytes of a float32; torch computes little on what is narrower
_CHUNK = 2**17  # elements whose deviations stay in a core's cache: 4 times as fast as std_mean


def _moments(values: torch.Tensor) -> dict[str, float]:
    if values.numel() == 1:
        return {"mean": float(values)}  # one value has no spread
    flat = values.reshape(-1)
    mean = float(flat.sum(dtype=torch.float64)) / flat.numel()
    return {"mean": mean, "std": math.sqrt(_squares(flat, mean) / (flat.numel() - 1))}


def _squares(flat: torch.Tensor, mean: float) -> float:
    """Return the sum of the squared deviations from the mean.

    The deviations are from the mean as the dtype can hold it; what that adds, n times the squared
    difference of the two, is taken off again.
    """
    centre = float(torch.tensor(mean, dtype=flat.dtype))
    around = sum(_dot(chunk - centre) for chunk in flat.split(_CHUNK))
    if not math.isfinite(around) and flat.dtype != torch.float64:
        return _squares(flat.double(), mean)  # deviations over 1e19: their squares overflow
    return max(0.0, around - flat.numel() * (mean - centre) ** 2)


def _dot(values: torch.Tensor) -> float:
    return float(torch.dot(values, values))


def other(name: str, leaf: Any) -> OtherSummary:
    """Return the summary of what is no tensor."""
    if not isinstance(leaf, Cache):
        return OtherSummary(name, type(leaf).__name__, str(leaf)[:200])
    tensors = [one for one in _cache_tensors(leaf) if isinstance(one, torch.Tensor)]
    nbytes = sum(one.numel() * one.element_size() for one in tensors)
    shapes = list(dict.fromkeys(shape(one.shape) for one in tensors))
    words = f"{plural(len(tensors), 'tensor')} of {', '.join(shapes[:3])}" if tensors else "empty"
    return OtherSummary(name, type(leaf).__name__, words, nbytes)


def _cache_tensors(cache: Any) -> list[Any]:
    if isinstance(cache, EncoderDecoderCache):
        return _cache_tensors(cache.self_attention_cache) + _cache_tensors(
            cache.cross_attention_cache
        )
    found = []
    for layer in getattr(cache, "layers", ()):
        found += [value for value in vars(layer).values() if isinstance(value, torch.Tensor)]
    return found
