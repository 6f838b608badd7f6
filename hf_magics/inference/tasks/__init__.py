"""Tasks: how an output is decoded, shown and written down. A file a task, a row here."""

from __future__ import annotations

from collections.abc import Collection

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import HeadError
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.tasks.choose import Choose
from hf_magics.inference.tasks.classify import Classify
from hf_magics.inference.tasks.embed import Embed
from hf_magics.inference.tasks.features import Features
from hf_magics.inference.tasks.fill_mask import FillMask
from hf_magics.inference.tasks.next_sentence import NextSentence
from hf_magics.inference.tasks.next_token import NextToken
from hf_magics.inference.tasks.piped.table import PIPED
from hf_magics.inference.tasks.question import Question
from hf_magics.inference.tasks.seq2seq import Summarization, Text2Text, Translation
from hf_magics.inference.tasks.tag import Tag
from hf_magics.inference.tasks.zero_shot import ZeroShot
from hf_magics.modeling.architectures import is_head_for
from hf_magics.modeling.heads import ALIASES
from hf_magics.modeling.store import LoadedModel

__all__ = ["TASKS", "Answer", "Done", "Request", "Task", "task_for", "tasks_for"]

_ALL: tuple[Task, ...] = (
    Classify(),
    Tag(),
    NextToken(),
    Text2Text(),
    Translation(),
    Summarization(),
    FillMask(),
    Choose(),
    NextSentence(),
    Question(),
    ZeroShot(),
    *PIPED,
    Embed(),
    Features(),
)
"""Of several tasks of a head, the first that reads the input and takes the options is its own."""

TASKS = {task.name: task for task in _ALL}

_FEATURES = TASKS["features"]


def tasks_for(loaded: LoadedModel) -> list[Task]:
    """Return the tasks that the model's head answers, its own first, ``features`` last."""
    return [task for task in _ALL if task is _FEATURES or is_head_for(loaded.model, task.name)]


def task_for(loaded: LoadedModel, name: str, inputs: Inputs, options: Collection[str] = ()) -> Task:
    """Return the task of that name; without one, the head's own that takes the ``options``.

    Raises:
        HeadError: There is no such task, or this head does not answer it; the message lists those
            that there are.
    """
    if not name:
        able = [task for task in tasks_for(loaded) if _reads(task, inputs)]
        own = [task for task in able if task.is_default_for(loaded)]
        fits = (task for task in (*own, *able) if set(options) <= set(task.options))
        # where none takes them all, the one that takes the most says what it does not
        return next(fits, max((*own, *able, _FEATURES), key=lambda task: _taken(task, options)))
    name = ALIASES.get(name, name)
    if name not in TASKS:
        raise HeadError(
            f"no task '{name}'{nearest(name, TASKS)}; there are: {sentence_list(TASKS, most=30)}"
        )
    task = TASKS[name]
    able = tasks_for(loaded)
    if task not in able:
        head = type(loaded.model).__name__
        raise HeadError(
            f"{loaded.name} is a {head}, which does not answer {name}: it answers "
            f"{sentence_list(one.name for one in able)}; %hf_load … --task {name} loads "
            "the head, if the checkpoint has one"
        )
    return task


def _taken(task: Task, options: Collection[str]) -> int:
    return len(set(options) & set(task.options))


def _reads(task: Task, inputs: Inputs) -> bool:
    return inputs.kind in task.reads
