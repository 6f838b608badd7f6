"""What the package says of itself: a magic's usage, and all that there is at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hf_magics.display.shown import Shown

if TYPE_CHECKING:
    from hf_magics.display.parts import Page, Part


class Help(Shown):
    """A magic's usage."""

    def __init__(self, title: str, text: str) -> None:
        self._title = title
        self._text = text

    def page(self) -> Page:
        """The usage, as argparse writes it."""
        from hf_magics.display.parts import Code, Page  # noqa: PLC0415 - with the first page

        return Page(self._title, (Code(self._text, wraps=True),))


class Overview(Shown):
    """The models that are loaded, and the magics with a line each."""

    def __init__(self, magics: Mapping[str, str], models: Shown | None) -> None:
        self.magics = dict(magics)
        self._models = models.page().parts if models is not None else ()

    def page(self) -> Page:
        """The models, then the magics."""
        from hf_magics.display.parts import Column, Page, Table, Text  # noqa: PLC0415 - as above

        parts: list[Part] = list(self._models) or [Text(_NOTHING)]
        columns = (Column("magic", mono=True), Column("what it does"))
        caption = "Each has --help, and a function of the same name in hf_magics"
        parts.append(Table(columns, tuple(self.magics.items()), caption))
        parts.append(Text(_LAST))
        return Page("hf_magics", tuple(parts))


_NOTHING = "No model is loaded: %hf_load SOURCE loads one, %hf_new TYPE makes one."
_LAST = (
    "%hf_code shows what was done as plain transformers code, %hf_explain says why. "
    "Of several magics in one cell, IPython shows the page of the last one alone."
)
