"""Text classification: a label, or several, or a number for each text or pair."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from hf_magics.display.numbers import number, prob
from hf_magics.display.parts import Bar, Cell, Column, Table
from hf_magics.display.words import left_out, shortened
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.logits import logits_parts
from hf_magics.inference.answering.task import Done, Request, Task, named_lines, need_positive
from hf_magics.inference.snippets import input_lines, run_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.snippets import Snippet

_SHOWN = 5
_HALF = 0.5


class Classify(Task):
    """Softmax over the labels; a sigmoid each where several may hold; the number of a regression.

    The choice is that of transformers' ``TextClassificationPipeline``: the config's
    ``problem_type``, else a sigmoid for one label and a softmax for several.
    """

    name = "text-classification"
    column = "label"
    options = ("top_k",)

    def check(self, request: Request) -> None:
        """Refuse a ``--top-k`` below 1."""
        super().check(request)
        need_positive(request, "top_k")

    def run(self, request: Request, encoded: Encoded) -> tuple[Any, dict[str, Any]]:
        """Lend a decoder's config a pad token: it classifies at the last token before it."""
        with _pad_in_config(request, encoded):
            return super().run(request, encoded)

    def answer(self, done: Done) -> Answer:
        """Return a row an input: the label, its probability, and the next likely ones."""
        config = done.request.loaded.config
        logits = done.outputs["logits"].float().cpu()
        kind = kind_of(config)
        if kind == "regression":
            return _regression(done, logits)
        scores = logits.sigmoid() if kind == "multi-label" else logits.softmax(dim=-1)
        most = min(done.request.options.get("top_k", _SHOWN), scores.shape[-1])
        top = scores.topk(most, dim=-1)
        labels = [[config.id2label[one] for one in row] for row in top.indices.tolist()]
        best = _Best(labels, top.values.tolist(), logits.gather(-1, top.indices).tolist())
        ranked = _ranked(done, best, logits, kind)
        return replace(ranked, values=_likely(config, scores)) if kind == "multi-label" else ranked

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return plain code, with the pad token that the config was lent."""
        spec = done.request.spec
        lines = (
            *input_lines(spec, done.encoded),
            *lent_pad_lines(done),
            *run_lines(spec, done.added, done.encoded),
        )
        return (Snippet(("import torch",), lines), Snippet((), self.decoding(done)))

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return logits to labels."""
        kind = kind_of(done.request.loaded.config)
        if kind == "regression":
            single = "[:, 0]" if done.request.loaded.config.num_labels == 1 else ""
            return (f"values = outputs.logits{single}.tolist()",)
        if kind == "multi-label" and done.request.loaded.config.num_labels == 1:
            return ("probabilities = outputs.logits.float().sigmoid()[:, 0].tolist()",)
        if kind == "multi-label":
            return (
                "probabilities, order = outputs.logits.sigmoid().sort(dim=-1, descending=True)",
                "labels = [",
                "    [model.config.id2label[i] for i, p in zip(*row) if p > 0.5]",
                "    for row in zip(order.tolist(), probabilities.tolist())",
                "]",
            )
        return (
            "probabilities = outputs.logits.softmax(dim=-1)",
            "labels = [model.config.id2label[i] for i in probabilities.argmax(dim=-1).tolist()]",
        )


def lent_pad_lines(done: Done) -> list[str]:
    """Return the line that lends the config a pad token, none where there was no need."""
    lent = _lent_pad(done.request, done.encoded)
    if lent is None:
        return []
    config = done.request.loaded.config
    where = "" if config.get_text_config() is config else ".get_text_config()"
    why = "no row is padded" if lent == _NOTHING_PADS else "what pads the rows: it has none"
    return [f"model.config{where}.pad_token_id = {lent}  # {why}"]


_NOTHING_PADS = -1  # no token has this ID, so that each row is read at its very last one


@contextlib.contextmanager
def _pad_in_config(request: Request, encoded: Encoded) -> Iterator[None]:
    config = request.loaded.config.get_text_config()
    own = config.pad_token_id
    try:
        config.pad_token_id = own if own is not None else _lent_pad(request, encoded)
        yield
    finally:
        config.pad_token_id = own


