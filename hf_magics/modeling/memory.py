"""Memory that was freed: kept from batch to batch, given back to the system in the end."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable

import torch


def give_back() -> None:
    """Let the C library return what it holds free; it takes milliseconds.

    glibc keeps whatever lies below something that stays, such as a kernel that oneDNN compiled in
    the middle of a batch: over a long job that came to more than the batches themselves. A model
    that found room there leaves it there too.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


def keep_for_the_next() -> None:
    """Let the C library keep what one batch frees, for the next one.

    glibc maps each block that is larger than the largest it ever freed, and gives back the end of
    its heap beyond twice that: every layer of a batch then waits for its pages to come anew, which
    took a tenth of a map's time. One large block that is freed at once raises both bounds as far as
    they go (``M_MMAP_THRESHOLD`` in mallopt(3)).
    """
    torch.empty(_LARGEST, dtype=torch.uint8)


_LARGEST = 2**25 - 2**16  # bytes: glibc's DEFAULT_MMAP_THRESHOLD_MAX, with room for its header


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``, None where another C library runs."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
