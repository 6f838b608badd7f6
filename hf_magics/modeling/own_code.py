"""Code that comes with a checkpoint: which class of it is meant, and what of it was run.

Its ``auto_map`` says for each Auto class where the code is: ``modeling_x.XModel`` among the
checkpoint's own files, ``org/name--modeling_x.XModel`` in another repository.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from hf_magics.display.words import sentence_list
from hf_magics.errors import HeadError
from hf_magics.modeling.architectures import is_model_type
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.heads import TASKS

_GENERATE = "custom_generate/generate.py"  # which transformers puts in the place of generate()
_RUN_IN = "transformers_modules."  # the package that transformers puts such code in
_SAID_IN = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
)


def refusal(location: str) -> str:
    """Say that code is not run without being asked for."""
    return (
        f"'{location}' comes with code of its own, which is not run unasked: read it, then "
        "--trust-remote-code"
    )


def auto_class(config: Any, *, task: str = "", head: str = "") -> str:
    """Return the Auto class under which a checkpoint brings the class, ``""`` where it does not.

    Raises:
        HeadError: Neither the checkpoint's code nor transformers has what was asked for.
    """
    auto_map = getattr(config, "auto_map", None) or {}
    brought = {str(name): str(where) for name, where in auto_map.items() if "Model" in name}
    if not head and not task:
        return "AutoModel" if "AutoModel" in brought else next(iter(brought), "")
    wanted = [head] if head else TASKS.get(task, ())
    for name, where in brought.items():
        if name in wanted or (head and where.endswith(f".{head}")):
            return name
    if brought and not is_model_type(config.model_type):
        raise HeadError(
            f"the checkpoint's own code has nothing for {head or task}; "
            f"it has: {sentence_list(brought)}"
        )
    return ""


def note(found: Checkpoint, made: Iterable[Any], *, trusted: bool) -> str:
    """Say what of a checkpoint's code was run and where it is, or that none was.

    Args:
        found: The checkpoint.
        made: The objects that came of it, None among them where there is none.
        trusted: Whether its code was allowed to run.
    """
    brought = _references(found)
    ran: dict[str, list[str]] = {}
    for owner in _code_of(made):
        if owner.__module__.startswith(_RUN_IN):
            name = f"{owner.__module__.rpartition('.')[2]}.{owner.__name__}"
            ran.setdefault(_place(name, brought) or found.location, []).append(name)
    if ran:
        places = (f"{sentence_list(names)} from '{place}'" for place, names in ran.items())
        return f"code of the checkpoint was run: {'; '.join(places)}"
    if brought and not trusted:
        return (
            f"code of the checkpoint was not run ({sentence_list(brought, most=4)}): "
            "transformers' own was; --trust-remote-code runs it"
        )
    return ""


def _code_of(made: Iterable[Any]) -> Iterator[Any]:
    """Yield the classes of objects, and a function that took the place of a ``generate``."""
    for one in made:
        yield type(one)
        own = getattr(one, "generate", None)
        if isinstance(own, functools.partial):
            yield own.func


def _references(found: Checkpoint) -> list[str]:
    """Return every place that the checkpoint's files name, each once."""
    maps = (found.read_json(name).get("auto_map") for name in _SAID_IN)
    is_own = _GENERATE in found.files or found.path(_GENERATE).is_file()
    values = [one for auto_map in maps if isinstance(auto_map, dict) for one in auto_map.values()]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return list(
        dict.fromkeys(
            one for one in [*flat, *([_GENERATE] if is_own else [])] if isinstance(one, str)
        )
    )


def _place(name: str, brought: list[str]) -> str:
    """Return the other repository that a class comes from, ``""`` where it is the checkpoint."""
    return next((one.partition("--")[0] for one in brought if one.endswith(f"--{name}")), "")
