"""A window that may have killed its actor: run apart, in halves down to the row that does it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from hf_magics.engines.ray.actor import Ran
from hf_magics.errors import EngineError
from hf_magics.inference.mapping.sources import Window

_KILLED = "killed its worker each time it was run"


def isolate(ray: Any, actor: Callable[[], Any], window: Window) -> Ran:
    """Return a window's answers; a row that kills its actor has that as its error.

    Args:
        ray: The module, with its cluster.
        actor: Starts an actor.
        window: The rows.

    Raises:
        EngineError: An actor dies without a row, as where there is no room for the model.
    """
    with contextlib.closing(_Apart(ray, actor)) as apart:
        return _isolated(apart, window)


class _Apart:
    """One actor, that has the model until it dies; then another."""

    def __init__(self, ray: Any, start: Callable[[], Any]) -> None:
        self._ray = ray
        self._start = start
        self._actor: Any = None

    def run(self, window: Window) -> Ran | None:
        """Run a window; None where the actor died of it."""
        if self._actor is None:
            self._actor = self._start()
        try:
            ran: Ran = self._ray.get(self._actor.run.remote(window))
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.OutOfMemoryError):
            self.close()
            return None
        return ran

    def close(self) -> None:
        """End the actor."""
        if self._actor is not None:
            self._ray.kill(self._actor)
            self._actor = None


def _isolated(apart: _Apart, window: Window) -> Ran:
    guilty: set[int] = set()
    ran = apart.run(window)
    if ran is None and apart.run(dataclasses.replace(window, rows=())) is None:
        raise EngineError(
            "the actors of Ray die as they load the model, as where there is no room for it: "
            "--actors N takes fewer"
        )
    while ran is None:
        guilty.add(_find(apart, window, guilty))
        ran = apart.run(_without(window, guilty))
    return ran


def _find(apart: _Apart, window: Window, known: set[int]) -> int:
    """Return a row that kills, which is among those that are not known."""
    rows = [row for row in range(len(window.rows)) if row not in known]
    while len(rows) > 1:
        half = rows[: len(rows) // 2]
        others = set(range(len(window.rows))) - set(half)
        died = apart.run(_without(window, others)) is None
        rows = half if died else rows[len(half) :]
    return rows[0]


def _without(window: Window, rows: set[int]) -> Window:
    """Return the window with an error in the place of these rows."""
    return dataclasses.replace(window, problems={**dict.fromkeys(rows, _KILLED), **window.problems})
