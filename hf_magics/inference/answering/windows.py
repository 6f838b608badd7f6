"""A question and its context to windows that the model can read, one overlapping the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hf_magics.errors import InputError, OptionError, TokenizerError
from hf_magics.inference import checks, tokenizing
from hf_magics.inference.answering.task import Request
from hf_magics.inference.asking import asking
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inference.told import not_taken, reads_padding, told_to_leave_out, told_to_pad

_WIDEST = 384  # tokens: what models for this are trained on, and the old pipeline's number
_STRIDE = 128  # tokens that neighbours share, likewise


@dataclass(frozen=True)
class Windows(Encoded):
    """A batch with a row a window.

    ``batch`` is the tokenizer's own, which knows words and characters; ``contexts`` has one a
    question; ``owners`` gives each row's question, counted from 0; ``side`` is 1 where the context
    is the second text, else 0; ``stride`` is how many tokens neighbours share; ``words`` says
    whether the tokenizer knows words; ``cls_id`` is the token whose logits stand for no answer.
    """

    batch: Any = None
    contexts: tuple[str, ...] = ()
    owners: tuple[int, ...] = ()
    side: int = 1
    stride: int = 0
    words: bool = True
    cls_id: int | None = None

    def in_context(self, row: int) -> list[bool]:
        """Say for each token of a row whether it is one of the context."""
        return [part == self.side for part in self.batch.sequence_ids(row)]

    def characters(self, row: int, first: int, last: int) -> tuple[int, int]:
        """Return the characters ``[start, end)`` from one token's word to another's, trimmed."""
        start, end = self._around(row, first).start, self._around(row, last).end
        text = self.contexts[self.owners[row]][start:end]
        return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())

    def _around(self, row: int, token: int) -> Any:
        if not self.words:
            return self.batch.token_to_chars(row, token)
        return self.batch.word_to_chars(row, self.batch.token_to_word(row, token), self.side)


def asked(request: Request) -> list[tuple[str, str]]:
    """Return each line's question and context.

    Raises:
        OptionError: ``--context`` where the lines have contexts too, or not as many as lines.
        InputError: No context, or an empty one.
    """
    texts = request.inputs.texts
    checks.check_texts(texts)
    contexts = request.options.get("context")
    pairs = _given(texts, contexts) if contexts else _parted(texts)
    for number, (question, context) in enumerate(pairs, 1):
        if not isinstance(context, str):
            raise InputError(
                f"the context of line {number} is {type(context).__name__}, not text: --context "
                "takes a text, or a list with one a question"
            )
        if not question.strip() or not context.strip():
            what = "context" if question.strip() else "question"
            raise InputError(f"the {what} of line {number} is empty: write a {what}")
    return pairs


def encode_windows(request: Request) -> Windows:
    """Return all windows of all questions in one padded batch.

    Raises:
        TokenizerError: The model has no tokenizer, or one that does not know characters.
        InputError: A question leaves no room for its context.
    """
    loaded, pairs = request.loaded, asked(request)
    tokenizer = tokenizing.need_tokenizer(loaded)
    if not tokenizer.is_fast:
        raise TokenizerError(
            f"the tokenizer of {loaded.name} ({type(tokenizer).__name__}) does not know which "
            "characters its tokens are of: load the model with a fast one (--tokenizer SOURCE)"
        )
    side = 1 if tokenizer.padding_side == "right" else 0
    with asking(loaded), tokenizing.borrowed_pad(tokenizer, 2) as pad_word:
        limit = _limit(request)
        stride = min(_STRIDE, _least_room(tokenizer, pairs, limit) // 2)
        padding = told_to_pad(loaded.model, tokenizer, 2)
        batch = _tokenized(tokenizer, pairs, side, limit, stride, padding)
    owners = tuple(batch.pop("overflow_to_sample_mapping").tolist())
    ids = batch["input_ids"]
    checks.check_rows(loaded, ids)
    made = Windows(
        {name: batch[name] for name in batch if name not in not_taken(loaded.model)},
        tuple(batch["attention_mask"].sum(dim=1).tolist()),
        limit,
        (),
        pad_word,
        tokenizing.count_unknown(tokenizer, ids),
        padding,
        told_to_leave_out(loaded.model, tokenizer),
        hidden_mask=batch["attention_mask"],
        reads_padding=reads_padding(loaded.model),
        batch=batch,
        contexts=tuple(context for _, context in pairs),
        owners=owners,
        side=side,
        stride=stride,
        words=tokenizer.backend_tokenizer.pre_tokenizer is not None,
        cls_id=tokenizer.cls_token_id,
    )
    _check_contexts(made)
    return made


def _given(texts: Sequence[str], contexts: Sequence[Any]) -> list[tuple[str, Any]]:
    with_tab = next((number for number, text in enumerate(texts, 1) if "\t" in text), None)
    if with_tab:
        raise OptionError(
            f"line {with_tab} has a context of its own after the tab: leave out one of the two"
        )
    if len(contexts) not in {1, len(texts)}:
        raise OptionError(
            f"--context has {len(contexts):,} texts for {len(texts):,} questions: give one for all "
            "or one each"
        )
    each = contexts if len(contexts) == len(texts) else [contexts[0]] * len(texts)
    return list(zip(texts, each, strict=True))


def _parted(texts: Sequence[str]) -> list[tuple[str, str]]:
    for number, text in enumerate(texts, 1):
        if "\t" not in text:
            raise InputError(
                f"line {number} has no context: give one with --context VAR, or write the "
                "question, a tab and the context"
            )
    return [(question, context) for question, _, context in (one.partition("\t") for one in texts)]


def _limit(request: Request) -> int:
    limit = tokenizing.limit_for(request.loaded, request.spec.max_length) or _WIDEST
    return limit if request.spec.max_length else min(limit, _WIDEST)


def _least_room(tokenizer: Any, pairs: Sequence[tuple[str, str]], limit: int) -> int:
    """Return how many tokens of context fit beside the longest question."""
    special: int = tokenizer.num_special_tokens_to_add(pair=True)
    questions = tokenizer(
        [question for question, _ in pairs], add_special_tokens=False, verbose=False
    )
    rooms = [limit - special - len(ids) for ids in questions["input_ids"]]
    for number, room in enumerate(rooms, 1):
        if room < 1:
            raise InputError(
                f"the question of line {number} takes all of the {limit:,} tokens of a window: "
                "shorten it, or give a higher --max-length"
            )
    return min(rooms)


def _tokenized(
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    side: int,
    limit: int,
    stride: int,
    padding: dict[str, Any],
) -> Any:
    questions, contexts = (list(column) for column in zip(*pairs, strict=True))
    first, second = (questions, contexts) if side else (contexts, questions)
    return tokenizer(
        first,
        second,
        truncation="only_second" if side else "only_first",
        max_length=limit,
        stride=stride,
        return_overflowing_tokens=True,
        return_attention_mask=True,
        padding=True,
        **padding,
        return_tensors="pt",
    )


def _check_contexts(windows: Windows) -> None:
    for row, owner in enumerate(windows.owners):
        if not any(windows.in_context(row)):
            raise InputError(
                f"the context of line {owner + 1} has no character that the tokenizer keeps"
            )
