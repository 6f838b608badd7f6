"""The session at a glance."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hf_magics.display.numbers import size
from hf_magics.display.parts import Column, Page, Table, Text
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.modeling.results import ModelFacts
from hf_magics.modeling.sharing import storages
from hf_magics.modeling.store import Session

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


def _shortened(source: str) -> str:
    """Return the last parts of a long path; the model's own page has it whole."""
    if len(source) <= _LONG:
        return source
    return str(Path("…", *Path(source).parts[-2:]))
