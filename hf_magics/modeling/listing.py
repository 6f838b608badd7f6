"""The session at a glance."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hf_magics.display.numbers import size
from hf_magics.display.parts import Column, Page, Table, Text
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.errors import EngineError, OptionError
from hf_magics.modeling import placement
from hf_magics.modeling.results import ModelFacts, ModelResult
from hf_magics.modeling.sharing import sharers, storages
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.weights import weights_mark
from hf_magics.specs import UseSpec

_COLUMNS = (
    Column("name"),
    Column(""),
    Column("class", mono=True),
    Column("parameters", "right"),
    Column("in memory", "right"),
    Column("shared", "right"),
    Column("dtype", mono=True),
    Column("device", mono=True),
    Column("engine"),
    Column("adapter"),
    Column("random weights"),
    Column("from", mono=True),
)
_LONG = 48


class ModelsResult(Shown):
    """The models of a session, the current one marked."""

    def __init__(self, session: Session) -> None:
        self._models = tuple(ModelFacts.of(session[name]) for name in session)
        self._current = session.current_name
        self._kept = session.kept.nbytes
        self._shared, self._total = _memory(session)

    def records(self) -> list[dict[str, Any]]:
        """A row a model."""
        return [
            asdict(one)
            | {"current": one.name == self._current, "shared_bytes": self._shared[one.name]}
            for one in self._models
        ]

    def page(self) -> Page:
        """A row a model."""
        if not self._models:
            return Page("models", (Text("No model is loaded: %hf_load SOURCE, or %hf_new TYPE."),))
        listed = [self._row(one) for one in self._models]
        left_out = {
            "shared": not any(self._shared.values()),
            "engine": not any(one.engine for one in self._models),
            "adapter": not any(one.adapter for one in self._models),
            "random weights": not any(one.random for one in self._models),
        }
        kept = [at for at, one in enumerate(_COLUMNS) if not left_out.get(one.name)]
        columns = tuple(_COLUMNS[at] for at in kept)
        rows = tuple(tuple(row[at] for at in kept) for row in listed)
        caption = (
            f"{size(self._total)} of weights; outputs kept for shown results: {size(self._kept)}"
        )
        return Page("models", (Table(columns, rows, caption),))

    def _row(self, one: ModelFacts) -> tuple[str, ...]:
        return (
            one.name,
            "current" if one.name == self._current else "",
            one.head,
            one.parameter_words,
            one.memory_words,
            size(self._shared[one.name]) if self._shared[one.name] else "",
            one.dtype,
            one.device,
            one.engine or "torch",
            one.adapter or "none",
            sentence_list(one.random, most=3) if one.random else "none",
            _shortened(one.source) + (f" @ {one.commit[:12]}" if one.commit else ""),
        )


def _memory(session: Session) -> tuple[dict[str, int], int]:
    """Return the bytes that each model shares with another, and those of all, each once."""
    held = {name: storages(session[name].torch_model) for name in session}
    owners = Counter(place for places in held.values() for place in places)
    shared = {
        name: sum(nbytes for place, nbytes in places.items() if owners[place] > 1)
        for name, places in held.items()
    }
    once = {place: nbytes for places in held.values() for place, nbytes in places.items()}
    facts_ = (ModelFacts.of(session[name]) for name in session)
    twice = sum(sum(places.values()) for places in held.values()) - sum(once.values())
    return shared, sum(one.memory_bytes for one in facts_) - twice


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


def _shortened(source: str) -> str:
    """Return the last parts of a long path; the model's own page has it whole."""
    if len(source) <= _LONG:
        return source
    return str(Path("…", *Path(source).parts[-2:]))


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
