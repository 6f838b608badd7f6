"""The modules of a model as rows: what each is, what it holds, and what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from hf_magics.modeling.weights import held


@dataclass(frozen=True)
class Weight:
    """A parameter of a module; ``tied_to`` is the path of the one that it is, ``""`` if none."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    tied_to: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class ModuleRow:
    """A module.

    ``path`` is empty for the model itself. ``own`` counts the parameters that it holds itself and
    ``parameters`` those below it too; a tied one counts once, where it stands first. ``says`` is
    what the module says of itself, such as ``in_features=384``. ``verdict`` says what is wrong
    with its own weights, ``""`` where nothing is.
    """

    path: str
    kind: str
    own: int
    parameters: int
    trainable: int
    dtypes: tuple[str, ...]
    weights: tuple[Weight, ...] = field(default=(), repr=False)
    says: str = ""
    verdict: str = ""

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path.rpartition(".")[2]

    @property
    def level(self) -> int:
        """How deep it lies: 0 for the model, 1 for what it holds itself."""
        return self.path.count(".") + 1 if self.path else 0

    @property
    def tied(self) -> tuple[str, ...]:
        """The weights of its own that are another module's, as ``weight is wte.weight``."""
        return tuple(f"{one.name} is {one.tied_to}" for one in self.weights if one.tied_to)


def rows_of(
    model: Any,
    random: Iterable[str] = (),
    reshaped: Iterable[str] = (),
    *,
    values: bool = True,
) -> list[ModuleRow]:
    """Return a row a module, in the model's own order.

    Args:
        model: A model; on the meta device no weight is looked at.
        random: Paths of modules or weights with random values, with the base model's prefix or
            without it; ``whole model`` stands for all.
        reshaped: Full names of weights that had another shape in the checkpoint.
        values: Whether the values of the weights are looked at.
    """
    first: dict[int, str] = {}
    prefix = getattr(model, "base_model_prefix", "")
    marks = _Marks(prefix, tuple(random), frozenset(reshaped), values)
    rows: list[ModuleRow] = []
    for path, module in model.named_modules():
        if _is_room(module):
            continue
        weights = tuple(
            _weight(path, name, one, first, marks)
            for name, one in module._parameters.items()  # noqa: SLF001 - tied ones too, without walking
            if one is not None
        )
        rows.append(_row(path, module, weights))
    return _summed(rows)


@dataclass(frozen=True)
class _Marks:
    prefix: str
    random: tuple[str, ...]
    reshaped: frozenset[str]
    values: bool

    def verdict(self, name: str, tensor: torch.Tensor) -> str:
        """Say what is wrong with a weight: the worst of it."""
        plain = name.removeprefix(f"{self.prefix}.")
        if any(one == "whole model" or _is_under(one, name, plain) for one in self.random):
            return "random: another shape in the checkpoint" if name in self.reshaped else "random"
        return _values_verdict(name, tensor) if self.values else ""


def _is_under(module: str, *names: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in names)


def _values_verdict(name: str, tensor: torch.Tensor) -> str:
    """Say whether values are NaN, infinite, or all zero, as biases may be."""
    if tensor.is_meta or not tensor.is_floating_point() or not tensor.numel():
        return ""
    if hasattr(tensor, "__tensor_flatten__"):  # torchao's packed weights have no minimum
        return ""
    low, high = (float(one) for one in torch.aminmax(tensor.detach()))
    if math.isnan(low) or math.isnan(high):
        return "holds NaN"
    if math.isinf(low) or math.isinf(high):
        return "holds Inf"
    zero = low == high == 0.0
    return "all zero" if zero and "bias" not in name.rpartition(".")[2] else ""


def _weight(
    path: str, name: str, tensor: torch.Tensor, first: dict[int, str], marks: _Marks
) -> Weight:
    full = f"{path}.{name}" if path else name
    owner = first.setdefault(id(tensor), full)
    return Weight(
        name,
        tuple(tensor.shape),
        str(tensor.dtype).removeprefix("torch."),
        tensor.requires_grad,
        owner if owner != full else "",
        marks.verdict(owner, tensor),
    )


def _row(path: str, module: Any, weights: tuple[Weight, ...]) -> ModuleRow:
    own = [(held(getattr(module, one.name)), one) for one in weights if not one.tied_to]
    return ModuleRow(
        path,
        _kind(module),
        own=sum(size for size, _ in own),
        parameters=0,
        trainable=sum(size for size, one in own if one.trainable),
        dtypes=tuple(dict.fromkeys(one.dtype for one in weights)),
        weights=weights,
        says=module.extra_repr(),
        verdict=_together([one.verdict for one in weights]),
    )


def _is_room(module: Any) -> bool:
    """Say whether a module is the room of a peft layer for what the adapter does not have."""
    kind = type(module).__name__
    return kind in {"ModuleDict", "ParameterDict", "BufferDict"} and not len(module)


def _kind(module: Any) -> str:
    """Return the name of a class, as peft shows its own: ``lora.Linear``."""
    owner = type(module)
    tuner = re.match(r"peft\.tuners\.(\w+)\.", owner.__module__)
    return f"{tuner[1]}.{owner.__name__}" if tuner else owner.__name__


def _together(verdicts: list[str]) -> str:
    """Return the verdict of a module: its weights' own, once each."""
    return ", ".join(dict.fromkeys(one for one in verdicts if one))


def _summed(rows: list[ModuleRow]) -> list[ModuleRow]:
    """Return the rows with what is below each added to it."""
    parameters = {row.path: row.own for row in rows}
    trainable = {row.path: row.trainable for row in rows}
    dtypes = {row.path: dict.fromkeys(row.dtypes) for row in rows}
    for row in reversed(rows):
        if row.path:
            above = row.path.rpartition(".")[0]
            parameters[above] += parameters[row.path]
            trainable[above] += trainable[row.path]
            dtypes[above] |= dtypes[row.path]
    return [
        replace(
            row,
            parameters=parameters[row.path],
            trainable=trainable[row.path],
            dtypes=tuple(dtypes[row.path]),
        )
        for row in rows
    ]
