"""Next sentence prediction: whether the second text of a pair follows on the first."""

from __future__ import annotations

from hf_magics.display.numbers import prob
from hf_magics.display.parts import Bar, Column, Table
from hf_magics.display.words import left_out, shortened
from hf_magics.errors import InputError
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.logits import logits_parts
from hf_magics.inference.answering.task import Done, Request, Task, named_lines
from hf_magics.inference.pairs import split_pair

_FOLLOWS = 0  # BERT's label of the pairs that stood side by side
_MORE_LIKELY_THAN_NOT = 0.5
_LABELS = ("it follows", "it does not")
_COLUMNS = (
    Column("first"),
    Column("second"),
    Column("follows"),
    Column("probability that it does"),
)


class NextSentence(Task):
    """Softmax over the two labels: the first is that the second text follows."""

    name = "next-sentence-prediction"
    column = "prob"

    def check(self, request: Request) -> None:
        """Refuse a line that is no pair.

        Raises:
            InputError: Naming the first line without a tab.
        """
        super().check(request)
        for number, text in enumerate(request.inputs.texts, 1):
            if isinstance(text, str) and not _is_pair(text):
                raise InputError(
                    f"line {number} is no pair of texts: write the first, a tab and the second "
                    "(in a column, a pair is two values)"
                )

    def answer(self, done: Done) -> Answer:
        """Return a row a pair: whether the second follows, and how likely that is."""
        logits = done.outputs["logits"].float().cpu()
        scores = logits.softmax(dim=-1)[:, _FOLLOWS].tolist()
        lines = named_lines(done.request, len(scores))
        pairs = [_pair(line) for line in lines]
        shown = done.request.settings.rows
        rows = tuple(
            (shortened(first), shortened(second), _verdict(score), Bar(score, prob(score)))
            for (first, second), score in zip(pairs[:shown], scores, strict=False)
        )
        table = Table(_COLUMNS, rows, "Next sentence", left_out(len(scores), shown))
        records = [
            {"line": at, "first": first, "second": second, "follows": _follows(one), "prob": one}
            for at, ((first, second), one) in enumerate(zip(pairs, scores, strict=True), 1)
        ]
        folded = logits_parts(_LABELS, lines, logits, "softmax", shown)
        return Answer((table, *folded), records, (), tuple(scores))

    def decoding(self, done: Done) -> tuple[str, ...]:  # noqa: ARG002 - the same for all
        """Return logits to the probability that the second text follows."""
        return (
            f"probabilities = outputs.logits.float().softmax(dim=-1)[:, {_FOLLOWS}]  # it follows",
            f"labels = [p > {_MORE_LIKELY_THAN_NOT} for p in probabilities.tolist()]",
        )


def _is_pair(text: str) -> bool:
    parts = split_pair(text)
    return len(parts) > 1 and all(map(str.strip, parts))


def _pair(line: str) -> tuple[str, str]:
    first, *second = split_pair(line)
    return first, "".join(second)


def _follows(score: float) -> bool:
    return score > _MORE_LIKELY_THAN_NOT


def _verdict(score: float) -> str:
    return "yes" if _follows(score) else "no"
