"""Fill-mask: the likeliest tokens in the place of each mask."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import plural, prob
from hf_magics.display.parts import Bar, Cell, Column, Marked, Span, Table
from hf_magics.display.words import left_out
from hf_magics.errors import InputError, TokenizerError
from hf_magics.inference import checks, tokenizing
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.marked import marked_lines
from hf_magics.inference.answering.sub_tokens import CONTINUES, begins_word, marks_words
from hf_magics.inference.answering.task import Done, Request, Task, need_positive
from hf_magics.inference.snippets import infer_snippet
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inference.vocabulary import vocabulary_words
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet

_TYPED = "[MASK]"
_SHOWN = 5
_MOST_MASKS = 20


class FillMask(Task):
    """Softmax over the vocabulary at each mask, each by itself.

    ``[MASK]`` in a text stands for the tokenizer's own mask token.
    """

    name = "fill-mask"
    column = "token"
    options = ("top_k",)
    reads = ("texts", "ids")

    def is_default_for(self, loaded: LoadedModel) -> bool:
        """Leave a head that writes text, such as BART's, to the tasks that write."""
        return not loaded.config.is_encoder_decoder

    def check(self, request: Request) -> None:
        """Refuse lines without a mask or with too many, and a tokenizer without a mask token."""
        super().check(request)
        need_positive(request, "top_k")
        tokenizer = tokenizing.need_tokenizer(request.loaded)
        if tokenizer.mask_token_id is None:
            raise TokenizerError(
                f"the tokenizer of {request.loaded.name} has no mask token: load the model with "
                "--tokenizer SOURCE, or use --task features"
            )
        if request.inputs.texts:
            checks.check_texts(request.inputs.texts)
        for number, count in enumerate(_counts(request), 1):
            _check_count(number, count)

    def encode(self, request: Request) -> Encoded:
        """Put the tokenizer's own mask in the place of ``[MASK]``.

        Raises:
            InputError: A mask was lost where a line was cut.
        """
        inputs = dataclasses.replace(request.inputs, texts=_texts(request))
        encoded = tokenizing.encode_inputs(request.loaded, inputs, request.spec.max_length)
        kept = _masks(request, encoded).sum(dim=1).tolist()
        for number, (count, left) in enumerate(zip(_counts(request), kept, strict=True), 1):
            if left < count:
                _refuse_lost(number, encoded)
        return encoded

    def answer(self, done: Done) -> Answer:
        """Return the sentences with the best token in each place, and the top k of each mask."""
        masks = _masks(done.request, done.encoded)
        logits = done.outputs["logits"][masks.to(done.outputs["logits"].device)]
        most = min(done.request.options.get("top_k", _SHOWN), logits.shape[-1])
        top = logits.float().softmax(dim=-1).topk(most, dim=-1)
        found = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        counts = masks.sum(dim=1).tolist()
        loaded = done.request.loaded
        with loaded.lock:
            lines = [
                _line(
                    done, row, [_candidates(loaded.tokenizer, *next(found)) for _ in range(count)]
                )
                for row, count in enumerate(counts)
            ]
        return _answer(done, lines)

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return the run with the tokenizer's own mask in the texts, and the top k."""
        spec = dataclasses.replace(done.request.spec, texts=_texts(done.request))
        ran = infer_snippet(spec, done.encoded, done.added)
        return (ran, Snippet((), self.decoding(done)))

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return logits to tokens, a row a mask."""
        most = min(done.request.options.get("top_k", _SHOWN), done.outputs["logits"].shape[-1])
        return (
            'masked = inputs["input_ids"] == tokenizer.mask_token_id',
            "probabilities = outputs.logits[masked].softmax(dim=-1, dtype=torch.float32)",
            f"top = probabilities.topk({most})",
            "words = [[tokenizer.decode([i]) for i in row] for row in top.indices.tolist()]",
        )


@dataclass(frozen=True)
class _Candidate:
    """A token for a mask; ``joins`` where it goes on with the word before it."""

    id: int
    prob: float
    token: str
    written: str
    joins: bool


@dataclass(frozen=True)
class _Line:
    """What stands around the masks, and the candidates of each, the best first."""

    around: tuple[str, ...]
    masks: tuple[tuple[_Candidate, ...], ...]

    def filled(self, chosen: dict[int, _Candidate], mask: str) -> Marked:
        """Return the text with those candidates in place, and the mask where there is none."""
        text, spans = self.around[0], []
        for at, after in enumerate(self.around[1:]):
            one = chosen.get(at)
            if one is None:
                text += mask + after
                continue
            text = text.rstrip(" ") if one.joins else text
            end = len(text) + len(one.written)
            number = prob(one.prob)
            spans.append(Span(len(text), end, f"{one.token} {number}", number, one.prob))
            text += one.written + after
        return Marked(text, tuple(spans))

    def best(self, mask: str) -> Marked:
        """Return the text with the best candidate in each place."""
        return self.filled({at: ones[0] for at, ones in enumerate(self.masks)}, mask)


def _texts(request: Request) -> tuple[str, ...]:
    return tuple(_own(request, text) for text in request.inputs.texts)


def _own(request: Request, text: str) -> str:
    """Return a text with the tokenizer's own mask."""
    return text.replace(_TYPED, str(request.loaded.tokenizer.mask_token))


