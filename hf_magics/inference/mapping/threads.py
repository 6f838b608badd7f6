"""Threads: torch computes on physical cores, and the next window is made ready beside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psutil
import torch

from hf_magics.inference.mapping.sources import Window
from hf_magics.inference.mapping.worker import Finished, Prepared, Worker
from hf_magics.modeling.memory import give_back
from hf_magics.modeling.store import LoadedModel


@contextlib.contextmanager
def threads_for(loaded: LoadedModel) -> Iterator[None]:
    """Let torch use a thread for each physical core that this process may use.

    One where another engine computes the model: torch's threads wait busily for some milliseconds
    after each operation, on the cores that the engine needs by then.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(physical_cores() if loaded.runner is None else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def physical_cores() -> int:
    """Return the physical cores that this process may use: two threads of one are no faster."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, psutil.cpu_count(logical=False) or 1))


def here(worker: Worker, windows: Iterator[Window]) -> Generator[tuple[Window, Finished]]:
    """Run windows in this process, on this thread; the next one is tokenised beside."""

    def ready() -> Prepared | None:
        window = next(windows, None)
        return None if window is None else worker.prepare(window)

    with worker.at_speed(), ThreadPoolExecutor(1, thread_name_prefix="hf-magics-tokenise") as pool:
        coming: Future[Prepared | None] = pool.submit(ready)
        while (prepared := coming.result()) is not None:
            coming = pool.submit(ready)
            yield prepared.window, worker.finish(prepared)
            give_back()
