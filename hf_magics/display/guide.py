"""What the package says of itself: a magic's usage, and all that there is at a glance."""

from __future__ import annotations

from collections.abc import Mapping

from hf_magics.display.parts import Code, Column, Page, Part, Table, Text
from hf_magics.display.shown import Shown


class Help(Shown):
    """A magic's usage."""

    def __init__(self, title: str, text: str) -> None:
        self._page = Page(title, (Code(text),))

    def page(self) -> Page:
        """The usage, as argparse writes it."""
        return self._page


class Overview(Shown):
    """The models that are loaded, and the magics with a line each."""

    def __init__(self, magics: Mapping[str, str], models: Shown | None) -> None:
        self.magics = dict(magics)
        self._models = models.page().parts if models is not None else ()

    def page(self) -> Page:
        """The models, then the magics."""
        parts: list[Part] = list(self._models) or [Text(_NOTHING)]
        columns = (Column("magic", mono=True), Column("what it does"))
        caption = "Each has --help, and a function of the same name in hf_magics"
        parts.append(Table(columns, tuple(self.magics.items()), caption))
        return Page("hf_magics", tuple(parts))


_NOTHING = "No model is loaded: %hf_load SOURCE loads one, %hf_new TYPE makes one."
