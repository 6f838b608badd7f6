"""How many tokens a batch should have: a short probe on the rows themselves."""

from __future__ import annotations

import time

from hf_magics.errors import FitError, InputError
from hf_magics.inference.grouping import budget_of
from hf_magics.inference.mapping.sources import Source
from hf_magics.inference.mapping.worker import Prepared, Worker

_ON_CPU = (512, 1_024, 2_048, 4_096)
_ON_GPU = (4_096, 16_384, 65_536)
_WORTH = 20  # times what the probe runs, that a window has to have
_GAIN = 1.03  # less is noise, and a larger batch takes more memory
_CHARS = 4_000_000


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
    window = next(source.windows(worker.task.window, _CHARS), None)
    if window is None or worker.task.window < _WHOLE_WINDOW:
        return usual
    lenient = Worker(worker.task, worker.request, worker.column, usual, packs=worker.packs)
    prepared = lenient.prepare(window)
    whole = source.count is None or source.count > len(window.rows)
    if prepared.rows is None or (prepared.tokens < _WORTH * sum(candidates) // 4 and not whole):
        return usual
    try:
        with lenient.at_speed():
            loaded.batch_tokens = _fastest(lenient, prepared, candidates)
    except (FitError, InputError):  # told of in its row when that is run
        return usual
    return loaded.batch_tokens


_WHOLE_WINDOW = 1_000  # tasks that write have small windows: a probe would cost what it gains


def _fastest(worker: Worker, prepared: Prepared, candidates: tuple[int, ...]) -> int:
    best, fastest = candidates[0], 0.0
    _speed(worker, prepared, candidates[0])  # what a first pass sets up is not counted
    for budget in candidates:
        try:
            speed = _speed(worker, prepared, budget)
        except FitError:
            break
        if speed > fastest * _GAIN:
            best, fastest = budget, speed
    return best


def _speed(worker: Worker, prepared: Prepared, budget: int) -> float:
    """Return the tokens per second of one batch of rows of about the same length."""
    order = sorted(range(len(prepared.lengths)), key=lambda row: prepared.lengths[row])
    middle = len(order) * 3 // 4  # half of the tokens are in longer rows
    width = prepared.lengths[order[middle]]
    rows = tuple(order[max(0, middle - budget // width) : middle]) or (order[middle],)
    started = time.perf_counter()
    worker.columns(prepared, rows)
    return sum(prepared.lengths[row] for row in rows) / (time.perf_counter() - started)
