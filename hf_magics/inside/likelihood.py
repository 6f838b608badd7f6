"""Likelihood: what a model gives each token of a text, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.inference import grouping, tokenizing
from hf_magics.inference.batching import Batch, halving, plan_batches
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inside.at_places import logits_at
from hf_magics.inside.scorers import logits_of
from hf_magics.modeling.store import LoadedModel

_LOGITS_BYTES, _LOGITS_BYTES_ON_GPU = 2**28, 2**30  # of one batch
_SOFTMAX_NUMBERS = 2**23  # of one chunk: 32 MiB of float32


@dataclass(frozen=True)
class Score:
    """What a model gives one token, by the distribution at its place.

    ``log_prob`` is a natural logarithm, ``entropy`` in nats: that of the whole distribution.
    ``rank`` counts the tokens that are likelier, plus one; 0 where the logits are not numbers.
    ``top`` is the likeliest token's ID, ``top_prob`` its probability.
    """

    log_prob: float
    rank: int
    entropy: float
    top: int
    top_prob: float


Scores = dict[int, Score]
"""The scores of a line by position; what has none is not there."""
Told = Callable[[int, int], None]
"""Told how many are done, and of how many."""


def causal_scores(loaded: LoadedModel, encoded: Encoded, told: Told) -> list[Scores]:
    """Score each token but the first by the logits at the token before it.

    Lines are padded on the right, where a causal model does not look.

    Raises:
        HFMagicsError: The model does not take the lines, or there is no room for one.
    """
    lines: list[Scores] = [{} for _ in encoded.lengths]
    done = 0
    for batch in plan_batches(encoded.lengths, _budget(loaded)):
        for rows, found in halving(batch, lambda some: _causal(loaded, encoded, some)):
            for row, scores in zip(rows, found, strict=True):
                lines[row] = scores
            done += len(rows)
            told(done, len(lines))
    return lines


def masked_scores(
    loaded: LoadedModel, encoded: Encoded, scored: torch.Tensor, mask_id: int, told: Told
) -> list[Scores]:
    """Score each token by the logits at a mask in its place, all others as they are.

    Summed over a line this is the pseudo-log-likelihood of Salazar, Liang, Nguyen and Kirchhoff,
    "Masked Language Model Scoring" (ACL 2020). A line is run once for each of its tokens; only
    lines of one length go together, so that none is padded.

    Args:
        loaded: The model.
        encoded: The lines.
        scored: Which tokens have a score: booleans of the shape of the IDs.
        mask_id: The token that hides another.
        told: Told of each batch.

    Raises:
        HFMagicsError: The model does not take the lines, or there is no room for one.
    """
    lines: list[Scores] = [{} for _ in encoded.lengths]
    places = [(row, column) for row, column in scored.nonzero().tolist()]
    lengths = [encoded.lengths[row] for row, _ in places]
    done = 0

    if not places:
        return lines
    logits = logits_at(loaded, *_hidden(encoded, places[:1], mask_id)[:2])

    def run(some: Batch) -> list[Score]:
        inputs, columns, ids = _hidden(encoded, [places[one] for one in some], mask_id)
        return scores_of(logits.get(inputs, columns), ids)

    budget = grouping.budget_of(loaded) if logits.alone else _budget(loaded)
    for batch in plan_batches(lengths, budget, mixed=False):
        for some, found in halving(batch, run):
            for one, score in zip(some, found, strict=True):
                row, column = places[one]
                lines[row][column] = score
            done += len(some)
            told(done, len(places))
    return lines


def scores_of(logits: torch.Tensor, ids: torch.Tensor) -> list[Score]:
    """Return what logits of the shape (places, vocabulary) give the token at each place.

    The softmax is taken of a few places at a time, in float32 at least.
    """
    at_once = max(1, _SOFTMAX_NUMBERS // logits.shape[-1])
    chunks = zip(logits.split(at_once), ids.to(logits.device).split(at_once), strict=True)
    return [score for some, of_them in chunks for score in _described(some, of_them)]


def _described(logits: torch.Tensor, ids: torch.Tensor) -> list[Score]:
    logits = logits.float() if logits.dtype.itemsize < torch.float32.itemsize else logits
    logs = logits.log_softmax(dim=-1)
    own = logs.gather(1, ids[:, None])
    likelier = (logits > logits.gather(1, ids[:, None])).sum(dim=-1)
    known = ~own[:, 0].isnan()
    # what has no probability at all adds nothing: zero times -inf would be NaN
    entropy = -(logs.exp() * logs.clamp(min=torch.finfo(logs.dtype).min)).sum(dim=-1)
    best, top = logs.max(dim=-1)
    columns = (own[:, 0], (likelier + 1) * known, entropy, top, best.exp())
    return [Score(*row) for row in zip(*(one.tolist() for one in columns), strict=True)]


def _budget(loaded: LoadedModel) -> int:
    """Return the tokens of a batch: as elsewhere, and so that its logits have room."""
    model = loaded.model
    most = _LOGITS_BYTES if model.device.type == "cpu" else _LOGITS_BYTES_ON_GPU
    each = tokenizing.vocabulary_size(loaded) * model.dtype.itemsize
    return max(1, min(grouping.budget_of(loaded), int(most // each)))


def _causal(loaded: LoadedModel, encoded: Encoded, rows: Batch) -> list[Scores]:
    lengths = list(encoded.lengths)
    inputs = dict(grouping.rows_of(loaded, encoded.inputs, rows, lengths))
    logits = logits_of(loaded, inputs, grouping.without_cache(loaded))
    ids = inputs["input_ids"]
    return [
        dict(enumerate(scores_of(logits[at, : end - 1], ids[at, 1:end]), 1)) if end > 1 else {}
        for at, end in enumerate(lengths[row] for row in rows)
    ]


def _hidden(
    encoded: Encoded, places: list[tuple[int, int]], mask_id: int
) -> tuple[dict[str, Any], list[int], torch.Tensor]:
    """Return a batch with a row a place, that hidden; the column of each; and what it hides."""
    rows, columns = [row for row, _ in places], [column for _, column in places]
    width = encoded.lengths[rows[0]]
    inputs = {name: one[rows, :width] for name, one in encoded.inputs.items()}  # copies
    each = range(len(places))
    ids = inputs["input_ids"][each, columns]
    inputs["input_ids"][each, columns] = mask_id
    return inputs, columns, ids
