"""The page of the logit lens: a row a layer, a column a position, and a token that is followed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from hf_magics.display.parts import Bar, Cell, Column, Fold, Note, Page, Part, Table, Tint
from hf_magics.inference.held import WithOutputs
from hf_magics.inside.token_labels import Place, places_of
from hf_magics.modeling.store import LoadedModel


@dataclass(frozen=True)
class Seen:
    """What the lens saw: the first axis is embeddings and layers, the second positions.

    ``target`` is the token that is followed, at the position ``followed``, and ``asked`` whether
    somebody chose it; ``ranks`` (from 1) and ``chances`` are a number a layer.
    """

    places: list[Place]
    tops: list[list[Place]]
    probabilities: list[list[float]]
    target: Place
    followed: Place
    ranks: list[int]
    chances: list[float]
    asked: bool

    @classmethod
    def of(
        cls,
        loaded: LoadedModel,
        logits: torch.Tensor,
        places: list[Place],
        *,
        followed: int,
        target: int | None,
    ) -> Seen:
        """Read it off the logits (layers + 1, positions, vocabulary).

        Without a target the last layer's likeliest token is followed.
        """
        best, tops = logits.float().max(-1)
        probabilities = (best - logits.float().logsumexp(-1)).exp()
        at = [one.at for one in places].index(followed)
        token = int(tops[-1, at]) if target is None else target
        here = logits[:, at].float()
        own = here[:, token]
        return cls(
            places,
            [places_of(loaded, row) for row in tops.tolist()],
            probabilities.tolist(),
            places_of(loaded, [token])[0],
            places[at],
            ((here > own[:, None]).sum(-1) + 1).tolist(),
            (own - here.logsumexp(-1)).exp().tolist(),
            asked=target is not None,
        )

    @property
    def layers(self) -> list[str]:
        """What the rows are called: the embeddings, then each layer by its number."""
        return ["embeddings", *(f"layer {at}" for at in range(len(self.tops) - 1))]


class LensResult(WithOutputs):
    """The lens over one input."""

    def __init__(
        self,
        loaded: LoadedModel,
        seen: Seen,
        logits: torch.Tensor,
        states: list[torch.Tensor] | None,
        *,
        notes: tuple[Note, ...],
        code: str,
    ) -> None:
        super().__init__(loaded.number, code, {"logits": logits})
        self._seen = seen
        self._changes = _changes(states) if states is not None else []
        self._title = f"{loaded.name} · {type(loaded.model).__name__} · logit lens"
        self._notes = notes

    @property
    def logits(self) -> torch.Tensor:
        """The head's logits, (layers + 1, positions, vocabulary): the first are the embeddings'.

        Raises:
            EvictedError: They were let go for newer ones.
        """
        logits: torch.Tensor = self._raw("logits")
        return logits

    @property
    def tokens(self) -> list[list[str]]:
        """The likeliest token of each layer at each position that is drawn."""
        return [[one.text for one in row] for row in self._seen.tops]

    def records(self) -> list[dict[str, Any]]:
        """A row for each layer and position; ``rank`` and ``chance`` are the followed token's."""
        seen = self._seen
        return [
            {
                "layer": layer,
                "position": place.at,
                "token": place.text,
                "top": top.text,
                "probability": probability,
            }
            for layer, tops, row in zip(seen.layers, seen.tops, seen.probabilities, strict=True)
            for place, top, probability in zip(seen.places, tops, row, strict=True)
        ]

    @property
    def ranks(self) -> list[int]:
        """The rank, from 1, of the token that is followed, in each layer from the embeddings on."""
        return self._seen.ranks

    @property
    def chances(self) -> list[float]:
        """Its probability there."""
        return self._seen.chances

    def page(self) -> Page:
        """The token that is followed, then the table of all layers and positions."""
        chart, said = _chart(self._seen)
        table = _table(self._seen)
        parts: list[Part] = [replace(chart, caption=said), table] if self._seen.asked else [table]
        if not self._seen.asked:
            parts.append(Fold(said, (chart,)))
        if self._changes:
            parts.append(_hidden(self._seen.layers, self._changes))
        return Page(self._title, tuple(parts), self._notes)


def _chart(seen: Seen) -> tuple[Table, str]:
    """Return the followed token's rank and probability in each layer, and where it settles."""
    columns = (Column("layer"), Column("probability"), Column("rank", "right"))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (layer, Bar(chance, f"{chance:.3f}"), f"{rank:,}")
        for layer, chance, rank in zip(seen.layers, seen.chances, seen.ranks, strict=True)
    )
    first = next((at for at, rank in enumerate(seen.ranks) if rank == 1), None)
    settled = f"likeliest from {seen.layers[first]} on" if first is not None else "never likeliest"
    if first is not None and any(rank > 1 for rank in seen.ranks[first:]):
        settled = f"likeliest first at {seen.layers[first]}"
    words = f"“{seen.target.text}” at position {seen.followed.words}: {settled}"
    return Table(columns, rows), words


def _table(seen: Seen) -> Table:
    columns = (Column("layer"), *(Column(one.words, mono=True) for one in seen.places))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (layer, *(Tint(f"{top.text} {chance:.2f}", chance) for top, chance in _pairs(tops, row)))
        for layer, tops, row in zip(seen.layers, seen.tops, seen.probabilities, strict=True)
    )
    caption = "The likeliest token of each layer, and its probability; the last row is the answer"
    return Table(columns, rows, caption, matrix=True)


def _pairs(tops: Sequence[Place], row: Sequence[float]) -> list[tuple[Place, float]]:
    return list(zip(tops, row, strict=True))


def _changes(states: Sequence[torch.Tensor]) -> list[tuple[float, float, float]]:
    """Return for each layer the mean norm, and the cosine with the layer before and with the last.

    Means over the positions; of states as the layers give them, the last past the final norm.
    """
    last, pairs = states[-1], zip([None, *states], states, strict=False)
    return [
        (float(one.norm(dim=-1).mean()), _cosine(one, before), _cosine(one, last))
        for before, one in pairs
    ]


def _cosine(one: torch.Tensor, other: torch.Tensor | None) -> float:
    """Return the mean cosine; NaN where there is no other, or one of another width."""
    if other is None or one.shape != other.shape:
        return math.nan
    return float(torch.nn.functional.cosine_similarity(one, other, dim=-1).mean())


def _figure(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


def _hidden(layers: Sequence[str], changes: Sequence[tuple[float, float, float]]) -> Table:
    columns = (
        Column("layer"),
        Column("norm", "right"),
        Column("cosine with the one before", "right"),
        Column("cosine with the last", "right"),
    )
    rows = tuple(
        (layer, _figure(norm, ",.1f"), _figure(before, ".3f"), _figure(last, ".3f"))
        for layer, (norm, before, last) in zip(layers, changes, strict=True)
    )
    caption = "Hidden states, means over the positions; the last layer's are past the final norm"
    return Table(columns, rows, caption)
