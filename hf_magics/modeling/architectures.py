"""Which class: from a task, a class name, or what the checkpoint says it was saved from."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
import transformers
from transformers.activations import ACT2FN
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from hf_magics.display.words import nearest, one_line, sentence_list
from hf_magics.errors import ConfigError, HeadError
from hf_magics.interrupts import no_interrupt
from hf_magics.modeling.heads import TASKS


def is_model_type(word: str) -> bool:
    """Say whether transformers knows a model type of this name."""
    return word in CONFIG_MAPPING_NAMES


def model_types() -> list[str]:
    """Return the names of all model types that transformers has."""
    return list(CONFIG_MAPPING_NAMES)


def config_class(model_type: str) -> type[Any]:
    """Return the config class of a model type.

    Raises:
        ConfigError: There is no such type; the message has the nearest.
    """
    if not is_model_type(model_type):
        close = _type_of_class(model_type) or nearest(model_type, CONFIG_MAPPING_NAMES)
        raise ConfigError(f"transformers has no model type '{model_type}'{close}")
    chosen: type[Any] = CONFIG_MAPPING[model_type]
    return chosen


def _type_of_class(name: str) -> str:
    """Return a hint where a class was named in place of a type."""
    named = getattr(transformers, name, None) if name.isidentifier() else None
    config = getattr(named, "config_class", None) or named
    found = getattr(config, "model_type", "")
    return f"; {name} is a class of the type '{found}'" if isinstance(found, str) and found else ""


@no_interrupt()  # the class is imported here: half of its module would stay broken
def choose_class(
    config: Any, *, task: str = "", head: str = "", default: str = "AutoModel"
) -> tuple[type[Any], str]:
    """Return the model class, and a note where it is not the one that was expected.

    The order is: the class ``head``, the class for ``task``, the first of the config's
    ``architectures`` that transformers has, the base class (or that of the Auto class ``default``).

    Raises:
        HeadError: No such class or task, or the architecture does not have it.
    """
    if head and task:
        raise HeadError("--class and --task both choose the head: give one of them")
    if head:
        return _named(config, head), ""
    if task:
        return _for_task(config, task), ""
    return _from_architectures(config, default)


def tasks_of(config: Any) -> list[str]:
    """Return the tasks that the config's architecture has a head for, in the table's order."""
    return [task for task, autos in TASKS.items() if any(_mapped(auto, config) for auto in autos)]


def is_head_for(model: Any, task: str) -> bool:
    """Say whether a model's class is one that transformers has for the task."""
    return any(type(model) in _all_mapped(auto, model.config) for auto in TASKS.get(task, ()))


def build_on_meta(chosen: Any, config: Any, dtype: torch.dtype) -> Any:
    """Return the model on the meta device: shapes without memory.

    Raises:
        ConfigError: The class can't be built with these sizes.
    """
    try:
        with torch.device("meta"):
            return chosen._from_config(config, dtype=dtype)  # noqa: SLF001 - what Auto.from_config calls
    except Exception as error:
        raise ConfigError(
            f"{chosen.__name__} can't be built with these fields: {_why(error)}"
        ) from error


def labels_note(model: Any, names: Collection[str]) -> str:
    """Return a note where labels were asked for and no weight of the model follows them.

    Args:
        model: The model as it was made.
        names: The config fields that the user set.
    """
    asked = [name for name in _LABELS if name in names]
    if not asked or _follows_labels(model):
        return ""
    task = next((task for task in tasks_of(model.config) if task.endswith("classification")), "")
    hint = f": --task {task} adds the head" if task else ""
    verb = "changes" if len(asked) == 1 else "change"
    return f"{sentence_list(asked)} {verb} no weights of {type(model).__name__}{hint}"


_LABELS = ("num_labels", "id2label", "label2id", "problem_type")


def _follows_labels(model: Any) -> bool:
    """Say whether another number of labels gives other shapes; where that can't be told, it may."""
    config = copy.deepcopy(model.config)
    config.num_labels = config.num_labels + 1
    try:
        other = build_on_meta(type(model), config, model.dtype)
    except ConfigError:
        return True
    return _shapes(model) != _shapes(other)


