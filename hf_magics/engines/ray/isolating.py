"""A window that may have killed its actor: run apart, in halves down to the row that does it."""

from __future__ import annotations

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
    guilty: set[int] = set()
    ran = _run(ray, actor, window)
    if ran is None and _run(ray, actor, dataclasses.replace(window, rows=())) is None:
        raise EngineError(
            "the actors of Ray die as they load the model, as where there is no room for it: "
            "--actors N takes fewer"
        )
    while ran is None:
        guilty.add(_find(ray, actor, window, guilty))
        ran = _run(ray, actor, _without(window, guilty))
    return ran


def _find(ray: Any, actor: Callable[[], Any], window: Window, known: set[int]) -> int:
    """Return a row that kills, which is among those that are not known."""
    rows = [row for row in range(len(window.rows)) if row not in known]
    while len(rows) > 1:
        half = rows[: len(rows) // 2]
        others = set(range(len(window.rows))) - set(half)
        died = _run(ray, actor, _without(window, others)) is None
        rows = half if died else rows[len(half) :]
    return rows[0]


def _without(window: Window, rows: set[int]) -> Window:
    """Return the window with an error in the place of these rows."""
    return dataclasses.replace(window, problems={**dict.fromkeys(rows, _KILLED), **window.problems})


def _run(ray: Any, actor: Callable[[], Any], window: Window) -> Ran | None:
    """Run a window in an actor of its own; None where that died."""
    one = actor()
    try:
        ran: Ran = ray.get(one.run.remote(window))
    except ray.exceptions.RayActorError:
        return None
    finally:
        ray.kill(one)
    return ran
