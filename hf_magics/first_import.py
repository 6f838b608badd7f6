"""The first import of torch and transformers: seconds long, announced, and never broken off."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from hf_magics.display.progress import progress
from hf_magics.interrupts import no_interrupt

_DOOR = "hf_magics.modeling.loading"  # the room behind which all the rest is
AHEAD = (
    *("numpy", "torch", "transformers", "transformers.modeling_utils"),
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    _DOOR,
    *("hf_magics.engines", "hf_magics.inference.infer", "transformers.modeling_layers"),
    "hf_magics.modeling.ahead:build",
    *("hf_magics.display.html", "hf_magics.display.text", "PIL.PngImagePlugin"),
)
"""What a first load and answer import, or call, in steps that can be taken one at a time."""

IMPORTING = threading.RLock()
"""Held by whoever imports, so that nobody meets another's half of a module."""

_unsaid: list[warnings.WarningMessage] = []


@contextlib.contextmanager
def first_import() -> Iterator[None]:
    """Import what a verb needs; the first time that takes seconds, which a line says.

    A step that is under way in the background is waited for. An interrupt is held back until the
    imports are done: one in their middle would leave transformers broken for the rest of the
    process.
    """
    if _DOOR in sys.modules and not _unsaid and IMPORTING.acquire(blocking=False):
        IMPORTING.release()
        yield
        return
    with (
        progress("importing torch and transformers") as meter,
        no_interrupt(),
        IMPORTING,
        _quiet_import(),
        _no_collection(),
    ):
        if _DOOR not in sys.modules:
            meter.at_once()
        importlib.import_module(_DOOR)
        yield
    _say_warnings()


def import_ahead(name: str) -> None:
    """Take one of the steps `AHEAD` on another thread than the user's, and say nothing.

    Its warnings are said by the verb that needs the imports, the user's own meanwhile at once.

    Raises:
        Exception: What the import raised; the verb that needs it meets it again.
    """
    with IMPORTING, _quiet_import(), _no_collection(), warnings.catch_warnings():
        warnings.simplefilter("always")  # what the user's filters leave of them is known then
        warnings.showwarning = _kept_for_later(warnings.showwarning)
        module, _, function = name.partition(":")
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()


def _kept_for_later(show: Callable[..., None]) -> Callable[..., None]:
    """Return a ``showwarning`` that keeps the warnings of this thread, and shows all others."""
    thread = threading.get_ident()

    def keep(
        message: Warning, category: type[Warning], filename: str, lineno: int, *more: Any
    ) -> None:
        if threading.get_ident() == thread:
            _unsaid.append(warnings.WarningMessage(message, category, filename, lineno))
        else:
            show(message, category, filename, lineno, *more)

    return keep


@contextlib.contextmanager
def _quiet_import() -> Iterator[None]:
    """Leave unsaid what is of no use to the reader.

    torchao logs which parts are not for this CPU; tqdm finds no widgets for the bars that are never
    shown, as progress is ours.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="IProgress not found")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Let the garbage collector rest.

    What an import makes stays: to look through it again and again takes a fifth of the time of
    importing torch and transformers, and finds nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _say_warnings() -> None:
    """Show the warnings of the imports that were done ahead."""
    said = list({str(one.message): one for one in _unsaid}.values())
    _unsaid.clear()
    for one in said:
        if "IProgress not found" in str(one.message):
            continue  # see `_quiet_import`
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
