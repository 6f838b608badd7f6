"""Interrupts, held back where one would leave something half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def no_interrupt() -> Iterator[None]:
    """Hold SIGINT back; the handler that was there is called after the block."""
    with interrupts_held() as held:
        yield
    handler = signal.getsignal(signal.SIGINT)
    if held and callable(handler):
        handler(*held[-1])


@contextlib.contextmanager
def interrupts_held() -> Iterator[list[Any]]:
    """Hold SIGINT back, and give what was: the arguments of its handler, for each."""
    held: list[Any] = []
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    before = signal.signal(signal.SIGINT, lambda *caught: held.append(caught))
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, before)
