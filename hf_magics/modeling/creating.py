"""New: a model type and its config fields to a model with random weights."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.modeling import architectures, field_sizes, fields, placement, preprocessors
from hf_magics.modeling.again import find_same
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.modeling.weights import weights_mark
from hf_magics.settings import Settings
from hf_magics.specs import Fields, NewSpec


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
    plan = _plan(asked, notes)
    given, note = _tokenizer(spec, tokenizer, plan.config)
    model = _build(plan, spec.seed, notes)
    notes += [note, preprocessors.size_note(given, model)]
    loaded = _entry(plan, model, given, asked=asked, name=name)
    loaded.tokenizer_given = tokenizer is not None and not spec.tokenizer
    session.add(loaded, *pieces_of(loaded))
    return ModelResult.of(
        loaded, seconds=time.perf_counter() - started, notes=tuple(one for one in notes if one)
    )


@dataclass(frozen=True)
class _Plan:
    """A model that is known to fit together and into memory; ``fields`` as they were read."""

    config: Any
    fields: Fields
    head: Any
    dtype: torch.dtype
    device: torch.device


def _plan(spec: NewSpec, notes: list[str]) -> _Plan:
    device = placement.resolve_device(spec.device)
    dtype = placement.resolve_dtype(spec.dtype) or torch.float32
    with watched(f"making the config of a {spec.model_type}", notes=notes):
        config, typed = make_config(spec.model_type, spec.fields)
    head, _ = architectures.choose_class(config, task=spec.task, head=spec.head)
    with watched(f"sizing a {head.__name__}", notes=notes):
        on_meta = architectures.build_on_meta(head, config, dtype)
    placement.check_fit(
        placement.weight_bytes(on_meta), device, f"a {head.__name__} of these sizes"
    )
    return _Plan(config, typed, head, dtype, device)


def _build(plan: _Plan, seed: int | None, notes: list[str]) -> Any:
    """Return the model itself, in eval mode and on its device."""
    with watched(f"making a {plan.head.__name__}", notes=notes), _seeded(seed):
        model = plan.head._from_config(plan.config, dtype=plan.dtype)  # noqa: SLF001 - as Auto does
    model.eval()
    placement.move(model, plan.device)
    return model


def _entry(plan: _Plan, model: Any, tokenizer: Any, *, asked: NewSpec, name: str) -> LoadedModel:
    """Return what the session keeps of it: the spec says what was chosen."""
    resolved = dataclasses.replace(
        asked,
        name=name,
        head=plan.head.__name__,
        dtype=placement.dtype_name(plan.dtype),
        device=str(model.device),
        fields=plan.fields,
    )
    return LoadedModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        processor=None,
        origin=Origin("config", asked.model_type),
        spec=resolved,
        asked=asked,
        random=("whole model",),
        weights_mark=weights_mark(model),
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
    field_sizes.check_sizes(default, typed)  # the config's own validation names no fields
    with fields.refusals_named():
        return config_class(**fields.nested(typed, default)), typed


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
