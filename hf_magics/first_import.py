"""The first import of torch and transformers: seconds long, announced, and never broken off."""

from __future__ import annotations

import contextlib
import importlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from hf_magics.display.progress import progress

_DOOR = "hf_magics.modeling.loading"  # the room behind which all the rest is


@contextlib.contextmanager
def first_import() -> Iterator[None]:
    """Import what a verb needs; the first time that takes seconds, which a line says.

    An interrupt is held back until the imports are done: one in their middle would leave
    transformers broken for the rest of the process.
    """
    if _DOOR in sys.modules:
        yield
        return
    with (
        progress("importing torch and transformers") as meter,
        _no_interrupt(),
        _nothing_logged(),
        warnings.catch_warnings(),
    ):
        # tqdm finds no widgets for the bars that are never shown: progress is ours
        warnings.filterwarnings("ignore", message="IProgress not found")
        meter.at_once()
        importlib.import_module(_DOOR)
        yield


@contextlib.contextmanager
def _nothing_logged() -> Iterator[None]:
    """Leave unsaid what is logged of an import: torchao tells which parts are not for this CPU."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold SIGINT back; the handler that was there is called after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *caught: held.append(caught))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held and callable(before):
        before(*held[-1])
