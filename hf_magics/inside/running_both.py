"""The same input through two models: how far their outputs are apart, and how long each takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.inference import running, tokenizing
from hf_magics.inference.grouping import without_idle_mask
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inside.measuring import clock
from hf_magics.inside.output_pairs import OutputPairs, Part, Place, add_part, token_at
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.store import LoadedModel

Models = tuple[LoadedModel, LoadedModel]

_PASSES, _FEWEST = 20, 3  # of which the shortest counts: what else runs only makes one longer
_PATIENCE_S = 0.5  # after which there are no more
_TOKENS = 1_024  # run at once where all layers' states are kept


@dataclass(frozen=True)
class Outputs:
    """How far the outputs are apart, in numbers and strings.

    ``lent`` is the model (0 or 1) that was given the tokens of the other, having no tokenizer;
    ``aligned`` says that both had the same tokens. ``seconds`` are of one plain forward pass each,
    the shortest of a few. ``first`` and ``largest`` are the places where the main output differs
    first and most, the latter with the difference.
    """

    pairs: OutputPairs
    lent: int | None
    aligned: bool
    seconds: tuple[float, float]
    first: Place | None
    largest: tuple[Place, float] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RanBoth:
    """What came of it, the batches, and what had to be added to each."""

    outputs: Outputs
    encoded: tuple[Encoded, Encoded]
    added: tuple[dict[str, Any], dict[str, Any]]


def run_both(models: Models, inputs: Inputs, max_length: int | None) -> RanBoth:
    """Run inputs through two models, some lines at a time.

    Raises:
        HFMagicsError: One of them does not take the inputs.
    """
    encoded, lent = _encoded(models, inputs, max_length)
    aligned = _same_tokens(*encoded)
    pairs = OutputPairs()
    added: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for part, given in _parts(models, encoded, aligned=aligned):
        found = [
            running.run(loaded, some, _states(loaded, aligned=aligned))
            for loaded, some in zip(models, given, strict=True)
        ]
        add_part(pairs, models, (found[0][0], found[1][0]), part)
        for more, (_, needed) in zip(added, found, strict=True):
            more.update({name: _joined(more.get(name), ids) for name, ids in needed.items()})
    pairs.tops = [
        dataclasses.replace(top, place=_named(top.place, models, encoded[0])) for top in pairs.tops
    ]
    # the encoder computes first, and stands behind the decoder in an output
    in_order = sorted(pairs.layers, key=lambda name: not name.startswith("encoder"))
    pairs.layers = {name: pairs.layers[name] for name in in_order}
    first, largest = pairs.first_gap(), pairs.largest_gap()
    outputs = Outputs(
        pairs,
        lent,
        aligned,
        _times(models, encoded),
        _named(first, models, encoded[0]) if first else None,
        (_named(largest[0], models, encoded[0]), largest[1]) if largest else None,
        _notes(models, encoded),
    )
    return RanBoth(outputs, encoded, added)


def _joined(before: Any, ids: Any) -> Any:
    return ids if before is None else torch.cat([before, ids])


def _encoded(
    models: Models, inputs: Inputs, max_length: int | None
) -> tuple[tuple[Encoded, Encoded], int | None]:
    """Return a batch for each; a model without a tokenizer takes the tokens of the other."""
    without = [number for number in (0, 1) if models[number].tokenizer is None]
    limit = _limit(models, max_length) if inputs.tensors is None else None
    if not inputs.texts or len(without) != 1:
        found = [tokenizing.encode_inputs(one, inputs, limit) for one in models]
        return (found[0], found[1]), None
    lent = without[0]
    own = tokenizing.encode_inputs(models[1 - lent], inputs, limit)
    ids = tuple(tuple(line) for line in lines_of(own))
    given = tokenizing.from_ids(models[lent], ids, limit)
    return ((given, own) if lent == 0 else (own, given)), lent


def _limit(models: Models, max_length: int | None) -> int | None:
    """Return the most tokens of a line: of two limits the smaller, so that both are cut alike."""
    known = [tokenizing.limit_for(loaded, max_length) for loaded in models]
    return min((one for one in known if one), default=None)


def lines_of(encoded: Encoded) -> list[list[int]]:
    """Return the token IDs of each line without padding, ``[]`` where there are no IDs."""
    ids, mask = encoded.inputs.get("input_ids"), encoded.inputs.get("attention_mask")
    if ids is None or ids.dim() != 2:  # noqa: PLR2004 - lines and tokens
        return []
    if mask is None:
        return [line[:length] for line, length in zip(ids.tolist(), _lengths(encoded), strict=True)]
    return [line[seen.bool()].tolist() for line, seen in zip(ids, mask, strict=True)]


def _lengths(encoded: Encoded) -> tuple[int, ...]:
    ids = encoded.inputs["input_ids"]
    return encoded.lengths or (ids.shape[1],) * ids.shape[0]


def _same_tokens(one: Encoded, other: Encoded) -> bool:
    first, second = one.inputs.get("input_ids"), other.inputs.get("input_ids")
    if first is None or second is None:
        return first is second
    return lines_of(one) == lines_of(other) and first.shape == second.shape


def _states(loaded: LoadedModel, *, aligned: bool) -> dict[str, Any]:
    """Return what asks for every layer's states; an engine gives only what it was made for.

    States of other tokens can't be compared, and would take the memory of all lines at once.
    """
    return {"output_hidden_states": True} if aligned and loaded.runner is None else {}


def _parts(
    models: Models, encoded: tuple[Encoded, Encoded], *, aligned: bool
) -> Iterator[tuple[Part, tuple[Mapping[str, Any], Mapping[str, Any]]]]:
    """Give some lines at a time: so many that the states of all layers find room."""
    batches = (encoded[0].inputs, encoded[1].inputs)
    ids = batches[0].get("input_ids")
    mask = batches[0].get("attention_mask")
    if not aligned or not encoded[0].lengths or ids is None:
        yield Part(0, ids, mask if aligned else None, aligned), batches
        return
    lines = max(1, _TOKENS // ids.shape[1])
    for start in range(0, ids.shape[0], lines):
        rows = slice(start, start + lines)
        given = [
            without_idle_mask(one, {name: tensor[rows] for name, tensor in batch.items()})
            for one, batch in zip(models, batches, strict=True)
        ]
        seen = mask[rows] if mask is not None else None
        yield Part(start, ids[rows], seen, aligned), (given[0], given[1])


def _named(place: Place, models: Models, encoded: Encoded) -> Place:
    """Return the place with its token; the positions of a decoder are not those of the text."""
    lines = [] if models[0].config.is_encoder_decoder else lines_of(encoded)
    if place.line >= len(lines):
        return place
    tokenizer = models[0].tokenizer or models[1].tokenizer
    token = token_at(tokenizer, lines[place.line], place.position)
    return dataclasses.replace(place, token=token)


def _times(models: Models, encoded: tuple[Encoded, Encoded]) -> tuple[float, float]:
    """Return the seconds of a forward pass of each, by turns: what disturbs one disturbs both."""
    took: tuple[list[float], list[float]] = ([], [])
    while len(took[0]) < _FEWEST or (len(took[0]) < _PASSES and sum(map(sum, took)) < _PATIENCE_S):
        for number, loaded in enumerate(models):
            now = clock(loaded.model)
            begun = now()
            running.run(loaded, encoded[number].inputs, {})
            took[number].append(now() - begun)
    return min(took[0]), min(took[1])


def _notes(models: Models, encoded: tuple[Encoded, Encoded]) -> tuple[str, ...]:
    return tuple(
        f"{loaded.name}: {note}"
        for loaded, batch in zip(models, encoded, strict=True)
        for note in (*state_notes(loaded), *tokenizing.notes_on(batch))
    )
