"""Watch transformers work: its bars become our one line of progress, its warnings our notes."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from huggingface_hub import utils as hub_utils
from transformers.utils import logging as transformers_logging

from hf_magics.display.progress import Meter, progress
from hf_magics.display.words import one_line
from hf_magics.modeling.bars import Bar, Stray
from hf_magics.modeling.channels import Channel

# the second is said where weights that are tied are in no file: which are random, our notes say
_SHOWN_BY_US = ("LOAD REPORT", "This checkpoint seem corrupted. The tied weights")


@contextlib.contextmanager
def watched(label: str, *, notes: list[str]) -> Iterator[Meter]:
    """Run the block with transformers' bars and warnings turned into ours.

    Yields the meter; ``functools.partial(Bar, meter=meter)`` is a ``tqdm_class`` that feeds it.

    Args:
        label: What is being done, for the line of progress.
        notes: Where each warning that transformers logs in this thread goes, once.
    """
    with watched_hub(label) as meter, _BARS.heard_by(meter), logged_into(notes, "transformers"):
        yield meter


@contextlib.contextmanager
def watched_hub(label: str) -> Iterator[Meter]:
    """Run the block with the hub's bars off, and what it says of new tries in our line."""
    with progress(label) as meter, _HUB.heard_by(meter):
        yield meter


@contextlib.contextmanager
def logged_into(notes: list[str], name: str) -> Iterator[None]:
    """Run the block with what a logger warns of put into ``notes``, once each, and nowhere else."""
    with _log_of(name).heard_by(notes):
        yield


@contextlib.contextmanager
def warned_into(notes: list[str]) -> Iterator[None]:
    """Run the block with Python's own warnings put into ``notes``, every one."""
    with _WARNINGS.heard_by(notes):
        yield


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Run the block with Python's own warnings left unsaid: what they say is said otherwise."""
    with warned_into([]):
        yield


@contextlib.contextmanager
def _transformers_bars(channel: Channel[Meter]) -> Iterator[None]:
    """Give transformers' bars to the meter, also those made without its factory: a GGUF file's."""

    def make(factory: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        meter = channel.listener
        if meter is None:  # of a thread that outlived all who listened
            return factory(*arguments, **options)
        return Bar(*arguments, meter=meter, **options)

    before = transformers_logging.set_tqdm_hook(make)
    stray: Any = Stray(lambda: channel.listener, sys.stderr)
    try:
        with contextlib.redirect_stderr(stray), _no_conversion():
            yield
    finally:
        transformers_logging.set_tqdm_hook(before)


@contextlib.contextmanager
def _hub_bars(channel: Channel[Meter]) -> Iterator[None]:
    teller = _Teller(channel)
    with hub_utils.disable_progress_bars(), _handled("huggingface_hub", teller):
        yield


@contextlib.contextmanager
def _warnings(channel: Channel[list[str]]) -> Iterator[None]:
    def show(message: Any, *_: Any, **__: Any) -> None:
        notes = channel.listener
        if notes is not None:
            notes.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


class _Collector(logging.Handler):
    def __init__(self, channel: Channel[list[str]]) -> None:
        super().__init__(logging.WARNING)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        text, notes = one_line(record.getMessage()), self._channel.listener
        if notes is None or text in notes or any(mark in text for mark in _SHOWN_BY_US):
            return
        notes.append(text)


class _Teller(logging.Handler):
    def __init__(self, channel: Channel[Meter]) -> None:
        super().__init__(logging.WARNING)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        meter = self._channel.listener
        if meter is not None:
            meter.say(one_line(record.getMessage()))


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
def _handled(name: str, handler: logging.Handler) -> Iterator[None]:
    """Run the block with all that a logger says given to this handler alone.

    Not to the root's either: transformers' logger propagates where ``CI`` is in the environment.
    """
    if name == "transformers":
        transformers_logging.get_verbosity()  # makes transformers set up its handlers, once
    logger = logging.getLogger(name)
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before


@functools.cache
def _log_of(name: str) -> Channel[list[str]]:
    return Channel(lambda channel: _handled(name, _Collector(channel)))


_BARS: Channel[Meter] = Channel(_transformers_bars)
_HUB: Channel[Meter] = Channel(_hub_bars)
_WARNINGS: Channel[list[str]] = Channel(_warnings)
