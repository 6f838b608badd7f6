"""The outputs of a model as a flat list of tensors, and back again.

A graph has a row of outputs without a structure; their names are no help, since two outputs may
be one tensor. So each is known by its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


def flatten(value: Any) -> list[torch.Tensor]:
    """Return the tensors in an output, in order: those in tuples of it one by one."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for one in value for tensor in flatten(one)]
    if value is None:
        return []
    raise TypeError(f"an output of the type {type(value).__name__}")


@dataclass(frozen=True)
class Layout:
    """The class of an output, and which of the flat tensors is where in it.

    ``fields`` has a place, or a tuple of such, for each name.
    """

    output: type[Any]
    fields: tuple[tuple[str, Any], ...]
    count: int

    @classmethod
    def of(cls, outputs: Any) -> Layout:
        """Read it off an output that the torch model gave."""
        places = iter(range(len(flatten(outputs))))
        fields = tuple((name, _placed(value, places)) for name, value in outputs.items())
        return cls(type(outputs), fields, len(flatten(outputs)))

    def rebuild(self, tensors: Sequence[torch.Tensor]) -> Any:
        """Return an output of the class with these tensors."""
        return self.output(**{name: _filled(place, tensors) for name, place in self.fields})

    def literal(self, found: str) -> str:
        """Return the source of the same: a call of the class on the items of ``found``."""
        parts = [f"    {name}={_written(place, found)},\n" for name, place in self.fields]
        return f"{self.output.__name__}(\n{''.join(parts)})"


def _placed(value: Any, places: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return next(places)
    return None if value is None else tuple(_placed(one, places) for one in value)


def _filled(place: Any, tensors: Sequence[torch.Tensor]) -> Any:
    if isinstance(place, int):
        return tensors[place]
    return None if place is None else tuple(_filled(one, tensors) for one in place)


def _written(place: Any, found: str) -> str:
    if isinstance(place, int):
        return f"{found}[{place}]"
    if place is None:
        return "None"
    inner = ", ".join(_written(one, found) for one in place)
    return f"({inner},)" if place else "()"
