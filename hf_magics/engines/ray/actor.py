"""What runs on the cluster: windows, each by a copy of the model that was unpacked once."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import torch

from hf_magics.errors import HFMagicsError
from hf_magics.inference.mapping.snippets import Decoding
from hf_magics.inference.mapping.sources import Window
from hf_magics.inference.mapping.worker import Finished, Worker

Ran = tuple[Finished, Decoding | None] | HFMagicsError
"""A window's answers, and how they were decoded, for the plain code; or why it can't be run."""

_TRIES = 2


class Desk:
    """Gives the model to those that run it, and counts how often each window was begun.

    Ray begins a task anew where its actor died, without end. A window in which an actor died twice
    is not begun again: it comes back undone.
    """

    def __init__(self, packed: list[Any]) -> None:
        self._packed = packed
        self._begun: Counter[int] = Counter()

    def packed(self) -> list[Any]:
        """Return the reference to the model, in a list: so Ray does not send the model with it."""
        return self._packed

    def may_begin(self, number: int) -> bool:
        """Say whether a window may be begun, and count that."""
        self._begun[number] += 1
        return self._begun[number] <= _TRIES


class WindowActor:
    """Runs windows one after the other; a batch of Ray Data is one."""

    def __init__(self, desk: Any, threads: int) -> None:
        import ray  # noqa: PLC0415 - it is there in an actor; elsewhere it may not be

        torch.set_num_threads(threads)
        self._ray, self._desk = ray, desk
        self._worker: Worker = ray.get(ray.get(desk.packed.remote())[0])

    def run(self, window: Window) -> Ran:
        """Tokenise and run one window."""
        worker = self._worker
        try:
            with worker.at_speed():
                done = worker.finish(worker.prepare(window))
        except HFMagicsError as error:  # a value, since Ray makes texts of what is raised
            return error.with_traceback(None)
        return done, worker.decoding

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Run the windows of a batch of Ray Data: bytes in, bytes out, None where one is undone."""
        ran = [
            self.run(pickle.loads(one)) if self._may_begin(int(number)) else None  # noqa: S301 - ours
            for number, one in zip(batch["number"], batch["window"], strict=True)
        ]
        return {"ran": [pickle.dumps(one) for one in ran]}

    def _may_begin(self, number: int) -> bool:
        return bool(self._ray.get(self._desk.may_begin.remote(number)))
