"""Use: make a model the current one; move it to another device, or cast it."""

from __future__ import annotations

import dataclasses

import torch

from hf_magics.display.words import sentence_list
from hf_magics.errors import EngineError, OptionError
from hf_magics.modeling import placement
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.sharing import sharers
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.weights import weights_mark
from hf_magics.specs import UseSpec


def use(spec: UseSpec, session: Session) -> ModelResult:
    """Make a model the current one, and move or cast it where asked.

    Raises:
        SessionNameError: No such model.
        OptionError: No such device or dtype, or another model shares its weights.
        FitError: The device has no room for it.
        EngineError: An engine computes it, or its weights are quantised.
    """
    loaded = session.get(spec.name)
    if spec.device or spec.dtype:
        model = loaded.model
        device = placement.resolve_device(spec.device) if spec.device else model.device
        dtype = placement.resolve_dtype(spec.dtype)
        if device != model.device or dtype not in (None, model.dtype):
            _check_movable(loaded, session)
            _place(loaded, device, dtype)
    session.use(loaded.name)
    session.record(dataclasses.replace(spec, name=loaded.name), *pieces_of(loaded))
    note = placement.slow_dtype_note(loaded.model) if loaded.torch_model is not None else ""
    return ModelResult.of(loaded, notes=(note,) if note else ())


def _place(loaded: LoadedModel, device: torch.device, dtype: torch.dtype | None) -> None:
    """Move or cast a model, and write down what a script has to do for the same."""
    model = loaded.model
    unchanged = weights_mark(model) == loaded.weights_mark
    before = (model.device, model.dtype)
    placement.move(model, device, dtype)
    if model.device != before[0]:
        loaded.moves += (f'model.to("{model.device}")',)
    if model.dtype != before[1]:
        loaded.moves += (f"model.to({model.dtype})",)
    elif unchanged:  # a move is no change of the weights: the same line finds it again
        loaded.weights_mark = weights_mark(model)


def _check_movable(loaded: LoadedModel, session: Session) -> None:
    """Refuse to move or cast what was made for one place, or has weights of another model."""
    if others := sharers(loaded, session):
        raise OptionError(
            f"{loaded.name} shares its weights with {sentence_list(others)}, which would be moved "
            f"or cast as well: %hf_drop {' '.join(others)} first, or %hf_load the checkpoint again "
            "with another -n NAME and without --share"
        )
    if loaded.engine is not None:
        is_other = loaded.runner is not None  # and not torch, with weights that were made smaller
        how = "without --engine for that" if is_other else "again with another --device or --dtype"
        raise EngineError(
            f"{loaded.name} is computed by {loaded.engine.words}, and stays where it is and as it "
            f"is: %hf_load it {how}"
        )
