"""Downloads from the hub: several files at once, each compared with its hash, stopped at once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from huggingface_hub import errors, hf_hub_download

from hf_magics.display.progress import Meter
from hf_magics.display.words import one_line
from hf_magics.errors import HubError
from hf_magics.modeling import hub_cache
from hf_magics.modeling.bars import Bar
from hf_magics.modeling.hub import download_error
from hf_magics.modeling.watching import watched_hub

_AT_ONCE = 8  # files, as huggingface_hub does
_LOOK_S = 0.2


def fetch(repo_id: str, commit: str, names: list[str]) -> None:
    """Download the files that are not in the cache yet.

    With them there, transformers loads without asking the hub again, which would take most of a
    minute where it does not answer, and without threads that an interrupt has to wait for.

    Raises:
        HubError: The hub refuses them, can't be reached, or sent something else.
    """
    folder = hub_cache.snapshot(repo_id, commit)
    missing = [name for name in names if not (folder / name).is_file()]
    if not missing:
        return
    with watched_hub(f"downloading from {repo_id}") as meter:
        arriving = _Arriving(meter)
        try:
            _each(missing, functools.partial(_fetch_one, repo_id, commit, arriving))
        finally:
            arriving.stopped = True


def _fetch_one(repo_id: str, commit: str, arriving: _Arriving, name: str) -> None:
    bar: Any = functools.partial(Bar, meter=_Part(arriving))
    try:
        path = Path(hf_hub_download(repo_id, name, revision=commit, tqdm_class=bar))
    except (errors.HTTPError, OSError, ValueError) as error:
        other = f"'{name}' of '{repo_id}' can't be downloaded: {one_line(error)}"
        raise download_error(error, repo_id, commit) or HubError(other) from error
    if not hub_cache.is_as_announced(path):
        hub_cache.forget(path)
        raise HubError(
            f"'{name}' of '{repo_id}' came with other bytes than its hash on the hub says, and was "
            "deleted: run the line again; if that says the same, something on the way changes what "
            "it carries"
        )


def _each(names: Sequence[str], get: Callable[[str], None]) -> None:
    """Call it for each name in threads; an error or an interrupt waits for none of them."""
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(names)), thread_name_prefix="hf_magics-download")
    try:
        tasks = [pool.submit(get, name) for name in names]
        left, failed = set(tasks), False
        while left and not failed:  # some systems can't interrupt a wait without an end
            done, left = wait(left, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
            failed = any(task.exception() for task in done)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Arriving:
    """What of several files has arrived; once ``stopped``, each ends with its next piece."""

    def __init__(self, meter: Meter) -> None:
        self.stopped = False
        self._meter = meter
        self._parts: dict[_Part, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def count(self, part: _Part, done: float, total: float | None, unit: str, what: str) -> None:
        """Note how far a file is, and say how far all of them are that have begun."""
        with self._lock:
            self._parts[part] = (done, total or 0)
            counted = [sum(column) for column in zip(*self._parts.values(), strict=True)]
        self._meter.advance(counted[0], counted[1] or None, unit, what)


class _Part:
    """The meter of one file among several."""

    def __init__(self, whole: _Arriving) -> None:
        self._whole = whole

    def advance(self, done: float, total: float | None, unit: str = "", what: str = "") -> None:
        """Count for the whole.

        Raises:
            InterruptedError: It was stopped: nobody waits for this file any longer.
        """
        if self._whole.stopped:
            raise InterruptedError("the download was stopped")
        self._whole.count(self, done, total, unit, what)
