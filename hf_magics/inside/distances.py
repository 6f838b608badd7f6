"""How far the values of two tensors are apart: a stretch of both at a time, in single precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

_ON_CPU, _ON_GPU = 2**17, 2**24  # elements of a stretch: what a core's cache holds, and a launch
_EXACT = (torch.float64, torch.int64, torch.int32)  # what single precision would round
# the numbers with as many bytes as a value has: compared five times as fast as byte by byte
_WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Distance:
    """How far ``count`` values of one tensor are from those of another of its shape.

    ``largest`` is the largest absolute difference, NaN where one holds NaN or both the same
    infinity. The others are sums of squares: of the differences, and of the values of each.
    ``same`` says that they have one dtype and are the same bit by bit.
    """

    count: int = 0
    largest: float = 0.0
    moved: float = 0.0
    one: float = 0.0
    other: float = 0.0
    same: bool = True

    def __add__(self, more: Distance) -> Distance:
        return Distance(
            self.count + more.count,
            _larger(self.largest, more.largest),
            self.moved + more.moved,
            self.one + more.one,
            self.other + more.other,
            self.same and more.same,
        )

    @property
    def differs(self) -> bool:
        """Whether any value is another; a NaN at the same place of both is the same."""
        return not self.same and self.largest != 0.0

    @property
    def cosine(self) -> float:
        """The cosine of the angle between all values of the one and all of the other.

        1 where no value differs, also between zeros; 0 where only one is zero; NaN of no values.
        It is ``1 - (‖Δ‖² - (‖a‖ - ‖b‖)²) / 2 ‖a‖ ‖b‖``, which does not lose the last digits of
        what is nearly 1 as ``a · b / ‖a‖ ‖b‖`` does.
        """
        if not self.differs:
            return 1.0 if self.count else math.nan
        lengths = math.sqrt(self.one), math.sqrt(self.other)
        product = lengths[0] * lengths[1]
        if product == 0.0:
            return 0.0
        found = 1 - (self.moved - (lengths[0] - lengths[1]) ** 2) / (2 * product)
        return found if math.isnan(found) else max(-1.0, min(1.0, found))

    @property
    def relative(self) -> float:
        """The length of the difference as a part of that of the first: ``‖Δ‖ / ‖a‖``."""
        if not self.differs:
            return 0.0 if self.count else math.nan
        return math.sqrt(self.moved / self.one) if self.one else math.inf


def distance(one: torch.Tensor, other: torch.Tensor) -> Distance:
    """Return how far two tensors of one shape are apart; they may be on different devices.

    The stretches of the second are brought to the device of the first. Values are compared in
    float32, in float64 where either is wider, or where squares overflow.
    """
    exact = one.dtype in _EXACT or other.dtype in _EXACT
    found = _distance(one, other, torch.float64 if exact else torch.float32)
    overflows = math.isfinite(found.largest) and not math.isfinite(found.one + found.other)
    return _distance(one.cpu(), other.cpu(), torch.float64) if overflows else found


def rounded_to(one: torch.Tensor, other: torch.Tensor) -> str:
    """Return the dtype of the one with fewer bits where it is the other, rounded; else ``""``."""
    if not (one.is_floating_point() and other.is_floating_point()):
        return ""
    wide, narrow = sorted((one.detach(), other.detach()), key=lambda tensor: -tensor.itemsize)
    if wide.itemsize == narrow.itemsize:
        return ""
    stretches = _stretches(wide.reshape(-1), narrow.reshape(-1))
    is_it = all(torch.equal(a.to(narrow.dtype), b) for a, b in stretches)
    return str(narrow.dtype).removeprefix("torch.") if is_it else ""


def _distance(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype) -> Distance:
    same = one.dtype == other.dtype
    largest, moved, first, second = 0.0, 0.0, 0.0, 0.0
    for a, b in _stretches(one.detach().reshape(-1), other.detach().reshape(-1)):
        alike = one.dtype == other.dtype and _same_bits(a, b)
        same = same and alike
        sums = _sums(a.to(dtype), None if alike else b.to(dtype))
        largest = _larger(largest, sums[0])
        moved, first, second = moved + sums[1], first + sums[2], second + sums[3]
    return Distance(one.numel(), largest, moved, first, second, same)


def _sums(one: torch.Tensor, other: torch.Tensor | None) -> list[float]:
    """Return the largest difference and the three sums of squares; None for the same once more."""
    squares = torch.dot(one, one)
    if other is None:
        value = float(squares)
        return [0.0, 0.0, value, value]
    delta = other - one
    found = (delta.abs().max(), torch.dot(delta, delta), squares, torch.dot(other, other))
    return [float(value) for value in torch.stack(found)]


def _stretches(one: torch.Tensor, other: torch.Tensor) -> Iterator[tuple[Any, Any]]:
    size = _ON_CPU if one.device.type == "cpu" else _ON_GPU
    for a, b in zip(one.split(size), other.split(size), strict=True):
        if a.numel():
            yield a, b.to(one.device)


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Compare bit by bit: NaN equals NaN, -0.0 does not equal 0.0."""
    whole = _WHOLE.get(one.itemsize, torch.uint8)
    return torch.equal(one.view(whole), other.view(whole))


def _larger(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)
