"""Progress in a notebook: one display that is updated in place and empty at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.display import DisplayHandle

from hf_magics.display.progress import Line, TerminalLine
from hf_magics.display.streaming import TerminalText


class NotebookLine:
    """A line in the cell's output."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, text: str) -> None:
        """Put this text in the place of the last."""
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display({"text/plain": text}, raw=True)
        else:
            self._handle.update({"text/plain": text}, raw=True)

    def clear(self) -> None:
        """Leave nothing to read: a display can't be taken back, it can be empty."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)


def line_maker(shell: Any) -> Callable[[], Line]:
    """Return what makes a line here: a kernel has displays, a terminal has tqdm."""
    return NotebookLine if getattr(shell, "kernel", None) is not None else TerminalLine


def stream_maker(shell: Any) -> Callable[[], Line]:
    """Return what shows a text while it is written: a display, or lines of the terminal."""
    return NotebookLine if getattr(shell, "kernel", None) is not None else TerminalText
