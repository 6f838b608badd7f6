"""Memory that was freed, back to the system."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable


def give_back() -> None:
    """Let the C library return what it holds free; it takes milliseconds.

    glibc keeps whatever lies below something that stays, such as a kernel that oneDNN compiled in
    the middle of a batch: over a long job that came to more than the batches themselves.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``, None where another C library runs."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
