"""Results with a model of the session in reach, without keeping it alive."""

from __future__ import annotations

from typing import Any

from hf_magics.display.shown import Shown
from hf_magics.modeling import store


class OfModel(Shown):
    """A result that a model of the session gave; it knows the model by its number."""

    def __init__(self, number: int, code: str) -> None:
        self._number = number
        self.code = code

    @property
    def model(self) -> Any:
        """The transformers model; an error where it was dropped since."""
        return store.session.by_number(self._number).model

    @property
    def tokenizer(self) -> Any:
        """The transformers tokenizer, None where the model has none."""
        return store.session.by_number(self._number).tokenizer