def _counts(request: Request) -> list[int]:
    """Return the number of masks in each line, before any is cut."""
    tokenizer = request.loaded.tokenizer
    if request.inputs.ids:
        return [line.count(tokenizer.mask_token_id) for line in request.inputs.ids]
    return [text.count(str(tokenizer.mask_token)) for text in _texts(request)]


def _check_count(number: int, count: int) -> None:
    if not count:
        raise InputError(
            f"line {number} has no mask: write {_TYPED} in the place of a word, or "
            "--task features for the tensors"
        )
    if count > _MOST_MASKS:
        raise InputError(
            f"line {number} has {count} masks, and {_MOST_MASKS} are filled at most: write out "
            "some of the words, or part the line"
        )


def _masks(request: Request, encoded: Encoded) -> Any:
    """Return where the masks are, a tensor of the shape of the IDs."""
    return encoded.inputs["input_ids"] == request.loaded.tokenizer.mask_token_id


def _refuse_lost(number: int, encoded: Encoded) -> None:
    if any(cut.line == number for cut in encoded.cuts):
        raise InputError(
            f"line {number} was cut to {plural(encoded.limit or 0, 'token')}, and a mask was lost: "
            f"shorten the text around the {_TYPED}, or give a higher --max-length"
        )
    raise InputError(
        f"line {number}: the tokenizer does not read a mask there: put spaces around {_TYPED}"
    )


def _candidates(tokenizer: Any, ids: list[int], probs: list[float]) -> tuple[_Candidate, ...]:
    marked = marks_words(tokenizer)
    tokens = vocabulary_words(tokenizer, ids)
    words = [_word(tokenizer, one, token) for one, token in zip(ids, tokens, strict=True)]
    return tuple(
        _Candidate(
            one, p, word, word.removeprefix(CONTINUES), not begins_word(token, marked=marked)
        )
        for one, p, token, word in zip(ids, probs, tokens, words, strict=True)
    )


def _word(tokenizer: Any, number: int, token: str) -> str:
    """Return a token as text; by its own name where it is white space or part of a character."""
    word = str(tokenizer.decode([number])).strip()
    return word if word and "\ufffd" not in word else token


def _line(done: Done, row: int, masks: list[tuple[_Candidate, ...]]) -> _Line:
    request = done.request
    if request.inputs.texts:
        text = _own(request, request.inputs.texts[row])
        around = text.split(str(request.loaded.tokenizer.mask_token))
        return _Line(tuple(around), tuple(masks))
    return _Line(_decoded_around(request, row, done.encoded), tuple(masks))


def _decoded_around(request: Request, row: int, encoded: Encoded) -> tuple[str, ...]:
    """Return the texts between the masks of a line of token IDs, parted from them by spaces."""
    tokenizer = request.loaded.tokenizer
    runs: list[list[int]] = [[]]
    for one in request.inputs.ids[row][: encoded.limit]:
        if one == tokenizer.mask_token_id:
            runs.append([])
        else:
            runs[-1].append(one)
    texts = [tokenizer.decode(run, skip_special_tokens=True).strip() for run in runs]
    before = [f"{text} " if text else "" for text in texts[:-1]]
    return (before[0], *(f" {text}" for text in before[1:]), f" {texts[-1]}".rstrip())


def _answer(done: Done, lines: list[_Line]) -> Answer:
    mask = str(done.request.loaded.tokenizer.mask_token)
    most = done.request.settings.rows
    best = [line.best(mask) for line in lines]
    records = [
        _record(number, at, rank, line, mask)
        for number, line in enumerate(lines, 1)
        for at, ones in enumerate(line.masks)
        for rank in range(len(ones))
    ]
    values = tuple(one.text.strip() for one in best)
    return Answer((marked_lines(best, most), _table(records, most)), records, (), values)


def _record(number: int, at: int, rank: int, line: _Line, mask: str) -> dict[str, Any]:
    one = line.masks[at][rank]
    return {
        "line": number,
        "mask": at + 1,
        "rank": rank + 1,
        "token": one.token,
        "id": one.id,
        "prob": one.prob,
        "text": line.filled({at: one}, mask).text.strip(),
    }


def _table(records: list[dict[str, Any]], most: int) -> Table:
    """Return a row a candidate, with its line and mask where there are several."""
    where = [name for name in ("line", "mask") if max(row[name] for row in records) > 1]
    columns = (
        *(Column(name, "right") for name in where),
        Column("token", mono=True),
        Column("ID", "right"),
        Column("probability"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(str(row[name]) for name in where),
            row["token"],
            str(row["id"]),
            Bar(row["prob"], prob(row["prob"])),
        )
        for row in records[:most]
    ]
    return Table(columns, tuple(rows), "Likeliest tokens", left_out(len(records), most))
