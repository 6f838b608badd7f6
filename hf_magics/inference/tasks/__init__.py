"""Tasks: how an output is decoded, shown and written down. A file a task, a row here.

A task is a function from the model's output to an `Answer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import HeadError
from hf_magics.inference.tasks import features
from hf_magics.inference.tasks.answer import Answer
from hf_magics.settings import Settings

__all__ = ["Answer", "Task", "task_for"]


@dataclass(frozen=True)
class Task:
    """A task by its name."""

    name: str
    answer: Callable[[Any, Settings], Answer]


TASKS = {"features": Task("features", features.answer)}


def task_for(name: str) -> Task:
    """Return the task of that name; without one, the tensors themselves.

    Raises:
        HeadError: There is no such task; the message lists those that there are.
    """
    if name and name not in TASKS:
        raise HeadError(
            f"no task '{name}'{nearest(name, TASKS)}; there are: {sentence_list(TASKS)}"
        )
    return TASKS[name or "features"]
