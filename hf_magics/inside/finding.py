"""The model that is looked into: one of the session, or one on the meta device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.errors import OptionError
from hf_magics.modeling import architectures, checkpoints, fields
from hf_magics.modeling.config_files import read_config
from hf_magics.modeling.configs import find_source
from hf_magics.modeling.creating import make_config
from hf_magics.modeling.snippets import model_snippet
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.snippets import Snippet, call
from hf_magics.specs import LayersSpec


@dataclass(frozen=True)
class Found:
    """A model with its name; ``loaded`` is None for one that has no weights."""

    name: str
    model: Any
    loaded: LoadedModel | None
    snippet: Snippet
    notes: tuple[str, ...] = ()


def find(spec: LayersSpec, session: Session, *, offline: bool = False) -> Found:
    """Look a word up: a session name, a folder or file, a model type, a hub id.

    What is not loaded is made on the meta device, where it takes no memory: of a source the config
    alone is read.

    Raises:
        HFMagicsError: There is no such name, source or type; or the class can't be made.
    """
    if not spec.target or spec.target in session:
        loaded = session.get(spec.target)
        given = ("--task", spec.task), ("--class", spec.head), *spec.fields
        option = next((name for name, value in given if value), "")
        if option:
            raise OptionError(
                f"{loaded.name} is loaded as it is: {option} is for a type or a source that is not"
            )
        return Found(loaded.name, loaded.model, loaded, model_snippet(loaded))
    notes: list[str] = []
    with watched(f"making {spec.target} without weights", notes=notes):
        config, snippet = _config(spec, session, offline=offline)
        head, note = architectures.choose_class(config, task=spec.task, head=spec.head)
        model = architectures.build_on_meta(head, config, _dtype(config))
    lines = ('with torch.device("meta"):', f"    model = {head.__name__}(config)")
    imports = ("import torch", f"from transformers import {head.__name__}")
    code = Snippet((*snippet.imports, *imports), (*snippet.lines, *lines))
    return Found(spec.target, model.eval(), None, code, tuple(one for one in (note, *notes) if one))


def _dtype(config: Any) -> torch.dtype:
    found = getattr(config, "dtype", None)
    return found if isinstance(found, torch.dtype) else torch.float32


def _config(spec: LayersSpec, session: Session, *, offline: bool) -> tuple[Any, Snippet]:
    target = spec.target
    if architectures.is_model_type(target) and not checkpoints.is_local(target):
        config, typed = make_config(target, spec.fields)
        name = type(config).__name__
        line = f"config = {call(name, **fields.nested(typed))}"
        return config, Snippet((f"from transformers import {name}",), (line,))
    found = find_source(target, session, offline=offline)
    config = read_config(found)
    typed = fields.resolve(config, dict(spec.fields))
    fields.assign(config, typed)
    lines = [f"config = {call('AutoConfig.from_pretrained', found.location, **found.which())}"]
    lines += [f"config.{name} = {value!r}" for name, value in typed]
    return config, Snippet(("from transformers import AutoConfig",), tuple(lines))
