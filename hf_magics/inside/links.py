"""Who looks at whom: the strongest attention weights, and how focused a head is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hf_magics.inside.token_labels import Place


@dataclass(frozen=True)
class Maps:
    """What the axes of attention weights (layers, heads, queries, keys) stand for.

    ``layers`` and ``heads`` are the numbers of those that are there; ``queries`` look at ``keys``.
    """

    kind: str
    queries: list[Place]
    keys: list[Place]
    layers: tuple[int, ...]
    heads: tuple[int, ...]

    @property
    def within(self) -> bool:
        """Whether a text looks at itself."""
        return self.kind != "cross"


@dataclass(frozen=True)
class Link:
    """A weight: in a head of a layer, ``query`` looks at ``key``."""

    layer: int
    head: int
    query: Place
    key: Place
    weight: float

    @property
    def words(self) -> str:
        """The link as it is read: ``4 fox → 2 quick``."""
        return f"{self.query.words} → {self.key.words}"


def strongest(weights: torch.Tensor, maps: Maps, most: int = 1) -> tuple[Link, ...]:
    """Return each head's largest weights among those that `telling` lets, at most so many a head.

    In the order of layers and heads, and in a head the largest first.
    """
    allowed, _ = telling(weights, maps)
    masked = weights.float().masked_fill(~allowed, -1).flatten(2)
    found, places = masked.topk(min(most, masked.shape[-1]))
    links = []
    for row, layer in enumerate(maps.layers):
        for column, head in enumerate(maps.heads):
            here = zip(found[row, column].tolist(), places[row, column].tolist(), strict=True)
            for weight, place in here:
                query, key = divmod(place, len(maps.keys))
                links.append(Link(layer, head, maps.queries[query], maps.keys[key], weight))
    return tuple(one for one in links if one.weight > 0)


def telling(weights: torch.Tensor, maps: Maps) -> tuple[torch.Tensor, str]:
    """Return which links say something, (queries, keys), and in words what is left out.

    Heads that have nothing to say look at special tokens, at the token itself, or, where no token
    sees the ones after it, at the first one. Of a pair, what one text says of the other is kept.
    """
    queries, keys = maps.queries, maps.keys
    plain = _outer([not one.special for one in queries], [not one.special for one in keys])
    left_out = ["special tokens"] if not plain.all() else []
    if maps.within and len(queries) == len(keys):
        plain &= ~torch.eye(len(queries), dtype=torch.bool)
        left_out.append("tokens that look at themselves")
        if _is_causal(weights):
            plain[:, 0] = False
            left_out.append("the first token, at which heads look that look nowhere")
        across = _across(queries, keys)
        if across.any():
            plain &= across
            left_out.append("links within one of the two texts")
    if not plain.any():
        return torch.ones_like(plain), ""
    return plain, ", ".join(left_out)


def focus(weights: torch.Tensor) -> torch.Tensor:
    """Return how focused each head is: the mean over its queries of the largest weight.

    Of the shape (layers, heads): 1 where each token looks at one alone.
    """
    return weights.float().amax(-1).mean(-1)


def blocks(weights: torch.Tensor, most: int) -> torch.Tensor:
    """Return maps (layers, heads, queries, keys) with at most so many rows and columns.

    A block is as large as its largest weight: a line of single weights stays a line.
    """
    size = tuple(min(most, one) for one in weights.shape[-2:])
    pooled: torch.Tensor = torch.nn.functional.adaptive_max_pool2d(weights.float(), size)
    return pooled


def _outer(rows: Sequence[bool], columns: Sequence[bool]) -> torch.Tensor:
    return torch.tensor(rows)[:, None] & torch.tensor(columns)[None]


def _is_causal(weights: torch.Tensor) -> bool:
    count = weights.shape[-1]
    above = torch.ones(count, count, dtype=torch.bool).triu(1)
    return count > 1 and not bool(weights[..., above].any())


def _across(queries: Sequence[Place], keys: Sequence[Place]) -> torch.Tensor:
    """Return which links go from one text of a pair to the other; none where there is no pair."""
    rows = torch.tensor([one.part for one in queries])
    columns = torch.tensor([one.part for one in keys])
    return rows[:, None] != columns[None]
