"""Interrupts, held back where one would leave something half done."""

from __future__ import annotations

import _thread
import _weakrefset
import contextlib
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_AGAIN_S = 0.003  # until an interrupt that came at the wrong moment is tried again
_MOST_S = 0.5  # that it waits for the end of a block: some begin with a server or a long search
_IN_BETWEEN = ("__enter__", "__exit__", "__del__")
_IMPORT = "<frozen importlib"
# called where an object goes: an interrupt in them would be shown as ignored, and lost
_GOING = tuple(one.__file__ for one in (weakref, _weakrefset))


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


@contextlib.contextmanager
def orderly_interrupts() -> Iterator[None]:
    """Let SIGINT break the block off only where that leaves nothing half done.

    Python raises ``KeyboardInterrupt`` between any two of its steps: also when a ``with`` has
    changed something and is not yet sure to change it back, or while it does so; and in an import,
    of which half would stay for the rest of the process. In these it waits for their end: of an
    import whatever it takes, else half a second at most.
    """
    before = signal.getsignal(signal.SIGINT)
    in_another = isinstance(before, _Orderly)
    on_main = threading.current_thread() is threading.main_thread()
    if in_another or not on_main or not callable(before):
        yield
        return
    # what entered the block: beyond it, the code of others may wait in an `__enter__` of its own
    orderly = _Orderly(before, sys._getframe(2))  # noqa: SLF001 - there is no other way
    signal.signal(signal.SIGINT, orderly)
    try:
        yield
    finally:
        orderly.end()
        signal.signal(signal.SIGINT, before)
        if orderly.waiting:  # also where the block failed meanwhile: it was to be stopped
            before(signal.SIGINT, None)


class _Orderly:
    """A handler that passes an interrupt on, at once or once the moment is right."""

    def __init__(self, handler: Callable[..., Any], outermost: FrameType) -> None:
        self._handler = handler
        self._outermost: FrameType | None = outermost
        self._since = 0.0
        self._lock = _thread.allocate_lock()
        self._ended = False
        self.waiting = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Pass it on, or try again soon.

        A thread of the lowest kind does that: those of `threading` take locks that the code which
        was interrupted may hold.
        """
        if not self.waiting:
            self._since = time.monotonic()
        self.waiting = True
        if self._ended:
            return
        if self._must_wait(sys._getframe(1)):  # noqa: SLF001 - what runs now, not what did
            _thread.start_new_thread(self._try_again, ())
            return
        self.waiting = False
        self._handler(number, frame)

    def end(self) -> None:
        """Try no more; ``waiting`` says whether there is an interrupt that was not passed on."""
        with self._lock:
            self._ended = True
        self._outermost = None

    def _must_wait(self, frame: FrameType | None) -> bool:
        patient = time.monotonic() - self._since < _MOST_S
        while frame is not None and frame is not self._outermost:
            if frame.f_code.co_filename.startswith(_IMPORT):
                return True
            in_between = frame.f_code.co_name in _IN_BETWEEN or frame.f_code.co_filename in _GOING
            if patient and in_between:
                return True
            frame = frame.f_back
        return False

    def _try_again(self) -> None:
        time.sleep(_AGAIN_S)
        with self._lock:
            if not self._ended:
                _interrupt_main()


def _interrupt_main() -> None:
    """Send SIGINT to the main thread: what only notes it there would not end a wait."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
