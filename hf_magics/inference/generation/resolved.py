"""The spec of a generation as it was run, which is what the log has."""

from __future__ import annotations

import dataclasses
from typing import Any

from hf_magics.inference.generation.options import LENGTHS, Plan
from hf_magics.modeling.store import LoadedModel
from hf_magics.specs import ChatSpec, GenerateSpec


def as_run(spec: GenerateSpec | ChatSpec, loaded: LoadedModel, made: Plan) -> Any:
    """Return the spec with the model, the limit and the seed that were used."""
    return dataclasses.replace(
        spec,
        name=loaded.name,
        max_new_tokens=made.limit,
        seed=made.seed,
        extra=_without_lengths(spec.extra),
    )


def _without_lengths(extra: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """Return what ``--set`` gave without the limits: a resolved spec has the limit by itself."""
    return tuple((name, value) for name, value in extra if name not in LENGTHS)
