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


@dataclass(frozen=True)
class Read:
    """What a page says of attention weights (layers, heads, queries, keys), in numbers.

    ``links`` are the largest weights of each head; ``left_out`` says which can't be among them.
    ``focus`` is, a head, the mean over its queries of the largest weight: 1 where each token looks
    at one alone. ``maps`` are the weights in ``size`` rows and columns at most.
    """

    links: tuple[Link, ...]
    left_out: str
    focus: list[float]
    maps: list[list[list[list[float]]]]
    size: int


def read(weights: torch.Tensor, maps: Maps, most: int, size: int) -> Read:
    """Return the strongest links, at most so many a head, and maps in blocks.

    A layer at a time: what is made of it stays in a core's cache.
    """
    allowed, left_out = telling(weights, maps)
    links: list[Link] = []
    focus: list[float] = []
    small = []
    for number, given in zip(maps.layers, weights, strict=True):
        layer = given.float()
        links += _strongest(number, layer.masked_fill(~allowed, -1), maps, most)
        focus += layer.amax(-1).mean(-1).tolist()
        small.append(blocks(layer, size).tolist())
    return Read(tuple(links), left_out, focus, small, size)


def _strongest(number: int, layer: torch.Tensor, maps: Maps, most: int) -> list[Link]:
    """Return the largest weights of each head of a layer (heads, queries, keys)."""
    flat = layer.flatten(1)
    largest = flat.max(-1, keepdim=True) if most == 1 else flat.topk(min(most, flat.shape[-1]))
    links = []
    for head, weights, places in zip(
        maps.heads, largest.values.tolist(), largest.indices.tolist(), strict=True
    ):
        for weight, place in zip(weights, places, strict=True):
            query, key = divmod(place, len(maps.keys))
            links.append(Link(number, head, maps.queries[query], maps.keys[key], weight))
    return [one for one in links if one.weight > 0]


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
    return plain, " and ".join(filter(None, (", ".join(left_out[:-1]), *left_out[-1:])))


def blocks(maps: torch.Tensor, most: int) -> torch.Tensor:
    """Return maps (heads, queries, keys) with at most so many rows and columns.

    A block is as large as its largest weight: a line of single weights stays a line.
    """
    for axis in (-2, -1):
        each = -(-maps.shape[axis] // most)
        room = -maps.shape[axis] % each
        padding = (0, room) if axis == -1 else (0, 0, 0, room)
        filled = torch.nn.functional.pad(maps, padding)
        maps = filled.unflatten(axis, (-1, each)).amax(axis)
    return maps


def _outer(rows: Sequence[bool], columns: Sequence[bool]) -> torch.Tensor:
    return torch.tensor(rows)[:, None] & torch.tensor(columns)[None]


def _is_causal(weights: torch.Tensor) -> bool:
    """Say whether no token looks at a later one; of a long text some tokens tell."""
    count = weights.shape[-1]
    some = range(0, count - 1, max(1, count // _ASKED))
    return count > 1 and not any(bool(weights[..., row, row + 1 :].any()) for row in some)


_ASKED = 8


def _across(queries: Sequence[Place], keys: Sequence[Place]) -> torch.Tensor:
    """Return which links go from one text of a pair to the other; none where there is no pair."""
    rows = torch.tensor([one.part for one in queries])
    columns = torch.tensor([one.part for one in keys])
    return rows[:, None] != columns[None]
