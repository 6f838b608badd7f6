"""Text generation, one step of it: what a causal language model expects after each text."""

from __future__ import annotations

from typing import Any

from hf_magics.display.numbers import prob
from hf_magics.display.parts import Bar, Cell, Column, Table
from hf_magics.display.words import left_out, shortened
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task, named_lines, need_positive
from hf_magics.inference.snippets import mask_code

_SHOWN = 5
_MOST_ENDING = 60  # characters: what goes before the next token is the end of the text


class NextToken(Task):
    """The softmax over the logits at each text's last token; nothing is written on."""

    name = "text-generation"
    column = "token"
    options = ("top_k",)
    reads = ("texts", "ids")

    def check(self, request: Request) -> None:
        """Refuse a ``--top-k`` below 1."""
        super().check(request)
        need_positive(request, "top_k")

    def answer(self, done: Done) -> Answer:
        """Return for each input the next tokens that are most likely."""
        request = done.request
        most = request.options.get("top_k", _SHOWN)
        logits = _last(done).float()
        top = logits.softmax(dim=-1).cpu().topk(min(most, logits.shape[-1]), dim=-1)
        texts = named_lines(request, len(logits))
        records = [
            {"line": line, "text": text, "rank": rank, "token": token, "id": one, "prob": value}
            for line, (text, ids, values) in enumerate(
                zip(texts, top.indices.tolist(), top.values.tolist(), strict=True), 1
            )
            for rank, (token, one, value) in enumerate(
                zip(_words(request, ids), ids, values, strict=True), 1
            )
        ]
        shown = [_row(row) for row in records[: request.settings.rows]]
        table = Table(_COLUMNS, tuple(shown), _CAPTION, left_out(len(records), len(shown)))
        best = tuple(row["token"] for row in records if row["rank"] == 1)
        return Answer((table,), records, (), best)

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return the logits at the last token of each text to probabilities."""
        return (
            f"mask = {mask_code(done.encoded)}",
            "last = mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)",
            "logits = outputs.logits[range(len(last)), last]",
            "probabilities = logits.softmax(dim=-1)",
            "tokens = [tokenizer.decode([i]) for i in probabilities.argmax(dim=-1).tolist()]",
        )


_CAPTION = "The next token: one step, %%hf_generate writes on"
_COLUMNS = (
    Column("after"),
    Column("token", mono=True),
    Column("ID", "right"),
    Column("probability"),
)


def _last(done: Done) -> Any:
    """Return the logits at the last token of each row, wherever its padding is."""
    mask = done.encoded.mask
    assert mask is not None  # of texts and token IDs there is one
    last = mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)
    logits = done.outputs["logits"]
    return logits[range(len(last)), last.to(logits.device)]


def _words(request: Request, ids: list[int]) -> list[str]:
    tokenizer = request.loaded.tokenizer
    if tokenizer is None:
        return [str(one) for one in ids]
    with request.loaded.lock:  # the next window of a map is tokenised beside
        return [tokenizer.decode([one]) for one in ids]


def _row(record: dict[str, Any]) -> tuple[Cell, ...]:
    text = record["text"]
    ending = text if len(text) <= _MOST_ENDING else f"…{text[-_MOST_ENDING:]}"
    first = shortened(ending) if record["rank"] == 1 else ""
    value = record["prob"]
    return (first, record["token"], str(record["id"]), Bar(value, prob(value)))
