"""Progress: one line that is there while something takes longer than a second, then gone."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, Protocol
from weakref import WeakSet

from hf_magics.display.numbers import size
from hf_magics.display.visible import visible

_PATIENCE_S = 1.0
_PERIOD_S = 0.1


class Line(Protocol):
    """One line of text somewhere, updated in place."""

    def show(self, text: str) -> None:
        """Put this text in the place of the last."""

    def clear(self) -> None:
        """Take the line away."""


class TerminalLine:
    """A line on standard error, by tqdm; nothing where that is no terminal."""

    def __init__(self) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - 80 ms that loading the extension need not wait for

        class Bar(tqdm):  # type: ignore[type-arg]
            # counted apart: a bar of another library, caught while ours is there, would else be
            # placed a row below, and its moves up and down would move ours
            _instances: ClassVar[WeakSet[Any]] = WeakSet()

        # not sys.stderr: while transformers works, that is where its bars are caught
        real = sys.__stderr__ or sys.stderr
        self._bar = Bar(total=0, bar_format="{desc}", leave=False, disable=None, file=real)

    def show(self, text: str) -> None:
        """Put this text in the place of the last; of one that is too long, what a line holds.

        What goes over the end of a line could not be taken back.
        """
        room = shutil.get_terminal_size().columns - 1
        self._bar.set_description_str(text if len(text) <= room else f"{text[: room - 1]}…")

    def clear(self) -> None:
        """Take the line away."""
        self._bar.close()


class Meter:
    """How far one piece of work is; shows itself once it has taken a second.

    A timer does that, so that work which has nothing to count, such as a hub that is slow to
    answer, is named too. Downloads count from threads of their own: the lock gives the line to one.
    """

    def __init__(self, label: str, make_line: Callable[[], Line]) -> None:
        self.label = label
        self._make_line = make_line
        self._line: Line | None = None
        self._started = self._part_started = self._shown = time.monotonic()
        self._text = ""
        self._lock = threading.RLock()
        self._timer = threading.Timer(_PATIENCE_S, self.at_once)
        self._timer.daemon = True
        self._timer.start()

    def at_once(self) -> None:
        """Show what is known now: the work is long."""
        self._show(self._text or f"{self.label} …")

    def advance(self, done: float, total: float | None, unit: str = "", what: str = "") -> None:
        """Say that ``done`` of ``total`` is done, in bytes where ``unit`` is ``"B"``."""
        now = time.monotonic()
        rate = ""
        if unit == "B" and done and now > self._part_started:
            rate = f" · {size(int(done / (now - self._part_started)))}/s"
        self.say(f"{what or self.label}: {_amount(done, total, unit)}{rate}")

    def say(self, text: str) -> None:
        """Put this in the line, now or as soon as there is one."""
        now = time.monotonic()
        self._text = text
        if now - self._started >= _PATIENCE_S and now - self._shown >= _PERIOD_S:
            self._show(text)

    def close(self) -> None:
        """Take the line away."""
        self._timer.cancel()
        with self._lock:
            self._make_line = Nowhere
            if self._line is not None:
                self._line.clear()
                self._line = None

    @contextlib.contextmanager
    def part(self, label: str) -> Iterator[Meter]:
        """Name a part of the work for the length of the block."""
        before, started = self.label, self._part_started
        self.label, self._text = label, ""
        self._part_started = time.monotonic()
        try:
            yield self
        finally:
            self.label, self._text, self._part_started = before, "", started

    def _show(self, text: str) -> None:
        with self._lock:
            self._shown = time.monotonic()
            if self._line is None:
                self._line = self._make_line()
            self._line.show(visible(text))


class Nowhere:
    """Where a thread writes that comes late: the line is gone, and stays so."""

    def show(self, _: str) -> None:
        """Show nothing."""

    def clear(self) -> None:
        """Have nothing to take away."""


@contextlib.contextmanager
def progress(label: str) -> Iterator[Meter]:
    """Give a meter for the length of the block; its line is gone at the end, whatever happens.

    Inside of another such block it is that one's: one line tells of all.
    """
    outer = _current.get()
    if outer is not None:
        with outer.part(label) as meter:
            yield meter
        return
    meter = Meter(label, _maker.get())
    before = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(before)
        meter.close()


@contextlib.contextmanager
def lines_from(make_line: Callable[[], Line]) -> Iterator[None]:
    """Show the lines of this block elsewhere than in a terminal."""
    before = _maker.set(make_line)
    try:
        yield
    finally:
        _maker.reset(before)


# of each thread its own: two that leave in the order in which they came would take each other's
_maker: ContextVar[Callable[[], Line]] = ContextVar("maker of lines", default=TerminalLine)
_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


def _amount(done: float, total: float | None, unit: str) -> str:
    if unit == "B":
        return f"{size(int(done))} of {size(int(total))}" if total else size(int(done))
    return f"{int(done):,} of {int(total):,}" if total else f"{int(done):,}"
