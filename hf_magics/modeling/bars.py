"""Bars of transformers and of the hub, which count for our one line of progress."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self, TextIO

_COUNTED = re.compile(r"(\d+)/(\d+)")
_SMALL_FILE = 1_000_000


class Counter(Protocol):
    """What a bar counts for: a meter, or a part of what one shows."""

    def advance(self, done: float, total: float | None, unit: str = "", what: str = "") -> None:
        """Take that ``done`` of ``total`` is done, in bytes where ``unit`` is ``"B"``."""


class Bar:
    """What transformers and the hub take for a tqdm bar: it counts, and shows nothing itself.

    No subclass of tqdm: those of the hub stop counting where its bars are disabled.
    """

    def __init__(self, iterable: Any = None, *_: Any, meter: Counter, **options: Any) -> None:
        self._meter = meter
        self._iterable = iterable
        self.total = options.get("total") or _length(iterable)
        self.n = options.get("initial") or 0
        self.unit = options.get("unit") or ""
        self.desc = str(options.get("desc") or "")
        if self.unit == "B":  # the first bytes of a large file may be long in coming
            self.update(0)

    def __iter__(self) -> Iterator[Any]:
        for item in self._iterable:
            yield item
            self.update(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind: the line is the meter's."""

    def update(self, amount: float | None = 1) -> None:
        """Count, and tell the meter: of a small file nothing, of a sharded one's two bars one."""
        self.n += amount or 0
        small = self.unit == "B" and max(self.n, self.total or 0) < _SMALL_FILE
        if not small and not self.desc.startswith("Reconstructing"):
            what = "downloading" if self.unit == "B" else self.desc.lower()
            self._meter.advance(self.n, self.total, self.unit, what)

    def close(self) -> None:
        """Do nothing: the line is the meter's."""

    def _ignored(self, *_: object, **__: object) -> None:
        """Do nothing for what else a bar can do."""

    refresh = set_description = set_description_str = set_postfix = set_postfix_str = _ignored


class Stray(io.TextIOBase):
    """Standard error where a bar's text goes to the meter that it is, and the rest through."""

    def __init__(self, meter: Callable[[], Counter | None], through: TextIO) -> None:
        self._meter = meter
        self._through = through
        self._in_bar = False

    def write(self, text: str) -> int:
        """Take a bar's line, which begins with a carriage return, and its line feed."""
        if "\r" in text:
            self._in_bar = True
            found = _COUNTED.findall(text)
            meter = self._meter()
            if found and meter is not None:
                done, total = map(int, found[-1])
                meter.advance(done, total)
        elif not (self._in_bar and not text.strip()):
            self._in_bar = False
            self._through.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what went through."""
        self._through.flush()


def _length(iterable: Any) -> int | None:
    return len(iterable) if hasattr(iterable, "__len__") else None
