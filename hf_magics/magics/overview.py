"""`%hf`: what there is, and the session at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_magics.display.parts import Column, Page, Part, Table, Text
from hf_magics.display.shown import Shown


class Overview(Shown):
    """The magics with a line each, and the models that are loaded."""

    def __init__(self, magics: Mapping[str, Any], models: Shown | None) -> None:
        self.magics = {name: method.summary for name, method in magics.items()}
        self._models = models.page().parts if models is not None else ()

    def page(self) -> Page:
        """The models, then the magics."""
        parts: list[Part] = list(self._models) or [Text(_NOTHING)]
        rows = tuple(self.magics.items())
        columns = (Column("magic", mono=True), Column("what it does"))
        parts.append(
            Table(columns, rows, "Each has --help, and a function of the same name in hf_magics")
        )
        return Page("hf_magics", tuple(parts))


_NOTHING = "No model is loaded: %hf_load SOURCE loads one, %hf_new TYPE makes one."
