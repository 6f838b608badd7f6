"""The page of attention: the strongest links in words, and the maps of the heads."""

from __future__ import annotations

import math
from typing import Any

import torch

from hf_magics.display.parts import (
    Bar,
    Cell,
    Column,
    Heat,
    Note,
    Page,
    Part,
    Picture,
    Table,
    Tint,
)
from hf_magics.display.picture import small_multiples
from hf_magics.inference.held import WithOutputs
from hf_magics.inside.links import Link, Maps, blocks, focus, strongest, telling
from hf_magics.modeling.store import LoadedModel

_MOST_LINKS = 12
_DOTS = 30_000  # values of all small maps together: some 20 kB of pictures
_LARGEST, _SMALLEST = 24, 6  # rows of a small map
_IN_DETAIL = 48  # … where a layer or a head was chosen
_TABLE = 20  # tokens that a table of numbers has room for
_PICTURE = 128


class AttentionResult(WithOutputs):
    """The attention weights of one input."""

    def __init__(
        self,
        loaded: LoadedModel,
        maps: Maps,
        weights: torch.Tensor,
        *,
        chosen: tuple[int, ...],
        notes: tuple[Note, ...],
        code: str,
    ) -> None:
        super().__init__(loaded.number, code, {"attention": weights})
        one_map = weights.shape[0] == weights.shape[1] == 1
        self.links = strongest(weights, maps, _MOST_LINKS if one_map else 1)
        self._focus = focus(weights).flatten().tolist()
        self._chosen = chosen
        self._maps = maps
        self._title = f"{loaded.name} · {type(loaded.model).__name__} · {maps.kind} attention"
        self._notes = notes
        self._parts: tuple[Part, ...]
        if one_map:
            self._parts = (_links(self.links, weights, maps), _one_map(weights[0, 0], maps))
        elif 1 in weights.shape[:2]:
            self._parts = (_in_detail(weights, maps, self.links, self._focus),)
        else:
            self._parts = (_links(self.links, weights, maps), _strips(weights, maps))

    @property
    def attention(self) -> torch.Tensor:
        """The weights, (layers, heads, queries, keys), on the CPU; what was chosen is no axis.

        Raises:
            EvictedError: They were let go for newer ones.
        """
        weights: torch.Tensor = self._raw("attention")
        for axis in self._chosen:
            weights = weights.select(axis, 0)
        return weights

    @property
    def tokens(self) -> list[str]:
        """The tokens that look; ``""`` for what has none, such as a piece of an image."""
        return [one.text for one in self._maps.queries]

    def records(self) -> list[dict[str, Any]]:
        """A row for the strongest link of each head, or the strongest ones of a single head.

        ``focus`` is the mean over the head's tokens of the largest weight.
        """
        heads = [(layer, head) for layer in self._maps.layers for head in self._maps.heads]
        focused = dict(zip(heads, self._focus, strict=True))
        return [
            {
                "layer": one.layer,
                "head": one.head,
                "from": one.query.text,
                "from_position": one.query.at,
                "to": one.key.text,
                "to_position": one.key.at,
                "weight": one.weight,
                "focus": focused[one.layer, one.head],
            }
            for one in self.links
        ]

    def page(self) -> Page:
        """The strongest links in words, then the maps."""
        return Page(self._title, self._parts, self._notes)


def _links(links: tuple[Link, ...], weights: torch.Tensor, maps: Maps) -> Table:
    """Return the strongest links as a table: no picture says them in words."""
    columns = (
        Column("layer", "right"),
        Column("head", "right"),
        Column("token", mono=True),
        Column("looks at", mono=True),
        Column("weight"),
    )
    shown = sorted(links, key=lambda one: -one.weight)[:_MOST_LINKS]
    rows = tuple(
        (str(one.layer), str(one.head), one.query.words, one.key.words, _bar(one.weight))
        for one in shown
    )
    each = "The strongest links" if len(set(_heads(links))) == 1 else "The surest heads"
    return Table(columns, rows, f"{each}{_without(weights, maps)}")