def _lent_pad(request: Request, encoded: Encoded) -> int | None:
    """Return the ID that pads the batch, None where the config has one or one row needs none."""
    ids = encoded.inputs.get("input_ids")
    has_own = request.loaded.config.get_text_config().pad_token_id is not None
    if has_own or ids is None or len(ids) == 1:
        return None
    mask = encoded.mask
    hidden = ids[:0] if mask is None else ids[mask == 0]
    return int(hidden.flatten()[0]) if hidden.numel() else _NOTHING_PADS


def kind_of(config: Any) -> str:
    """Return ``single-label``, ``multi-label`` or ``regression``."""
    if config.problem_type == "regression":
        return "regression"
    if config.problem_type == "multi_label_classification" or config.num_labels == 1:
        return "multi-label"
    return "single-label"


def notes_on_labels(config: Any) -> tuple[str, ...]:
    """Say that the labels have no names."""
    names = config.id2label.values()
    if len(names) > 1 and all(re.fullmatch(r"LABEL_\d+", str(name)) for name in names):
        return (_UNNAMED,)
    return ()


_UNNAMED = (
    "the checkpoint does not name its labels: LABEL_0 is the first; "
    """%hf_load … id2label='{"0": "negative", "1": "positive"}' names them"""
)


def _regression(done: Done, logits: torch.Tensor) -> Answer:
    config = done.request.loaded.config
    rows = logits.tolist()
    names = [str(config.id2label[at]) for at in range(logits.shape[-1])]
    texts = named_lines(done.request, len(rows))
    columns = (Column("line"), *(Column(name, "right") for name in names))
    shown = done.request.settings.rows
    cells = tuple(
        (shortened(text), *(number(value) for value in row))
        for text, row in zip(texts[:shown], rows, strict=False)
    )
    records = [
        {"line": at, "text": text, "label": name, "value": value}
        for at, (text, row) in enumerate(zip(texts, rows, strict=True), 1)
        for name, value in zip(names, row, strict=True)
    ]
    values = tuple(row[0] if len(row) == 1 else row for row in rows)
    table = Table(columns, cells, "Regression", left_out(len(rows), shown))
    return Answer((table,), records, (), values)


@dataclass(frozen=True)
class _Best:
    """The likeliest labels of each line, with their probabilities and logits: lists of a shape."""

    labels: list[list[str]]
    scores: list[list[float]]
    logits: list[list[float]]


def _ranked(done: Done, best: _Best, logits: torch.Tensor, kind: str) -> Answer:
    request, labels, scores = done.request, best.labels, best.scores
    texts = named_lines(request, len(labels))
    shown = request.settings.rows
    columns = (Column("line"), Column("label"), Column("probability"), Column("then"))
    rows: list[tuple[Cell, ...]] = [
        (shortened(text), row[0], Bar(values[0], prob(values[0])), _rest(row, values))
        for text, row, values in zip(texts[:shown], labels, scores, strict=False)
    ]
    several = kind == "multi-label"
    caption = "Labels, each by itself" if several else "Labels"
    names = [str(request.loaded.config.id2label[at]) for at in range(logits.shape[-1])]
    function = "sigmoid" if several else "softmax"
    parts = (
        Table(columns, tuple(rows), caption, left_out(len(labels), shown)),
        *logits_parts(names, texts, logits, function, shown),
    )
    most = request.options.get("top_k", 1)
    records = [
        {"line": at, "text": text, "rank": rank, "label": label, "prob": value, "logit": logit}
        for at, (text, *ranks) in enumerate(zip(texts, labels, scores, best.logits, strict=True), 1)
        for rank, (label, value, logit) in enumerate(zip(*ranks, strict=True), 1)
        if rank <= most
    ]
    values = tuple(row[0] for row in labels)
    return Answer(parts, records, notes_on_labels(request.loaded.config), values)


def _likely(config: Any, scores: torch.Tensor) -> tuple[Any, ...]:
    """Return for each row all labels that are more likely than not, the likeliest first.

    Of a single label, as cross-encoders have, its probability.
    """
    if scores.shape[-1] == 1:
        return tuple(scores[:, 0].tolist())
    every = scores.sort(dim=-1, descending=True)
    return tuple(
        [config.id2label[at] for at, value in zip(order, row, strict=True) if value > _HALF]
        for order, row in zip(every.indices.tolist(), every.values.tolist(), strict=True)
    )


def _rest(labels: list[str], scores: list[float]) -> str:
    following = list(zip(labels, scores, strict=True))[1:]
    return ", ".join(f"{label} {prob(value)}" for label, value in following)
