"""Multiple choice: which of the options goes best with the prompt.

A line is a prompt and its options, parted by tabs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from hf_magics.display.numbers import prob
from hf_magics.display.parts import Bar, Cell, Column, Table
from hf_magics.display.words import left_out, shortened
from hf_magics.errors import InputError
from hf_magics.inference import checks, tokenizing
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task
from hf_magics.inference.script_inputs import is_long, list_lines
from hf_magics.inference.snippets import lent_lines, run_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.snippets import Name, Snippet, call, literal, quoted

_FEWEST = 2
_COLUMNS = (Column("prompt"), Column("option"), Column("probability"))


class Choose(Task):
    """Softmax over the options of a prompt; each is a pair with the prompt to the model."""

    name = "multiple-choice"
    column = "choice"
    reads = ("texts", "tensors")

    def check(self, request: Request) -> None:
        """Refuse a line that is not a prompt and two options or more.

        Raises:
            InputError: Naming the line, and how one is written.
        """
        super().check(request)
        checks.check_texts(request.inputs.texts or ("tensors",))
        for number, text in enumerate(request.inputs.texts, 1):
            prompt, *options = text.split("\t")
            if len(options) < _FEWEST or not all(map(str.strip, (prompt, *options))):
                raise InputError(
                    f"line {number} is no question with its options: write the prompt and two "
                    "options or more in one line, parted by tabs, a line a question"
                )

    def encode(self, request: Request) -> Encoded:
        """Return a batch of the shape (prompts, options, longest pair).

        Where the prompts have different numbers of options, they all stand in one row: the shape
        is (1, options of all prompts, longest pair). The model scores each pair by itself, so that
        the logits are the same.
        """
        if not request.inputs.texts:
            return super().encode(request)
        questions = _questions(request)
        pairs = [f"{prompt}\t{one}" for prompt, options in questions for one in options]
        owners = [at for at, (_, options) in enumerate(questions, 1) for _ in options]
        flat = tokenizing.encode(request.loaded, pairs, request.spec.max_length)
        rows = len(questions) if _are_even(questions) else 1
        shaped = {
            name: tensor.view(rows, -1, *tensor.shape[1:]) for name, tensor in flat.inputs.items()
        }
        cuts = {owners[cut.line - 1]: cut for cut in flat.cuts}
        named = tuple(dataclasses.replace(cut, line=line) for line, cut in cuts.items())
        # the options of a prompt are one row of the head: none of them is run apart
        return dataclasses.replace(flat, inputs=shaped, cuts=named, reads_padding=False)

    def answer(self, done: Done) -> Answer:
        """Return a row an option, the likeliest of each prompt first."""
        logits = done.outputs["logits"].float().cpu()
        questions = _questions(done.request) or _unnamed(logits)
        counts = [len(options) for _, options in questions]
        scores = [one.softmax(dim=-1).tolist() for one in logits.flatten().split(counts)]
        ranked = [
            sorted(zip(options, values, strict=True), key=lambda one: -one[1])
            for (_, options), values in zip(questions, scores, strict=True)
        ]
        records = [
            {"line": at, "prompt": prompt, "rank": rank, "option": option, "prob": value}
            for at, ((prompt, _), rows) in enumerate(zip(questions, ranked, strict=True), 1)
            for rank, (option, value) in enumerate(rows, 1)
        ]
        best = tuple(rows[0][0] for rows in ranked)
        return Answer((_table(records, done.request.settings.rows),), records, (), best)

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return the pairs as one batch, its shape, outputs, and the option that is best."""
        spec = done.request.spec
        questions = _questions(done.request)
        if not questions:
            return super().code(done)
        lines = [*_asked(done.request, questions), *lent_lines(done.encoded.pad_word)]
        cutting: dict[str, Any] = {}
        if done.encoded.limit:
            cutting = {"truncation": True, "max_length": done.encoded.limit}
        cutting |= done.encoded.leaving_out
        padding = {"padding": True, **done.encoded.padding}
        names = (Name("prompts"), Name("options"))
        lines.append(
            "batch = " + call("tokenizer", *names, **padding, **cutting, return_tensors="pt")
        )
        shape = (
            f"{len(questions)}, -1, tensor.shape[1]" if _are_even(questions) else "1, *tensor.shape"
        )
        lines.append(f"inputs = {{name: tensor.view({shape}) for name, tensor in batch.items()}}")
        ran = Snippet(("import torch",), (*lines, *run_lines(spec, done.added, done.encoded)))
        return (ran, Snippet((), _DECODING))


_DECODING = (
    "logits = outputs.logits.flatten().split([len(each) for _, each in questions])",
    "labels = [each[int(one.argmax())] for (_, each), one in zip(questions, logits)]",
)


def _questions(request: Request) -> list[tuple[str, list[str]]]:
    """Return each line's prompt and its options."""
    parts = (text.split("\t") for text in request.inputs.texts)
    return [(prompt, options) for prompt, *options in parts]


def _unnamed(logits: torch.Tensor) -> list[tuple[str, list[str]]]:
    """Return numbers in the place of texts, for logits of the shape (prompts, options)."""
    options = [f"option {at}" for at in range(1, logits.shape[-1] + 1)]
    return [(f"input {at}", options) for at in range(1, logits.shape[0] + 1)]


def _are_even(questions: Sequence[tuple[str, list[str]]]) -> bool:
    return len({len(options) for _, options in questions}) == 1


def _table(records: list[dict[str, Any]], shown: int) -> Table:
    """Return the options; the prompt stands beside the first of its own."""
    rows: list[tuple[Cell, ...]] = [
        (
            shortened(one["prompt"]) if one["rank"] == 1 else "",
            shortened(one["option"]),
            Bar(one["prob"], prob(one["prob"])),
        )
        for one in records[:shown]
    ]
    return Table(_COLUMNS, tuple(rows), "Options", left_out(len(records), shown))


def _asked(request: Request, questions: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Return the lines that make ``questions``, and a pair for each option."""
    texts, variable = request.inputs.texts, request.spec.variable
    written = "".join(f"    ({quoted(one)}, {literal(options)}),\n" for one, options in questions)
    made = [f"questions = [\n{written}]"]
    if is_long(texts, variable):
        made = [
            *list_lines("lines", texts, variable),
            'parts = [line.split("\\t") for line in lines]',
            "questions = [(prompt, options) for prompt, *options in parts]",
        ]
    return [
        *made,
        "prompts = [prompt for prompt, each in questions for _ in each]",
        "options = [option for _, each in questions for option in each]",
    ]
