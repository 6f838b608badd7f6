"""Results with the raw outputs of a model in reach, without keeping them alive."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

from hf_magics.inference.tensors import nbytes_held
from hf_magics.modeling import store
from hf_magics.modeling.kept import Kept
from hf_magics.modeling.of_model import OfModel


class WithOutputs(OfModel):
    """A result with tensors by name.

    In a notebook they are kept within a budget; with ``-o NAME``, and in scripts, the result owns
    them.
    """

    def __init__(self, number: int, code: str, held: Mapping[str, Any]) -> None:
        super().__init__(number, code)
        self._held: Mapping[str, Any] | None = held
        self._ticket = 0

    @property
    def outputs(self) -> Any:
        """The model's own output.

        Raises:
            EvictedError: It was let go for newer ones.
        """
        return self._raw("outputs")

    def kept_in(self, kept: Kept, budget: int) -> Self:
        """Return the same result, its tensors in a store of a limited size."""
        if self._held is None:
            return self
        other = copy.copy(self)
        size = nbytes_held(self._held)
        other._ticket = kept.put(self._held, size, budget, owner=self._number)  # noqa: SLF001
        other._held = None  # noqa: SLF001
        return other

    def _raw(self, name: str) -> Any:
        held = store.session.kept.get(self._ticket) if self._held is None else self._held
        if name not in held:
            raise AttributeError(f"this result has no {name}")
        return held[name]
