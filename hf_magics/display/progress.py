"""Progress: one line that is there while something takes longer than a second, then gone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from hf_magics.display.numbers import size

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

        self._bar = tqdm(total=0, bar_format="{desc}", leave=False, disable=None)

    def show(self, text: str) -> None:
        """Put this text in the place of the last."""
        self._bar.set_description_str(text)

    def clear(self) -> None:
        """Take the line away."""
        self._bar.close()


class Meter:
    """How far one piece of work is; shows itself once it has taken a second."""

    def __init__(self, label: str, make_line: Callable[[], Line]) -> None:
        self.label = label
        self._make_line = make_line
        self._line: Line | None = None
        self._started = self._shown = time.monotonic()

    def at_once(self) -> None:
        """Show the label now: the work is known to be long."""
        self._show(f"{self.label} …")

    def advance(self, done: float, total: float | None, unit: str = "", what: str = "") -> None:
        """Say that ``done`` of ``total`` is done, in bytes where ``unit`` is ``"B"``."""
        now = time.monotonic()
        if now - self._started < _PATIENCE_S or now - self._shown < _PERIOD_S:
            return
        self._shown = now
        amount = _amount(done, total, unit)
        rate = f" · {size(int(done / (now - self._started)))}/s" if unit == "B" else ""
        self._show(f"{what or self.label}: {amount}{rate}")

    def close(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.clear()
            self._line = None

    def _show(self, text: str) -> None:
        if self._line is None:
            self._line = self._make_line()
        self._line.show(text)


@contextlib.contextmanager
def progress(label: str) -> Iterator[Meter]:
    """Give a meter for the length of the block; its line is gone at the end, whatever happens."""
    meter = Meter(label, _makers[-1])
    try:
        yield meter
    finally:
        meter.close()


@contextlib.contextmanager
def lines_from(make_line: Callable[[], Line]) -> Iterator[None]:
    """Show the lines of this block elsewhere than in a terminal."""
    _makers.append(make_line)
    try:
        yield
    finally:
        _makers.pop()


_makers: list[Callable[[], Line]] = [TerminalLine]


def _amount(done: float, total: float | None, unit: str) -> str:
    if unit == "B":
        return f"{size(int(done))} of {size(int(total))}" if total else size(int(done))
    return f"{int(done):,} of {int(total):,}" if total else f"{int(done):,}"