def _shapes(model: Any) -> dict[str, torch.Size]:
    return {name: one.shape for name, one in model.named_parameters()}


def _why(error: Exception) -> str:
    """Return what a class said; a bare key is the name of an activation that there is none of."""
    if isinstance(error, KeyError):
        return f"there is no {error}{nearest(str(error.args[0]), ACT2FN)}"
    return one_line(error)


def _named(config: Any, head: str) -> type[Any]:
    chosen = getattr(transformers, head, None)
    if not isinstance(chosen, type):
        close = nearest(head, _classes_for(config)) or nearest(head, _model_classes(head))
        raise HeadError(f"transformers has no class '{head}'{close}")
    if hasattr(chosen, "_model_mapping"):
        return _from_auto(config, head)
    expected = getattr(chosen, "config_class", None)
    if expected is None or head.endswith("PreTrainedModel"):
        raise HeadError(
            f"'{head}' is not a model class; {config.model_type} has: "
            f"{sentence_list(_classes_for(config))}"
        )
    if not isinstance(config, expected):
        raise HeadError(
            f"{head} is no class for a {config.model_type} checkpoint; "
            f"it has: {sentence_list(_classes_for(config))}"
        )
    return chosen


def _from_auto(config: Any, auto: str) -> type[Any]:
    chosen = _mapped(auto, config)
    if chosen is None:
        raise HeadError(
            f"{auto} has no class for the architecture '{config.model_type}'; "
            f"its tasks are: {sentence_list(tasks_of(config))}"
        )
    return chosen


def _for_task(config: Any, task: str) -> type[Any]:
    if task not in TASKS:
        raise HeadError(
            f"no task '{task}'{nearest(task, TASKS)}; {config.model_type} has: "
            f"{sentence_list(tasks_of(config), most=20)}"
        )
    found = (_mapped(auto, config) for auto in TASKS[task])
    chosen = next((one for one in found if one is not None), None)
    if chosen is None:
        raise HeadError(
            f"the architecture '{config.model_type}' has no head for {task}; "
            f"its tasks are: {sentence_list(tasks_of(config))}"
        )
    return chosen


def _from_architectures(config: Any, default: str) -> tuple[type[Any], str]:
    named = list(getattr(config, "architectures", None) or [])
    for name in named:
        chosen = getattr(transformers, name, None)
        if isinstance(chosen, type) and isinstance(config, getattr(chosen, "config_class", ())):
            return chosen, ""
    base = _base(config, default)
    if not named:
        return base, ""
    return base, (
        f"the checkpoint was saved from {sentence_list(named)}, which transformers does not have "
        f"for the type '{config.model_type}': {base.__name__} was loaded instead"
    )


def _base(config: Any, default: str) -> type[Any]:
    for auto in (default, "AutoModel", "AutoModelForPreTraining", "AutoModelForCausalLM"):
        chosen = _mapped(auto, config)
        if chosen is not None:
            return chosen
    tasks = tasks_of(config)
    if not tasks:
        raise HeadError(f"transformers has no model class for the type '{config.model_type}'")
    return _for_task(config, tasks[0])


def _mapped(auto: str, config: Any) -> type[Any] | None:
    """Return the class that an Auto class has for this config, if any."""
    return next(iter(_all_mapped(auto, config)), None)


def _all_mapped(auto: str, config: Any) -> tuple[type[Any], ...]:
    auto_class = getattr(transformers, auto, None)  # an older transformers lacks the newest
    if auto_class is None:
        return ()
    mapping = auto_class._model_mapping  # noqa: SLF001 - there is no public way to ask
    found = mapping.get(type(config), ())
    return found if isinstance(found, tuple) else (found,)


def _model_classes(but: str) -> list[str]:
    words = ("Model", "For", "LM")
    return [name for name in dir(transformers) if name != but and any(w in name for w in words)]


def _classes_for(config: Any) -> list[str]:
    found = [_mapped(auto, config) for autos in TASKS.values() for auto in autos]
    return list(dict.fromkeys(one.__name__ for one in found if one is not None))
