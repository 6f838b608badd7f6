"""Text that is shown while it is written: one place, updated in place, empty at the end."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TextIO

from hf_magics.display.progress import Line, Nowhere, lines_from
from hf_magics.display.visible import visible

_PERIOD_S = 0.05
_MOST = 4000  # characters of a long text: its end is what one reads
_TALLEST = 10  # lines of a terminal


class Stream:
    """Shows a text that grows, at most 20 times a second; before it begins, a line of progress.

    That line comes from a timer's thread: the lock gives the place to one.
    """

    def __init__(self, place: Line) -> None:
        self._place = place
        self._shown = 0.0
        self._begun = False
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Put the text so far in the place of what was there."""
        now = time.monotonic()
        if text and (not self._begun or now - self._shown >= _PERIOD_S):
            self._begun = True
            self._shown = now
            tail = text if len(text) <= _MOST else f"…{text[-_MOST:]}"
            with self._lock:
                self._place.show(visible(tail, keep_newlines=True))

    def clear(self) -> None:
        """Leave nothing to read."""
        self._place.clear()

    def line(self) -> Line:
        """Return a line of progress in the same place, which the text takes over."""
        return _Before(self)

    def say(self, text: str) -> None:
        """Show a line of progress, if the text has not begun."""
        with self._lock:
            if not self._begun:
                self._place.show(text)


class _Before:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def show(self, text: str) -> None:
        self._stream.say(text)

    def clear(self) -> None:
        """Leave it to the stream, which has the place."""


class TerminalText:
    """The last lines of a text on standard output, where that is a terminal.

    It is never taller than the screen: what has scrolled away could not be taken back.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stdout
        self._height = 0

    def show(self, text: str) -> None:
        """Put the end of this text in the place of the last."""
        if not self._file.isatty():
            return
        columns, rows = shutil.get_terminal_size()
        lines = _wrapped(text, max(1, columns - 1))[-max(1, min(_TALLEST, rows - 2)) :]
        self._write("\n".join(lines))
        self._height = len(lines)

    def clear(self) -> None:
        """Take the lines away; the cursor is where it was before."""
        if self._height:
            self._write("")
            self._height = 0

    def _write(self, text: str) -> None:
        up = f"\x1b[{self._height - 1}A" if self._height > 1 else ""
        self._file.write(f"{up}\r\x1b[J{text}")
        self._file.flush()


@contextlib.contextmanager
def stream() -> Iterator[Stream | None]:
    """Give a place for text for the length of the block, None where nobody looks.

    Lines of progress of the block are shown in the same place, and at the end it is empty.
    """
    make_place = _maker.get()
    if make_place is None:
        yield None
        return
    shown = Stream(make_place())
    try:
        with lines_from(shown.line):
            yield shown
    finally:
        shown.clear()


@contextlib.contextmanager
def streams_from(make_place: Callable[[], Line]) -> Iterator[None]:
    """Show the text that is written in this block."""
    before = _maker.set(make_place)
    try:
        yield
    finally:
        _maker.reset(before)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Show no progress in this block: someone else shows what is written."""
    with lines_from(Nowhere):
        yield


_maker: ContextVar[Callable[[], Line] | None] = ContextVar("maker of places", default=None)


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines that a terminal of this width does not break again."""
    from wcwidth import wcwidth  # noqa: PLC0415 - not needed before something is written

    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, taken = "", 0
        for character in paragraph:
            wide = max(0, wcwidth(character))
            if taken + wide > width:
                lines.append(line)
                line, taken = "", 0
            line += character
            taken += wide
        lines.append(line)
    return lines
