"""What the engines without torch weights share: the way of a model into the session."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection
from typing import Any

from hf_magics.errors import OptionError
from hf_magics.modeling.again import find_same
from hf_magics.modeling.elsewhere import EngineModel
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import Session
from hf_magics.specs import LoadSpec

_OPTIONS = {
    "task": "--task",
    "head": "--class",
    "tokenizer": "--tokenizer",
    "revision": "--revision",
    "gguf": "--gguf",
    "dtype": "--dtype",
    "device": "--device",
    "attn": "--attn",
    "extra": "--set",
    "trust_remote_code": "--trust-remote-code",
    "offline": "--offline",
    "engine": "--engine",
    "quantize": "--quantize",
    "endpoint": "--endpoint",
    "share": "--share",
}


def enter(
    spec: LoadSpec,
    session: Session,
    fallback: str,
    make: Callable[[LoadSpec], tuple[EngineModel, tuple[str, ...]]],
) -> ModelResult:
    """Put a model into the session and make it current; the same line again gives the same model.

    Args:
        spec: What to load, as the line has it.
        session: Where to.
        fallback: What it is called where the line does not say.
        make: Takes the spec with the name in the session, and returns the model and notes for its
            page. Where it raises, the session is as it was.

    Raises:
        SessionNameError: The name is taken.
    """
    started = time.perf_counter()
    there = find_same(spec, session)
    if there is not None:
        session.use(there.name)
        return ModelResult.of(there, seconds=time.perf_counter() - started, already=True)
    name = session.choose_name(spec.name, fallback, replace=spec.replace)
    loaded, notes = make(dataclasses.replace(spec, name=name))
    loaded.asked = spec  # by which the same line is known again
    session.add(loaded, *pieces_of(loaded))
    return ModelResult.of(loaded, seconds=time.perf_counter() - started, notes=notes)


def refuse_others(spec: LoadSpec, who: str, taken: Collection[str], tokenizer: Any = None) -> None:
    """Refuse what a line gives and this engine has no use for.

    Args:
        spec: What to load, as the line has it.
        who: The engine in a sentence, such as ``llama.cpp``.
        taken: The fields of the spec that it takes, beside ``source``, ``name`` and ``replace``.
        tokenizer: A tokenizer object that came with the line.

    Raises:
        OptionError: Naming the option.
    """
    if spec.fields:
        name = spec.fields[0][0]
        raise OptionError(f"{who} takes the model as it is: {name}=… is for models of torch")
    if tokenizer is not None:
        raise OptionError(f"{who} has the tokenizer of the model itself: leave out --tokenizer")
    for name, option in _OPTIONS.items():
        if name not in taken and getattr(spec, name):
            raise OptionError(f"{option} means nothing to {who}: leave it out")
