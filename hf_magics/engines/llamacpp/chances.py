"""Logits to the probabilities of a page: the model's own, and those that a token was drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_magics.inference.generation.recording import ALTERNATIVES, Step


@dataclass(frozen=True)
class Sampling:
    """How llama.cpp chooses: by these in this order, the temperature last."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat: float = 1.0
    frequency: float = 0.0
    presence: float = 0.0

    @property
    def penalises(self) -> bool:
        """Whether tokens that were written before are less likely."""
        return (self.repeat, self.frequency, self.presence) != (1.0, 0.0, 0.0)


def described(logits: Any, chosen: int, sampling: Sampling, before: Sequence[int]) -> Step:
    """Return what is known of a token.

    Args:
        logits: Those of the model, a vector of float32 in llama.cpp's own memory.
        chosen: The token.
        sampling: How it was chosen.
        before: The tokens that penalties count.
    """
    prob, rank, top = _looked_up(logits, chosen)
    if not sampling.penalises and not sampling.temperature:
        return Step(chosen, prob, rank, prob, rank, top, top)
    now, place, likely = _looked_up(_processed(logits, sampling, before), chosen)
    return Step(chosen, now, place, prob, rank, likely, top)


def _looked_up(logits: Any, chosen: int) -> tuple[float, int, tuple[tuple[int, float], ...]]:
    best = np.argpartition(logits, -ALTERNATIVES)[-ALTERNATIVES:]
    best = best[np.argsort(-logits[best], kind="stable")]
    shifted = logits - logits[best[0]]
    total = float(np.exp(shifted).sum(dtype=np.float64))
    top = tuple(
        (int(one), prob) for one in best if (prob := float(np.exp(shifted[one])) / total) > 0
    )
    rank = int((logits > logits[chosen]).sum()) + 1
    return float(np.exp(shifted[chosen])) / total, rank, top


def _processed(logits: Any, sampling: Sampling, before: Sequence[int]) -> Any:
    """Return the logits as they are drawn from: what is ruled out is minus infinity."""
    scores = logits.astype(np.float64)
    if sampling.penalises and before:
        _penalise(scores, sampling, before)
    if not sampling.temperature:
        return scores
    order = np.argsort(-scores, kind="stable")
    kept = order[: sampling.top_k] if sampling.top_k > 0 else order
    if sampling.top_p < 1:
        reached = np.cumsum(_softmax(scores[kept]))
        kept = kept[: int((reached < sampling.top_p).sum()) + 1]
    if sampling.min_p > 0:
        kept = kept[scores[kept] >= scores[kept[0]] + np.log(sampling.min_p)]
    left = np.full_like(scores, -np.inf)
    left[kept] = scores[kept] / sampling.temperature
    return left


def _penalise(scores: Any, sampling: Sampling, before: Sequence[int]) -> None:
    ids, counts = np.unique(np.asarray(before), return_counts=True)
    values = scores[ids]
    values = np.where(values <= 0, values * sampling.repeat, values / sampling.repeat)
    scores[ids] = values - counts * sampling.frequency - sampling.presence


def _softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()
