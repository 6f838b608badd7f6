"""Zero-shot classification: labels of one's own, each scored as a hypothesis about the text."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from hf_magics.display.numbers import prob
from hf_magics.display.parts import Bar, Cell, Column, Table
from hf_magics.display.words import left_out, sentence_list, shortened
from hf_magics.errors import HeadError, InputError, OptionError
from hf_magics.inference import checks, tokenizing
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task
from hf_magics.inference.script_inputs import list_lines
from hf_magics.inference.snippets import lent_lines, run_lines
from hf_magics.inference.tasks.classify import Classify, lent_pad_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.snippets import Name, Snippet, assigned, call, quoted

TEMPLATE = "This example is {}."
"""The hypothesis of transformers' ``ZeroShotClassificationPipeline``."""

_COLUMNS = (Column("line"), Column("label"), Column("probability"))


class ZeroShot(Task):
    """A head for natural language inference reads each text with ``This example is …``.

    The formulas are those of transformers' ``ZeroShotClassificationPipeline``: softmax over the
    labels of the entailment logits; where several labels may hold, for each label softmax over its
    contradiction and entailment logits.
    """

    name = "zero-shot-classification"
    column = "label"
    options = ("labels", "template", "multi_label")
    reads = ("texts",)

    def check(self, request: Request) -> None:
        """Refuse a head without entailment, missing labels, and a template without their place.

        Raises:
            HeadError: The model is not for natural language inference.
            OptionError: No labels, or a template without ``{}``.
            InputError: A text with a tab, which would be a pair.
        """
        super().check(request)
        config = request.loaded.config
        if _entailment(config) is None:
            raise HeadError(
                f"{request.loaded.name} has no label 'entailment' (it has "
                f"{sentence_list(map(str, config.id2label.values()))}): zero-shot needs "
                "a model of natural language inference, such as facebook/bart-large-mnli"
            )
        if not request.options.get("labels"):
            raise OptionError("zero-shot-classification needs the labels: --labels a,b,c")
        _check_template(_template(request))
        checks.check_texts(request.inputs.texts)
        for number, text in enumerate(request.inputs.texts, 1):
            if "\t" in text:
                raise InputError(f"line {number} has a tab: zero-shot takes one text, not a pair")

    def encode(self, request: Request) -> Encoded:
        """Return a row for each text and label, the labels of one text side by side.

        What is too long is cut off the text, and off the hypothesis only where that is not enough.
        """
        labels, template = request.options["labels"], _template(request)
        texts = request.inputs.texts
        pairs = [f"{text}\t{template.format(label)}" for text in texts for label in labels]
        encoded = _cut_first(request, pairs)
        cuts = {(cut.line - 1) // len(labels) + 1: cut for cut in encoded.cuts}
        named = tuple(dataclasses.replace(cut, line=line) for line, cut in cuts.items())
        return dataclasses.replace(encoded, cuts=named)

    def run(self, request: Request, encoded: Encoded) -> tuple[Any, dict[str, Any]]:
        """Run the head as one for classification, which it is."""
        return Classify().run(request, encoded)

    def answer(self, done: Done) -> Answer:
        """Return a row a text and label, the likeliest of each text first."""
        request = done.request
        labels = request.options["labels"]
        ranked = [
            sorted(zip(labels, row, strict=True), key=lambda one: -one[1])
            for row in _scores(done).tolist()
        ]
        records = [
            {"line": at, "text": text, "rank": rank, "label": label, "prob": value}
            for at, (text, rows) in enumerate(zip(request.inputs.texts, ranked, strict=True), 1)
            for rank, (label, value) in enumerate(rows, 1)
        ]
        caption = "Labels, each by itself" if _each_by_itself(request) else "Labels"
        table = _table(records, request.settings.rows, caption)
        return Answer((table,), records, (), tuple(rows[0][0] for rows in ranked))

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return the pairs of texts and hypotheses, outputs, and the likeliest labels."""
        request, encoded = done.request, done.encoded
        cutting: dict[str, Any] = {}
        if encoded.limit:
            cutting = {"truncation": encoded.truncation, "max_length": encoded.limit}
        cutting |= encoded.leaving_out
        padding = {"padding": True, **encoded.padding}
        names = (Name("premises"), Name("hypotheses"))
        made = call("tokenizer", *names, **padding, **cutting, return_tensors="pt")
        lines = (
            *_asked(request),
            *lent_lines(encoded.pad_word),
            f"inputs = {made}",
            *lent_pad_lines(done),
            *run_lines(request.spec, done.added, done.encoded),
        )
        return (Snippet(("import torch",), lines), Snippet((), self.decoding(done)))

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return logits to the likeliest label of each text."""
        config = done.request.loaded.config
        yes, no = _entailment(config), _contradiction(config)
        if _each_by_itself(done.request):
            scored = f"outputs.logits[:, [{no}, {yes}]].float().softmax(dim=-1)[:, 1]"
            probabilities = f"{scored}.view(len(texts), -1)"
        else:
            scored = f"outputs.logits[:, {yes}].float().view(len(texts), -1)"
            probabilities = f"{scored}.softmax(dim=-1)"
        return (
            f"probabilities = {probabilities}",
            "labels = [candidates[i] for i in probabilities.argmax(dim=-1).tolist()]",
        )


def _cut_first(request: Request, pairs: list[str]) -> Encoded:
    """Return the batch with only the texts cut, where that is enough."""
    loaded, limit = request.loaded, request.spec.max_length
    try:
        return tokenizing.encode(loaded, pairs, limit, "only_first")
    except InputError:  # a slow tokenizer then cuts nothing, and a fast one refuses
        return tokenizing.encode(loaded, pairs, limit)


def _template(request: Request) -> str:
    return str(request.options.get("template") or TEMPLATE)


def _check_template(template: str) -> None:
    try:
        filled = template.format("a") != template.format("b")
    except (IndexError, KeyError, ValueError):
        filled = False
    if not filled:
        raise OptionError(
            f"--template {template!r} has no place for the label: write {{}} once, as in "
            f"'{TEMPLATE}'"
        )


def _entailment(config: Any) -> int | None:
    """Return the number of the label that says that the hypothesis follows, if there is one."""
    return _label_like(config, "entail")


def _contradiction(config: Any) -> int:
    """Return the number of the label that says that it does not: by its name, else its place."""
    found = _label_like(config, "contra")
    if found is not None:
        return found
    return int(config.num_labels) - 1 if _entailment(config) == 0 else 0


def _label_like(config: Any, begin: str) -> int | None:
    named = config.id2label.items()
    return next((int(at) for at, name in named if str(name).lower().startswith(begin)), None)


def _each_by_itself(request: Request) -> bool:
    """Say whether a text's probabilities need not sum to 1, as for one label alone."""
    return bool(request.options.get("multi_label")) or len(request.options["labels"]) == 1


def _scores(done: Done) -> torch.Tensor:
    """Return probabilities, shape (texts, labels)."""
    logits: torch.Tensor = done.outputs["logits"].float().cpu()
    config, labels = done.request.loaded.config, done.request.options["labels"]
    yes, no = _entailment(config), _contradiction(config)
    if _each_by_itself(done.request):
        scores = logits[:, [no, yes]].softmax(dim=-1)[:, 1].view(-1, len(labels))
    else:
        scores = logits[:, yes].view(-1, len(labels)).softmax(dim=-1)
    return scores


def _table(records: list[dict[str, Any]], shown: int, caption: str) -> Table:
    """Return the labels; the text stands beside the first of its own."""
    rows: list[tuple[Cell, ...]] = [
        (
            shortened(one["text"]) if one["rank"] == 1 else "",
            one["label"],
            Bar(one["prob"], prob(one["prob"])),
        )
        for one in records[:shown]
    ]
    return Table(_COLUMNS, tuple(rows), caption, left_out(len(records), shown))


def _asked(request: Request) -> list[str]:
    """Return the lines that write texts, labels and template down, and pair them."""
    return [
        *list_lines("texts", request.inputs.texts, request.spec.variable),
        assigned("candidates", request.options["labels"]),
        f"template = {quoted(_template(request))}",
        "premises = [text for text in texts for _ in candidates]",
        "hypotheses = [template.format(label) for _ in texts for label in candidates]",
    ]
