"""New: a model type and its config fields to a model with random weights."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import torch

from hf_magics.modeling import architectures, fields, placement, preprocessors
from hf_magics.modeling.again import find_same
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.snippets import new_snippet
from hf_magics.modeling.store import LoadedModel, Origin, Session
from hf_magics.modeling.watching import watched
from hf_magics.modeling.weights import weights_mark
from hf_magics.settings import Settings
from hf_magics.snippets import script
from hf_magics.specs import NewSpec


def new(
    spec: NewSpec, session: Session, settings: Settings, *, tokenizer: Any = None
) -> ModelResult:
    """Make a model from a config, in eval mode, and make it current.

    It is built on the meta device first, where it takes no memory: sizes that disagree and a model
    that can't fit are found there.

    Args:
        spec: What to make.
        session: Where to put it.
        settings: What the spec leaves open.
        tokenizer: A tokenizer object to give it.

    Raises:
        ConfigError: Unknown type or field, a wrong value, sizes that disagree.
        HeadError: No such class or task for the type.
        FitError: It needs more memory than there is.
        TokenizerError: ``--tokenizer`` has none.
        SessionNameError: The name is taken by another model.
    """
    started = time.perf_counter()
    asked = dataclasses.replace(
        spec, device=spec.device or settings.device, dtype=spec.dtype or settings.dtype
    )
    there = find_same(asked, session, tokenizer)
    if there is not None:
        return ModelResult.of(session.use(there.name), already=True)
    name = session.choose_name(spec.name, spec.model_type, replace=spec.replace)
    notes: list[str] = []
    device = placement.resolve_device(asked.device)
    dtype = placement.resolve_dtype(asked.dtype) or torch.float32
    with watched(f"making the config of a {spec.model_type}", notes=notes):
        config, typed = make_config(spec.model_type, spec.fields)
    chosen, _ = architectures.choose_class(config, task=spec.task, head=spec.head)
    with watched(f"sizing a {chosen.__name__}", notes=notes):
        on_meta = architectures.build_on_meta(chosen, config, dtype)
    placement.check_fit(
        placement.weight_bytes(on_meta), device, f"a {chosen.__name__} of these sizes"
    )
    given, note = _tokenizer(spec, tokenizer, config)
    with watched(f"making a {chosen.__name__}", notes=notes), _seeded(spec.seed):
        model = chosen._from_config(config, dtype=dtype)  # noqa: SLF001 - what Auto.from_config calls
    model.eval()
    placement.move(model, device)
    loaded = LoadedModel(
        name=name,
        model=model,
        tokenizer=given,
        processor=None,
        origin=Origin("config", spec.model_type),
        spec=dataclasses.replace(
            asked,
            name=name,
            head=chosen.__name__,
            dtype=placement.dtype_name(dtype),
            device=str(model.device),
            fields=typed,
        ),
        asked=asked,
        random=("whole model",),
        weights_mark=weights_mark(model),
        tokenizer_given=tokenizer is not None and not spec.tokenizer,
    )
    loaded.code = script(new_snippet(loaded))
    session.add(loaded)
    session.log.append(loaded.spec)
    notes += [note, preprocessors.size_note(given, model)]
    return ModelResult.of(
        loaded, seconds=time.perf_counter() - started, notes=tuple(one for one in notes if one)
    )


def make_config(model_type: str, given: Any) -> tuple[Any, Any]:
    """Return a config of that type with these fields, and the fields as they were read.

    Raises:
        ConfigError: Unknown type or field, a wrong value, or sizes that disagree.
    """
    config_class = architectures.config_class(model_type)
    with fields.refusals_named():
        default = config_class()
    typed = fields.resolve(default, dict(given))
    fields.check_sizes(default, typed)  # the config's own validation names no fields
    with fields.refusals_named():
        return config_class(**fields.nested(default, typed)), typed


@contextlib.contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Seed torch for the length of the block; the notebook's own random state is left as it was."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _tokenizer(spec: NewSpec, tokenizer: Any, config: Any) -> tuple[Any, str]:
    if tokenizer is not None:
        preprocessors.check_tokenizer(tokenizer)
        return tokenizer, ""
    if not spec.tokenizer:
        return None, ""
    return preprocessors.find_tokenizer(spec.tokenizer, model_type=config.model_type)
