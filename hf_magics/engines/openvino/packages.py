"""OpenVINO and NNCF: imported when they are needed, and kept from saying or sending anything."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

from hf_magics.modeling.watching import logged_into, unwarned, watched
from hf_magics.optional import optional

_EXTRA = "openvino"
_TELEMETRY = "openvino_telemetry"


def openvino() -> Any:
    """Return the package OpenVINO.

    Raises:
        MissingExtraError: It is not installed.
    """
    with _no_telemetry():
        return optional("openvino", extra=_EXTRA)


@functools.cache
def core() -> Any:
    """Return OpenVINO's ``Core``, the same for as long as the process lives.

    Each lends its thread a stack for signals. Of two that are let go of in the order in which they
    came, the second gives back the stack of the first, which is gone: the next interrupt would end
    the process.
    """
    return openvino().Core()


def nncf() -> Any:
    """Return NNCF, which compresses the weights of OpenVINO's models.

    Raises:
        MissingExtraError: It is not installed.
    """
    before = logging.getLoggerClass()
    try:
        with _no_telemetry(), unwarned():
            return optional("nncf", extra=_EXTRA)
    finally:
        logging.setLoggerClass(before)  # it would make every logger of the process one of its own


@contextlib.contextmanager
def converting(label: str) -> Iterator[None]:
    """Run the block with what tracing warns of left unsaid: the check of the answers says more."""
    with watched(label, notes=[]), unwarned():
        yield


@contextlib.contextmanager
def compressing(label: str, notes: list[str]) -> Iterator[None]:
    """Run the block with NNCF's tables and bars unseen, and its warnings in ``notes``."""
    rich = optional("rich", extra=_EXTRA)  # NNCF draws with it, on its one console
    console = rich.get_console()
    before = console.__dict__
    rich.reconfigure(file=io.StringIO(), force_jupyter=False, force_terminal=False)
    try:
        with converting(label), logged_into(notes, "nncf"):
            yield
    finally:
        console.__dict__ = before


@contextlib.contextmanager
def _no_telemetry() -> Iterator[None]:
    """Hide the package by which both report each use to their maker while they are imported.

    Both go on without it, for the rest of the process. Where it was imported before us, whoever
    did that has chosen.
    """
    if _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
