"""How many tokens a batch should have: a short probe on the rows themselves."""

from __future__ import annotations

import dataclasses
import time

from hf_magics.errors import FitError, InputError
from hf_magics.inference.grouping import budget_of
from hf_magics.inference.mapping.sources import WINDOW_CHARS, Source, Window
from hf_magics.inference.mapping.worker import Prepared, Worker

_ON_CPU = (512, 1_024, 2_048, 4_096)
_ON_GPU = (4_096, 16_384, 65_536)
_TRIES = 2  # the better of them counts: other work of the machine makes a pass slow, never fast
_WORTH = 20  # times what the probe runs, that a job without more windows has to have
_GAIN = 1.05  # less is noise, and a larger batch takes more memory


def find_budget(worker: Worker, source: Source) -> int:
    """Return the tokens of a batch with which this model is fastest on this device.

    Measured once a model, on rows of the source of a middling length, where there is enough to do
    that it is worth it; else the device's usual.
    """
    loaded = worker.request.loaded
    usual = budget_of(loaded)
    if loaded.batch_tokens:
        return usual
    candidates = _ON_CPU if loaded.model.device.type == "cpu" else _ON_GPU
    windows = source.windows(worker.task.window, WINDOW_CHARS)
    window, more = next(windows, None), next(windows, None)
    if window is None or worker.task.window < _WHOLE_WINDOW:
        return usual
    if more is None and _tokens_about(window) < _WORTH * _TRIES * sum(candidates):
        return usual
    lenient = Worker(worker.task, worker.request, worker.column, usual, packs=worker.packs)
    prepared = lenient.prepare(_without_long(window))
    if prepared.rows is None:
        return usual
    try:
        with lenient.at_speed():
            loaded.batch_tokens = _fastest(lenient, prepared, candidates)
    except (FitError, InputError):  # told of in its row when that is run
        return usual
    return loaded.batch_tokens


def _tokens_about(window: Window) -> int:
    """Return about how many tokens a window has: to tokenise it would cost a part of its job."""
    texts = sum(len(one) for one in window.rows if isinstance(one, str))
    return texts // _CHARS_A_TOKEN + sum(len(one) for one in window.rows if isinstance(one, list))


def _without_long(window: Window) -> Window:
    """Return a window without rows that take long to tokenise: they are when they are run."""
    rows = (None if isinstance(one, str) and len(one) > _LONG else one for one in window.rows)
    return dataclasses.replace(window, rows=tuple(rows))


_LONG = 100_000  # characters
_CHARS_A_TOKEN = 4  # of English, in most vocabularies
_WHOLE_WINDOW = 1_000  # tasks that write have small windows: a probe would cost what it gains


def _fastest(worker: Worker, prepared: Prepared, candidates: tuple[int, ...]) -> int:
    """Return the smallest budget that no larger one beats, its padding in the window counted."""
    best, fastest = candidates[0], 0.0
    _speed(worker, prepared, candidates[0])  # what a first pass sets up is not counted
    for budget in candidates:
        try:
            speed = max(_speed(worker, prepared, budget) for _ in range(_TRIES))
        except FitError:
            break
        speed *= _filled(prepared, budget)
        if speed > fastest * _GAIN:
            best, fastest = budget, speed
    return best


def _filled(prepared: Prepared, budget: int) -> float:
    """Return the part of the batches of a window that is tokens, and not padding."""
    lengths, batches = prepared.lengths, prepared.plan(budget)
    return sum(lengths) / sum(lengths[batch[0]] * len(batch) for batch in batches)


def _speed(worker: Worker, prepared: Prepared, budget: int) -> float:
    """Return the tokens per second, padding too, of one batch of rows of a middling length."""
    order = sorted(range(len(prepared.lengths)), key=lambda row: prepared.lengths[row])
    middle = len(order) * 3 // 4  # half of the tokens are in longer rows
    width = prepared.lengths[order[middle]]
    rows = tuple(order[max(0, middle - budget // width) : middle]) or (order[middle],)
    worker.budget = budget  # rows are filled up as they would be
    started = time.perf_counter()
    worker.columns(prepared, rows)
    widest = max(prepared.lengths[row] for row in rows)
    return widest * len(rows) / (time.perf_counter() - started)
