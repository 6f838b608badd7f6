"""The weights of two models, module by module."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.integrations.bitsandbytes import dequantize_bnb_weight

from hf_magics.display.numbers import shape
from hf_magics.inside.distances import Distance, distance, rounded_to
from hf_magics.modeling.weights import held


@dataclass(frozen=True)
class ModulePair:
    """A module with weights of its own, in the first model (0) and in the second (1).

    ``paths`` has ``""`` for a model that has no such module. ``distance`` is over all of its
    weights and saved buffers that both have in one shape. ``rounded_to`` is
    the narrower dtype where rounding to it is all that differs. ``remarks`` say what can't be
    compared.
    """

    paths: tuple[str, str]
    kind: str
    parameters: int
    distance: Distance = field(default_factory=Distance)
    rounded_to: str = ""
    dtypes: tuple[str, str] = ("", "")
    remarks: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Its path in the first model, or in the only one that has it."""
        return self.paths[0] or self.paths[1] or "the model itself"

    @property
    def only_in(self) -> int | None:
        """Which model alone has it: 0 or 1; None where both do."""
        return next((number for number in (0, 1) if not self.dtypes[1 - number]), None)

    @property
    def compared(self) -> bool:
        """Whether there was anything to compare."""
        return self.distance.count > 0

    @property
    def differs(self) -> bool:
        """Whether a value of it is another, or can't be compared."""
        return self.distance.differs or bool(self.remarks)

    def record(self) -> dict[str, Any]:
        """Return what stands in a row of ``.df``; NaN where nothing could be compared."""
        far = self.distance
        return {
            "module": self.module,
            "other_module": self.paths[1],
            "class": self.kind,
            "parameters": self.parameters,
            "max_abs_diff": far.largest if far.count else math.nan,
            "cosine": far.cosine,
            "relative_change": far.relative,
            "same": self.compared and far.same and not self.remarks,
            "rounded_to": self.rounded_to,
            "dtype": self.dtypes[0],
            "other_dtype": self.dtypes[1],
            "remark": "; ".join(self.remarks),
        }


@dataclass(frozen=True)
class _Holder:
    """A module and its own weights; ``tied`` are those that stand earlier in the model too."""

    path: str
    kind: str
    weights: dict[str, Any]
    tied: frozenset[str]


def pairs_of(one: Any, other: Any, names: tuple[str, str]) -> tuple[ModulePair, ...]:
    """Return each module of two models that holds weights, in the order of the first.

    Modules are the same where their paths are, but for the prefix that a head gives its base
    model; those of the second alone come last. A weight that is tied in both stands once. Memory is
    taken for one tensor at a time, where it is quantised.

    Args:
        one: A model.
        other: Another.
        names: What they are called in remarks.
    """
    first, second = _holders(one), _holders(other)
    found = [
        _pair(holder, second[key], names) if key in second else _alone(holder, 0)
        for key, holder in first.items()
    ]
    found += [_alone(holder, 1) for key, holder in second.items() if key not in first]
    return tuple(pair for pair in found if pair is not None)


def own_weights(module: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Give a module's own parameters, and its buffers that a checkpoint has."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):  # noqa: SLF001
        if tensor is not None and name not in module._non_persistent_buffers_set:  # noqa: SLF001
            yield name, tensor


def plain(tensor: Any) -> Any:
    """Return a quantised tensor's values as floats, any other as it is."""
    if hasattr(tensor, "__tensor_flatten__") or tensor.is_quantized:  # of torchao, of torch
        return tensor.dequantize()
    if hasattr(tensor, "quant_state") or hasattr(tensor, "SCB"):
        return dequantize_bnb_weight(tensor)
    return tensor


def _holders(model: Any) -> dict[str, _Holder]:
    """Return the modules with weights, by their paths without the base model's prefix."""
    seen: set[int] = set()
    found = [
        _Holder(path, type(module).__name__, weights, _tied(weights, seen))
        for path, module in model.named_modules()
        if (weights := dict(own_weights(module)))
    ]
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    short = {one.path.removeprefix(prefix): one for one in found}
    return short if len(short) == len(found) else {one.path: one for one in found}


def _tied(weights: dict[str, Any], seen: set[int]) -> frozenset[str]:
    tied = frozenset(name for name, tensor in weights.items() if id(tensor) in seen)
    seen |= {id(tensor) for tensor in weights.values()}
    return tied


def _alone(holder: _Holder, number: int) -> ModulePair:
    dtypes, paths = ["", ""], ["", ""]
    dtypes[number], paths[number] = _dtypes(holder.weights), holder.path
    parameters = sum(held(one) for one in holder.weights.values())
    return ModulePair((paths[0], paths[1]), holder.kind, parameters, dtypes=(dtypes[0], dtypes[1]))


def _pair(one: _Holder, other: _Holder, names: tuple[str, str]) -> ModulePair | None:
    left = [
        name
        for name in dict.fromkeys([*one.weights, *other.weights])
        if name not in one.tied & other.tied
    ]
    found = [_weight(name, one, other, names) for name in left]
    if not found:
        return None
    far = sum((each.distance for each in found), Distance())
    remarks = tuple(each.remark for each in found if each.remark)
    rounded = {each.rounded_to for each in found if each.distance.differs}
    kinds = dict.fromkeys((one.kind, other.kind))
    return ModulePair(
        (one.path, other.path),
        " | ".join(kinds),
        sum(held(one.weights[name]) for name in left if name in one.weights),
        far,
        rounded.pop() if len(rounded) == 1 and not remarks else "",
        (_dtypes(one.weights), _dtypes(other.weights)),
        remarks,
    )


@dataclass(frozen=True)
class _Weight:
    distance: Distance = field(default_factory=Distance)
    rounded_to: str = ""
    remark: str = ""


def _weight(name: str, one: _Holder, other: _Holder, names: tuple[str, str]) -> _Weight:
    if name not in one.weights or name not in other.weights:
        return _Weight(remark=f"{name} only in {names[name in other.weights]}")
    a, b = plain(one.weights[name]), plain(other.weights[name])
    if refused := _can_not(name, a, b):
        return _Weight(remark=refused)
    apart = distance(a, b)
    return _Weight(apart, rounded_to(a, b) if apart.differs else "")


def _can_not(name: str, one: torch.Tensor, other: torch.Tensor) -> str:
    """Say why two weights can't be compared."""
    if one.shape != other.shape:
        return f"{name} is {shape(one.shape)} and {shape(other.shape)}"
    return f"{name} has no values here" if one.is_meta or other.is_meta else ""


def _dtypes(weights: dict[str, Any]) -> str:
    said = {_dtype(tensor): None for tensor in weights.values()}
    return ", ".join(said)


def _dtype(tensor: Any) -> str:
    quantised = hasattr(tensor, "__tensor_flatten__") or getattr(tensor, "quant_state", None)
    return str(tensor.dtype).removeprefix("torch.") + (", quantised" if quantised else "")
