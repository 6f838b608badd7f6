"""Shown: a result that draws itself, and is small."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hf_magics.display import frames

if TYPE_CHECKING:
    from hf_magics.display.parts import Page


class Shown:
    """The base class of every result.

    A subclass says what it looks like in `page` and, where it has a table of data, what that is in
    `records`; every form that IPython or a plain REPL asks for comes from there. It holds numbers
    and strings: a result in ``Out[]`` never keeps a model or its outputs alive.
    """

    code: str = ""
    """Plain transformers code that does what was done."""

    hints: tuple[str, ...] = ()
    """What the line that made it may have meant otherwise: more notes on top of the page."""

    def page(self) -> Page:
        """What is shown. Reads no device, disk or network."""
        raise NotImplementedError

    def records(self) -> list[dict[str, Any]]:
        """The result as data: a dict a row."""
        return []

    @property
    def df(self) -> Any:
        """`records` as a pandas ``DataFrame``.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frames.of_pandas(self.records())

    @property
    def polars(self) -> Any:
        """`records` as a polars ``DataFrame``; a column of several kinds has texts.

        Raises:
            MissingExtraError: polars is not installed.
        """
        return frames.of_polars(self.records())

    # the parts and the renderers are imported with the first page: Pillow, tabulate and a dozen
    # dataclasses take 110 ms, which loading the extension need not wait for
    def _repr_html_(self) -> str:
        from hf_magics.display import html  # noqa: PLC0415

        return html.render(self._drawn())

    def __repr__(self) -> str:
        from hf_magics.display import text  # noqa: PLC0415

        return text.render(self._drawn(), width=shutil.get_terminal_size().columns)

    def _drawn(self) -> Page:
        from hf_magics.display.parts import Note  # noqa: PLC0415

        page = self.page()
        return replace(page, notes=(*page.notes, *map(Note, self.hints)))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))
