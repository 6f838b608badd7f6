"""Question answering: the stretches of a context that answer a question.

Start and end logits are read as transformers 4's ``QuestionAnsweringPipeline`` read them.
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import torch

from hf_magics.display.numbers import count, prob
from hf_magics.display.parts import Bar, Cell, Column, Fold, Marked, Part, Span, Table, Text
from hf_magics.display.words import left_out, shortened
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.spans import Found, best_spans
from hf_magics.inference.answering.task import Done, Request, Task, need_positive
from hf_magics.inference.answering.windows import Windows, asked, encode_windows
from hf_magics.inference.script_inputs import list_lines, pair_lines, text_lines
from hf_magics.inference.snippets import lent_lines, run_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.snippets import Name, Snippet, call

_SHOWN = 3
_AT_ONCE = 32  # windows in one forward pass
_NO_ANSWER = "no answer"
_COLUMNS = (
    Column("question"),
    Column("answer"),
    Column("probability"),
    Column("characters", "right"),
)
_AROUND = 200  # characters of the context on each side of an answer
_SHORT = 600  # characters of context that need no fold


class Question(Task):
    """Spans by their start and end; the null's probability is an answer among the others.

    A context that is longer than the model reads is read in windows that overlap; the best of all
    windows count.
    """

    name = "question-answering"
    options = ("context", "top_k")
    reads = ("texts",)

    def check(self, request: Request) -> None:
        """Refuse a question without a context, and a ``--top-k`` below 1."""
        super().check(request)
        need_positive(request, "top_k")
        asked(request)

    def encode(self, request: Request) -> Encoded:
        """Return a row a window: as many as each question's context needs."""
        return encode_windows(request)

    def run(self, request: Request, encoded: Encoded) -> tuple[Any, dict[str, Any]]:
        """Run so many windows at once that a long context fits in memory too."""
        rows = len(encoded.lengths)
        if rows <= _AT_ONCE or encoded.apart is not None:  # which is run in groups anyway
            return super().run(request, encoded)
        ran = []
        for at in range(0, rows, _AT_ONCE):
            some = {name: rows[at : at + _AT_ONCE] for name, rows in encoded.inputs.items()}
            ran.append(super().run(request, dataclasses.replace(encoded, inputs=some))[0])
        joined = {name: _joined([one[name] for one in ran]) for name in ran[0]}
        return type(ran[0])(**joined), {}

    def answer(self, done: Done) -> Answer:
        """Return a row an answer, the likeliest of each question first.

        An answer is a stretch ``[start, end)`` of the context's characters; that there is none is
        ``""`` at ``[0, 0)``.
        """
        request, windows = done.request, cast("Windows", done.encoded)
        pairs = asked(request)
        found = best_spans(done.outputs, windows, request.options.get("top_k", _SHOWN))
        records = [
            _record(at, rank, pair, one)
            for at, (pair, answers) in enumerate(zip(pairs, found, strict=True), 1)
            for rank, one in enumerate(answers, 1)
        ]
        best = [one for one in records if one["rank"] == 1]
        contexts = [context for _, context in pairs]
        values = tuple(_words(pair, answers) for pair, answers in zip(pairs, found, strict=True))
        table = _table(records, request.settings.rows)
        parts = (
            table,
            *_windows_said(windows),
            *_in_context(best[: request.settings.rows], contexts),
        )
        return Answer(parts, records, (), values)

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return the windows, outputs, and the best answer of each question in ``texts``."""
        windows = cast("Windows", done.encoded)
        lines = [
            *_asked(done.request),
            *lent_lines(windows.pad_word),
            f"windows = {_tokenizing(windows)}",
            'owners = windows.pop("overflow_to_sample_mapping").tolist()',
            "inputs = dict(windows)",
            *run_lines(done.request.spec, done.added, done.encoded),
        ]
        around = _WORD if windows.words else "windows.token_to_chars(row, token)"
        decoding = _DECODING.replace("AROUND", around).replace("SIDE", str(windows.side))
        return (Snippet(("import torch",), tuple(lines)), Snippet((), tuple(decoding.splitlines())))


def _asked(request: Request) -> list[str]:
    """Return the lines that make ``questions`` and ``contexts``, one for each."""
    texts, variable = request.inputs.texts, request.spec.variable
    contexts = request.options.get("context")
    if not contexts:
        return pair_lines(("questions", "contexts"), texts, variable)
    questions = list_lines("questions", texts, variable)
    if len(contexts) > 1:
        return [*questions, *list_lines("contexts", contexts, "contexts")]
    return [*questions, *text_lines("context", *contexts), "contexts = [context] * len(questions)"]


def _tokenizing(windows: Windows) -> str:
    """Return the call that makes windows; the question is second where padding is on the left."""
    names = (Name("questions"), Name("contexts"))
    return call(
        "tokenizer",
        *(names if windows.side else names[::-1]),
        truncation="only_second" if windows.side else "only_first",
        max_length=windows.limit,
        stride=windows.stride,
        return_overflowing_tokens=True,
        **windows.leaving_out,
        padding=True,
        **windows.padding,
        return_tensors="pt",
    )


_WORD = "windows.word_to_chars(row, windows.token_to_word(row, token), SIDE)"
_DECODING = """\
answers = [{} for _ in questions]  # probability of each span (start, end)
nulls = [[] for _ in questions]
for row, owner in enumerate(owners):
    ids = inputs["input_ids"][row]
    in_context = torch.tensor([part == SIDE for part in windows.sequence_ids(row)]).to(ids.device)
    null = (ids == tokenizer.cls_token_id) & ~in_context
    hidden = ~(in_context | null)
    start, end = (
        logits[row].float().masked_fill(hidden, float("-inf")).softmax(dim=-1)
        for logits in (outputs.start_logits, outputs.end_logits)
    )
    if null.any():
        nulls[owner].append((start[null][0] * end[null][0]).item())
    allowed = torch.outer(in_context, in_context).triu().tril(14)  # at most 15 tokens
    best = torch.outer(start, end).masked_fill(~allowed, -1).flatten().topk(min(20, len(ids)))
    for value, at in zip(best.values.tolist(), best.indices.tolist()):
        if value >= 0:
            first, last = (
                AROUND
                for token in divmod(at, len(ids))
            )
            where = (first.start, last.end)
            answers[owner][where] = max(value, answers[owner].get(where, 0))
