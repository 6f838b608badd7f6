"""Start and end logits to spans of a context with their probabilities."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from hf_magics.inference.answering.windows import Windows

MOST_TOKENS = 15
"""Tokens of an answer at most, as in transformers 4's ``QuestionAnsweringPipeline``."""


class Found(NamedTuple):
    """An answer: its characters ``[start, end)`` in the context, ``[0, 0)`` where there is none."""

    start: int
    end: int
    prob: float


NO_ANSWER = (0, 0)

_CANDIDATES = 20  # spans of a window: several can be of the same words


def best_spans(outputs: Any, windows: Windows, most: int) -> list[list[Found]]:
    """Return for each question its likeliest spans, at most so many.

    In each window start and end logits are a softmax each over the context's tokens and the one for
    no answer (``[CLS]``); a span's probability is their product, that of no answer the product at
    ``[CLS]``. Of several windows, a span takes its highest probability and no answer its lowest:
    it has to win everywhere. This is ``QuestionAnsweringPipeline`` of transformers 4.57 with
    ``handle_impossible_answer=True``.

    Args:
        outputs: ``start_logits`` and ``end_logits`` of the shape (windows, tokens).
        windows: What was run.
        most: How many spans a question.
    """
    found: list[dict[tuple[int, int], float]] = [{} for _ in range(max(windows.owners) + 1)]
    nulls: list[list[float]] = [[] for _ in found]
    for row, owner in enumerate(windows.owners):
        spans, null = _of_window(outputs, windows, row, max(most, _CANDIDATES))
        nulls[owner] += null
        for where, value in spans.items():
            found[owner][where] = max(value, found[owner].get(where, 0.0))
    for spans, null in zip(found, nulls, strict=True):
        if null:
            spans[NO_ANSWER] = min(null)
    return [_ranked(spans)[:most] for spans in found]


def _of_window(
    outputs: Any, windows: Windows, row: int, most: int
) -> tuple[dict[tuple[int, int], float], list[float]]:
    """Return the spans of one window, and the probability of no answer, if it has a place."""
    context = torch.tensor(windows.in_context(row))
    null = (windows.inputs["input_ids"][row] == windows.cls_id) & ~context
    start, end = (
        _softmax(outputs[name][row], context | null) for name in ("start_logits", "end_logits")
    )
    none = [(start[null][0] * end[null][0]).item()] if null.any() else []
    allowed = torch.outer(context, context).triu().tril(MOST_TOKENS - 1)
    pairs = torch.outer(start, end).masked_fill(~allowed, -1.0).flatten()
    best = pairs.topk(min(most, pairs.numel()))
    spans: dict[tuple[int, int], float] = {}
    for value, at in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        where = windows.characters(row, *divmod(at, len(start))) if value >= 0 else NO_ANSWER
        if where[0] < where[1]:
            spans[where] = max(value, spans.get(where, 0.0))
    return spans, none


def _softmax(logits: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """Return probabilities over the tokens that are shown, shape (tokens,)."""
    return logits.float().cpu().masked_fill(~shown, float("-inf")).softmax(dim=-1)


def _ranked(spans: dict[tuple[int, int], float]) -> list[Found]:
    rows = sorted(spans.items(), key=lambda one: -one[1])
    return [Found(start, end, value) for (start, end), value in rows]
