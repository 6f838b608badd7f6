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
from hf_magics.inside.links import Link, Maps, Read, read
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
        heads = len(maps.layers) * len(maps.heads)
        self._read = read(weights, maps, _MOST_LINKS if heads == 1 else 1, _size(maps))
        self._chosen = chosen
        self._maps = maps
        self._title = f"{loaded.name} · {type(loaded.model).__name__} · {maps.kind} attention"
        self._notes = notes

    @property
    def links(self) -> tuple[Link, ...]:
        """The strongest link of each head, or the strongest ones of a single head."""
        return self._read.links

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
        focused = dict(zip(heads, self._read.focus, strict=True))
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
        found, maps = self._read, self._maps
        parts: tuple[Part, ...]
        if len(maps.layers) == len(maps.heads) == 1:
            parts = (_links(found, "The strongest links"), _one_map(found, maps))
        elif 1 in {len(maps.layers), len(maps.heads)}:
            parts = (_in_detail(found, maps),)
        else:
            parts = (_links(found, "The surest heads"), _strips(found, maps))
        return Page(self._title, parts, self._notes)


def _size(maps: Maps) -> int:
    """Return how many rows a map is drawn in, so that all together fit on a page."""
    heads = len(maps.layers) * len(maps.heads)
    if heads == 1:
        return _PICTURE
    most = _IN_DETAIL if 1 in {len(maps.layers), len(maps.heads)} else _LARGEST
    return max(_SMALLEST, min(most, math.isqrt(_DOTS // heads)))


def _links(found: Read, caption: str) -> Table:
    """Return the strongest links as a table: no picture says them in words."""
    columns = (
        Column("layer", "right"),
        Column("head", "right"),
        Column("token", mono=True),
        Column("looks at", mono=True),
        Column("weight"),
    )
    shown = sorted(found.links, key=lambda one: -one.weight)[:_MOST_LINKS]
    rows = tuple(
        (str(one.layer), str(one.head), one.query.words, one.key.words, _bar(one.weight))
        for one in shown
    )
    return Table(columns, rows, f"{caption}{_without(found)}")


def _bar(weight: float) -> Bar:
    return Bar(weight, f"{weight:.3f}")


def _without(found: Read) -> str:
    return f", without {found.left_out}" if found.left_out else ""


def _in_detail(found: Read, maps: Maps) -> Table:
    """Return the heads of a layer, or the layers of a head: each with its map and its link."""
    by_layer = len(maps.layers) > 1
    what, numbers = ("layer", maps.layers) if by_layer else ("head", maps.heads)
    whole = f"Head {maps.heads[0]}" if by_layer else f"Layer {maps.layers[0]}"
    links = {one.layer if by_layer else one.head: one for one in found.links}
    small = [one for layer in found.maps for one in layer]
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
            links[number].words if number in links else "",
            _bar(links[number].weight) if number in links else "",
            f"{focus:.2f}",
        )
        for number, one, focus in zip(numbers, small, found.focus, strict=True)
    )
    said = f"focus is the mean of each token's largest weight{_without(found)}"
    return Table(columns, rows, f"{whole}: {_scale(found, maps)}; {said}")


def _one_map(found: Read, maps: Maps) -> Part:
    """Return a map as numbers while there is room, else as a picture."""
    where = f"Layer {maps.layers[0]}, head {maps.heads[0]}"
    matrix = found.maps[0][0]
    if max(len(maps.queries), len(maps.keys)) > _TABLE:
        return Heat(tuple(map(tuple, matrix)), 0.0, 1.0, f"{where}: {_reads(found, maps)}")
    columns = (Column("looks", mono=True), *(Column(one.words, "right") for one in maps.keys))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (query.words, *(Tint(f"{weight:.2f}", weight) for weight in row))
        for query, row in zip(maps.queries, matrix, strict=True)
    )
    return Table(columns, rows, f"{where}: a row adds up to 1", matrix=True)


def _strips(found: Read, maps: Maps) -> Table:
    """Return a strip of small maps a layer."""
    rows = tuple(
        (str(layer), Picture(small_multiples(row, 2 * _LARGEST), f"the heads of layer {layer}"))
        for layer, row in zip(maps.layers, found.maps, strict=True)
    )
    heads = f"heads {maps.heads[0]} to {maps.heads[-1]}, from left to right"
    return Table(
        (Column("layer"), Column(heads)),
        rows,
        f"All heads: {_scale(found, maps)}; --layer 0 --head 0 shows one closely",
    )


def _reads(found: Read, maps: Maps) -> str:
    longest = max(len(maps.queries), len(maps.keys))
    each = -(-longest // found.size)
    said = f", in blocks of {each} tokens by their largest weight" if each > 1 else ""
    return f"a row is a token that looks, a column one that is looked at{said}"


def _scale(found: Read, maps: Maps) -> str:
    """Say how small maps are read: of these no legend stands below each."""
    return f"{_reads(found, maps)}; 0 is clear, 1 is full"
