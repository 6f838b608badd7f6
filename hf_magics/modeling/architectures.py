"""Which class: from a task, a class name, or what the checkpoint says it was saved from."""

from __future__ import annotations

from typing import Any

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import ConfigError, HeadError
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
        close = nearest(model_type, CONFIG_MAPPING_NAMES)
        raise ConfigError(f"transformers has no model type '{model_type}'{close}")
    chosen: type[Any] = CONFIG_MAPPING[model_type]
    return chosen


def choose_class(
    config: Any, *, task: str = "", head: str = "", default: str = "AutoModel"
) -> tuple[type[Any], str]:
    """Return the model class, and a note where it is not the one that was expected.

    The order is: the class ``head``, the class for ``task``, the first of the config's
    ``architectures`` that transformers has, the base class (or that of the Auto class ``default``).

    Raises:
        HeadError: No such class or task, or the architecture does not have it.
    """
    if head:
        return _named(config, head), ""
    if task:
        return _for_task(config, task), ""
    return _from_architectures(config, default)


def tasks_of(config: Any) -> list[str]:
    """Return the tasks that the config's architecture has a head for, in the table's order."""
    return [task for task, autos in TASKS.items() if any(_mapped(auto, config) for auto in autos)]


def has_code_of_its_own(config: Any) -> bool:
    """Say whether the class comes with the checkpoint and not with transformers."""
    return bool(getattr(config, "auto_map", None)) and _mapped("AutoModel", config) is None


def _named(config: Any, head: str) -> type[Any]:
    chosen = getattr(transformers, head, None)
    if not isinstance(chosen, type):
        raise HeadError(f"transformers has no class '{head}'{nearest(head, dir(transformers))}")
    if hasattr(chosen, "_model_mapping"):
        return _from_auto(config, head)
    expected = getattr(chosen, "config_class", None)
    if expected is None:
        raise HeadError(f"'{head}' is not a model class{nearest(head, _classes_for(config))}")
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
        raise HeadError(f"no task '{task}'{nearest(task, TASKS)}; see %hf_load --help")
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
        f"the checkpoint was saved from {sentence_list(named)}, which transformers does not have: "
        f"{base.__name__} was loaded instead"
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
    auto_class = getattr(transformers, auto, None)  # an older transformers lacks the newest
    if auto_class is None:
        return None
    mapping = auto_class._model_mapping  # noqa: SLF001 - there is no public way to ask
    if type(config) not in mapping:
        return None
    found = mapping[type(config)]
    chosen: type[Any] = found[0] if isinstance(found, tuple) else found
    return chosen


def _classes_for(config: Any) -> list[str]:
    found = [_mapped(auto, config) for autos in TASKS.values() for auto in autos]
    return list(dict.fromkeys(one.__name__ for one in found if one is not None))
