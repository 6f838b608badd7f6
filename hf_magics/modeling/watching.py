"""Watch transformers work: its bars become our one line of progress, its warnings our notes."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, Protocol, Self, TextIO

from huggingface_hub import utils as hub_utils
from transformers.utils import logging as transformers_logging

from hf_magics.display.progress import Meter, progress
from hf_magics.display.words import one_line

_COUNTED = re.compile(r"(\d+)/(\d+)")
_SMALL_FILE = 1_000_000
_SHOWN_BY_US = ("LOAD REPORT",)


@contextlib.contextmanager
def watched(label: str, *, notes: list[str]) -> Iterator[Meter]:
    """Run the block with transformers' bars and warnings turned into ours.

    Yields the meter; ``functools.partial(Bar, meter=meter)`` is a ``tqdm_class`` that feeds it.

    Args:
        label: What is being done, for the line of progress.
        notes: Where each warning that transformers logs goes, once.
    """
    with (
        watched_hub(label) as meter,
        _bars_into(meter),
        _warnings_into(notes),
        _stray_bars(meter),
        _no_conversion(),
    ):
        yield meter


@contextlib.contextmanager
def watched_hub(label: str) -> Iterator[Meter]:
    """Run the block with the hub's bars off, and what it says of new tries in our line."""
    with (
        progress(label) as meter,
        hub_utils.disable_progress_bars(),
        _handled("huggingface_hub", _Teller(meter)),
    ):
        yield meter


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


@contextlib.contextmanager
def _bars_into(meter: Meter) -> Iterator[None]:
    def make(_: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Bar:
        return Bar(*arguments, meter=meter, **options)

    before = transformers_logging.set_tqdm_hook(make)
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)


class _Collector(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        if text not in self._notes and not any(mark in text for mark in _SHOWN_BY_US):
            self._notes.append(text)


class _Teller(logging.Handler):
    def __init__(self, meter: Meter) -> None:
        super().__init__(logging.WARNING)
        self._meter = meter

    def emit(self, record: logging.LogRecord) -> None:
        self._meter.say(one_line(record.getMessage()))


@contextlib.contextmanager
def _no_conversion() -> Iterator[None]:
    """Keep transformers from answering a load of ``.bin`` weights with a thread of requests.

    It would have a public service open a pull request on the repository, and ask the hub even where
    that was forbidden.
    """
    name = "DISABLE_SAFETENSORS_CONVERSION"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _warnings_into(notes: list[str]) -> Iterator[None]:
    transformers_logging.get_verbosity()  # makes transformers set up its handlers, once
    with logged_into(notes, "transformers"):
        yield


@contextlib.contextmanager
def logged_into(notes: list[str], name: str) -> Iterator[None]:
    """Run the block with what a logger warns of put into ``notes``, once each, and nowhere else."""
    with _handled(name, _Collector(notes)):
        yield


@contextlib.contextmanager
def _handled(name: str, handler: logging.Handler) -> Iterator[None]:
    """Run the block with all that a logger says given to this handler alone.

    Not to the root's either: transformers' logger propagates where ``CI`` is in the environment.
    """
    logger = logging.getLogger(name)
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before


class _Stray(io.TextIOBase):
    """Standard error where a bar's text goes to the meter, and the rest through."""

    def __init__(self, meter: Meter, through: TextIO) -> None:
        self._meter = meter
        self._through = through
        self._in_bar = False

    def write(self, text: str) -> int:
        """Take a bar's line, which begins with a carriage return, and its line feed."""
        if "\r" in text:
            self._in_bar = True
            found = _COUNTED.findall(text)
            if found:
                done, total = map(int, found[-1])
                self._meter.advance(done, total)
        elif not (self._in_bar and not text.strip()):
            self._in_bar = False
            self._through.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what went through."""
        self._through.flush()


@contextlib.contextmanager
def _stray_bars(meter: Meter) -> Iterator[None]:
    """Catch the bars that transformers makes without its own factory: that of a GGUF file."""
    with contextlib.redirect_stderr(_Stray(meter, sys.stderr)):
        yield


def _length(iterable: Any) -> int | None:
    return len(iterable) if hasattr(iterable, "__len__") else None