for owner, values in enumerate(nulls):
    if values:
        answers[owner][0, 0] = min(values)
best = [max(each, key=each.get) for each in answers]
texts = [context[start:end].strip() for context, (start, end) in zip(contexts, best)]"""


def _joined(pieces: list[Any]) -> Any:
    """Return one output of several passes as of one; what is no tensor, a cache, is left out."""
    if isinstance(pieces[0], torch.Tensor):
        return torch.cat(pieces)
    if isinstance(pieces[0], tuple):
        return tuple(_joined(list(column)) for column in zip(*pieces, strict=True))
    return None


def _words(pair: tuple[str, str], answers: list[Found]) -> str:
    """Return the likeliest answer's text, ``""`` where there is none."""
    return pair[1][answers[0].start : answers[0].end] if answers else ""


def _record(line: int, rank: int, pair: tuple[str, str], one: Found) -> dict[str, Any]:
    question, context = pair
    return {
        "line": line,
        "question": question,
        "rank": rank,
        "answer": context[one.start : one.end],
        "prob": one.prob,
        "start": one.start,
        "end": one.end,
    }


def _table(records: list[dict[str, Any]], shown: int) -> Table:
    """Return the answers; the question stands beside the first of its own."""
    rows: list[tuple[Cell, ...]] = [
        (
            shortened(one["question"]) if one["rank"] == 1 else "",
            shortened(one["answer"]) or f"({_NO_ANSWER})",
            Bar(one["prob"], prob(one["prob"])),
            f"{count(one['start'])}–{count(one['end'])}" if one["answer"] else "–",
        )
        for one in records[:shown]
    ]
    return Table(_COLUMNS, tuple(rows), "Answers", left_out(len(records), shown))


def _windows_said(windows: Windows) -> tuple[Part, ...]:
    """Say that contexts were read in parts, where they were."""
    rows = len(windows.owners)
    if rows == len(windows.contexts):
        return ()
    return (
        Text(
            f"What is too long was read in parts: {rows:,} windows of at most {windows.limit:,} "
            f"tokens, of which neighbours share {windows.stride:,}; a probability is that within "
            "its window."
        ),
    )


def _in_context(best: list[dict[str, Any]], contexts: list[str]) -> tuple[Part, ...]:
    """Return each best answer where it stands: openly where that is one short text."""
    marked = [
        (one["question"], _marked(one, contexts[one["line"] - 1])) for one in best if one["answer"]
    ]
    if not marked:
        return ()
    if len(contexts) == 1 and len(contexts[0]) <= _SHORT:
        return (marked[0][1],)
    rows = tuple((shortened(question), text) for question, text in marked)
    table = Table((Column("question"), Column("context")), rows)
    return (Fold("The likeliest answers where they stand", (table,)),)


def _marked(one: dict[str, Any], context: str) -> Marked:
    """Return the answer in the context, or in the part of a long one that is around it."""
    start, end = one["start"], one["end"]
    low, high = 0, len(context)
    if high > _SHORT:
        low, high = max(0, start - _AROUND), min(high, end + _AROUND)
    before, after = "…" if low else "", "…" if high < len(context) else ""
    shift = len(before) - low
    span = Span(start + shift, end + shift, "the answer", prob(one["prob"]))
    return Marked(f"{before}{context[low:high]}{after}", (span,))
