"""What `show_plain` does: bare tensors, outputs, encodings, configs and models have pages.

They have them through IPython's own formatters. A MIME bundle is asked for what ends a cell, and
not for what is inside of it, so that a list of tensors is a list; and what the user registered for
HTML or text alone goes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from IPython.utils.dir2 import get_real_method

from hf_magics import api
from hf_magics.api.plain import plain_page
from hf_magics.display.progress import lines_from
from hf_magics.display.shown import Shown
from hf_magics.magics.progress import line_maker
from hf_magics.settings import Settings

_TYPES = (  # by their names: nothing is imported before there is an object of one
    ("torch", "Tensor"),
    ("transformers.utils.generic", "ModelOutput"),
    ("transformers.tokenization_utils_base", "BatchEncoding"),
    ("transformers.configuration_utils", "PreTrainedConfig"),
    ("transformers.modeling_utils", "PreTrainedModel"),
)
_TEXT = "text/plain"
_DRAW: dict[str, Callable[[Shown], str]] = {"text/html": lambda one: one._repr_html_(), _TEXT: repr}
_OWN = ("_repr_mimebundle_", "_repr_html_")  # a subclass with one of these draws itself
_NOTHING: Any = object()


class PlainDisplay:
    """The formatters of plain objects in one shell: `on` registers them, `off` takes them back."""

    def __init__(self, shell: Any, settings: Callable[[], Settings]) -> None:
        self._display = shell.display_formatter
        self._line = line_maker(shell)
        self._settings = settings
        # each is one object, which can be known again among what is registered
        self._bundle_printer = self._bundle
        self._text_printer = self._text
        self._before: list[tuple[dict[Any, Any], Any, Any]] = []

    def on(self) -> None:
        """Register the formatters; a second time changes nothing."""
        self.off()
        bundles = self._display.mimebundle_formatter
        for name in _TYPES:
            known = next((one for one in bundles.type_printers if _name(one) == name), None)
            place, key = (
                (bundles.deferred_printers, name)
                if known is None
                else (bundles.type_printers, known)
            )
            self._before.append((place, key, place.get(key, _NOTHING)))
            place[key] = self._bundle_printer

    def off(self) -> None:
        """Leave the formatters as they were; what the user registered since stays."""
        bundles, texts = self._display.mimebundle_formatter, self._display.formatters[_TEXT]
        _forget(bundles.type_printers, self._bundle_printer)
        _forget(bundles.deferred_printers, self._bundle_printer)
        _forget(texts.type_printers, self._text_printer)
        for place, key, printer in self._before:
            if printer is not _NOTHING:
                place.setdefault(key, printer)
        self._before.clear()

    def set(self, change: Any) -> None:
        """Do what the trait says, where it changes."""
        self.on() if change["new"] else self.off()

    def _bundle(self, thing: Any) -> dict[str, str] | None:
        """Return the forms that this front end shows; None leaves all as it is without us."""
        drawn = self._drawn(thing, *(kind for kind in _DRAW if kind in self._display.active_types))
        if drawn is not None:
            self._claim_text(type(thing))
        return drawn

    def _drawn(self, thing: Any, *kinds: str) -> dict[str, str] | None:
        """Return forms of a plain object's page, None where it has no page."""
        if any(get_real_method(thing, name) for name in _OWN):
            return None
        try:
            with lines_from(self._line):
                shown = plain_page(thing, api.session, self._settings())
            return {kind: _DRAW[kind](shown) for kind in kinds}
        except Exception:  # noqa: BLE001 - IPython would print its traceback
            return None

    def _claim_text(self, kind: type) -> None:
        """Register the text of a class that is a dictionary as well.

        IPython takes the text of dictionaries in place of a bundle's, whatever they are, and the
        class's own ``repr`` in place of what is registered for its bases: it has to be the class.
        """
        texts = self._display.formatters[_TEXT]
        if dict in kind.__mro__ and not any(self._is_taken(one, texts) for one in _ours(kind)):
            texts.type_printers[kind] = self._text_printer

    def _is_taken(self, kind: type, texts: Any) -> bool:
        """Say whether the user registered a text for the class."""
        ours = self._text_printer
        printer = texts.type_printers.get(kind, ours)
        return printer is not ours or _name(kind) in texts.deferred_printers

    def _text(self, thing: Any, printer: Any, _cycle: bool) -> None:
        is_whole = len(printer.stack) == 1
        drawn = self._drawn(thing, _TEXT) if is_whole else None
        if drawn is None:
            self._text_as_before(thing, printer)
        else:
            printer.text(drawn[_TEXT])

    def _text_as_before(self, thing: Any, printer: Any) -> None:
        """Print as without us: what is inside of something else, or has no page."""
        # a printer lives for one output, and all that follows in it is inside of something
        printer.type_pprinters = dict(printer.type_pprinters)
        printer.deferred_pprinters = dict(printer.deferred_pprinters)
        _forget(printer.type_pprinters, self._text_printer)
        number = printer.stack.pop()  # there it would be taken for a cycle
        try:
            printer.pretty(thing)
        finally:
            printer.stack.append(number)


def _name(kind: type) -> tuple[Any, Any]:
    return getattr(kind, "__module__", None), getattr(kind, "__name__", None)


def _ours(kind: type) -> Iterator[type]:
    """Give the class and its bases, down to the one that has a page."""
    for one in kind.__mro__:
        yield one
        if _name(one) in _TYPES:
            return


def _forget(place: dict[Any, Any], printer: Any) -> None:
    for key in [key for key, one in place.items() if one is printer]:
        del place[key]