def _heads(links: tuple[Link, ...]) -> list[tuple[int, int]]:
    return [(one.layer, one.head) for one in links]


def _bar(weight: float) -> Bar:
    return Bar(weight, f"{weight:.3f}")


def _without(weights: torch.Tensor, maps: Maps) -> str:
    _, left_out = telling(weights, maps)
    return f", without {left_out}" if left_out else ""


def _in_detail(
    weights: torch.Tensor, maps: Maps, links: tuple[Link, ...], focused: list[float]
) -> Table:
    """Return the heads of a layer, or the layers of a head: each with its map and its link."""
    by_layer = weights.shape[0] > 1
    what, numbers = ("layer", maps.layers) if by_layer else ("head", maps.heads)
    whole = f"Head {maps.heads[0]}" if by_layer else f"Layer {maps.layers[0]}"
    found = {one.layer if by_layer else one.head: one for one in links}
    size = _rows_of_maps(weights, _IN_DETAIL)
    small = blocks(weights, size).flatten(0, 1).tolist()
    columns = (
        Column(what),
        Column("map"),
        Column("its strongest link", mono=True),
        Column("weight"),
        Column("focus", "right"),
    )
    rows = tuple(
        (
            str(number),
            Picture(small_multiples([one], 2 * _IN_DETAIL), f"attention of {what} {number}"),
            found[number].words if number in found else "",
            _bar(found[number].weight) if number in found else "",
            f"{focus_:.2f}",
        )
        for number, one, focus_ in zip(numbers, small, focused, strict=True)
    )
    said = f"focus is the mean of each token's largest weight{_without(weights, maps)}"
    return Table(columns, rows, f"{whole}: {_reads(weights, size)}; {said}")


def _one_map(matrix: torch.Tensor, maps: Maps) -> Part:
    """Return a map as numbers while there is room, else as a picture."""
    where = f"Layer {maps.layers[0]}, head {maps.heads[0]}"
    if max(matrix.shape) > _TABLE:
        small = blocks(matrix[None, None], _PICTURE)[0, 0]
        each = "" if small.shape == matrix.shape else "; a block is its largest weight"
        label = f"{where}: a row a token that looks, a column a token that is looked at{each}"
        return Heat(tuple(map(tuple, small.tolist())), 0.0, 1.0, label)
    columns = (Column("looks", mono=True), *(Column(one.words, "right") for one in maps.keys))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (query.words, *(Tint(f"{weight:.2f}", weight) for weight in row))
        for query, row in zip(maps.queries, matrix.tolist(), strict=True)
    )
    return Table(columns, rows, f"{where}: a row adds up to 1", matrix=True)


def _strips(weights: torch.Tensor, maps: Maps) -> Table:
    """Return a strip of small maps a layer."""
    size = _rows_of_maps(weights, _LARGEST)
    rows = tuple(
        (str(layer), Picture(small_multiples(row, 2 * _LARGEST), f"the heads of layer {layer}"))
        for layer, row in zip(maps.layers, blocks(weights, size).tolist(), strict=True)
    )
    heads = f"heads {maps.heads[0]} to {maps.heads[-1]}, from left to right"
    caption = f"All heads: {_reads(weights, size)}"
    return Table((Column("layer"), Column(heads)), rows, caption)


def _rows_of_maps(weights: torch.Tensor, most: int) -> int:
    """Return how many rows a small map has, so that all together fit on a page."""
    heads = weights.shape[0] * weights.shape[1]
    return max(_SMALLEST, min(most, math.isqrt(_DOTS // heads)))


def _reads(weights: torch.Tensor, size: int) -> str:
    each = f", in {size} × {size} blocks" if size < max(weights.shape[-2:]) else ""
    return f"a row is a token that looks, a column one that is looked at{each}"
