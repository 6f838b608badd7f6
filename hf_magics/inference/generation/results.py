"""What a generation gives back: the text, each token's numbers, and the IDs in reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hf_magics.display.parts import Note, Page
from hf_magics.inference.generation import pages
from hf_magics.inference.generation.encoding import Prompts
from hf_magics.inference.generation.pieces import as_read
from hf_magics.inference.generation.recording import Step
from hf_magics.inference.generation.written import Sequence_, Written
from hf_magics.inference.held import WithOutputs
from hf_magics.inference.vocabulary import vocabulary_words
from hf_magics.modeling.store import LoadedModel
from hf_magics.settings import Settings


@dataclass(frozen=True)
class Made:
    """What the result says of its model and prompts.

    ``words`` are the tokens that occur as the vocabulary has them, ``read`` as a person reads them.
    """

    name: str
    number: int
    head: str
    prompts: tuple[str, ...]
    rows: int
    words: Mapping[int, str]
    read: Mapping[int, str]


class GenerateResult(WithOutputs):
    """What was written, with the probability of each token.

    ``outputs`` are the IDs as ``generate`` gave them, with prompts and padding; None after an
    interrupt.
    """

    def __init__(self, made: Made, written: Written, *, held: Mapping[str, Any], code: str) -> None:
        super().__init__(made.number, code, held)
        self._made = made
        self._written = written

    @classmethod
    def of(
        cls,
        loaded: LoadedModel,
        prompts: Prompts,
        written: Written,
        settings: Settings,
        code: str,
    ) -> GenerateResult:
        """Return the result of what was written."""
        words, read = _words(loaded, written)
        name, number = loaded.name, loaded.number
        made = Made(name, number, loaded.head, prompts.texts, settings.rows, words, read)
        return cls(made, without_outputs(written), held={"outputs": written.outputs}, code=code)

    @property
    def text(self) -> list[str]:
        """What was written, without the prompts and special tokens: a text a sequence."""
        return [one.text for one in self._written.sequences]

    @property
    def ids(self) -> list[list[int]]:
        """The new tokens of each sequence, its end token included.

        Empty where a server gives no IDs.
        """
        return [[token for token in one.ids if token >= 0] for one in self._written.sequences]

    @property
    def values(self) -> tuple[Any, ...]:
        """The text for each prompt; a list of texts where there are several."""
        texts: dict[int, list[str]] = {}
        for one in self._written.sequences:
            texts.setdefault(one.line, []).append(one.text)
        return tuple(some[0] if len(some) == 1 else some for some in texts.values())

    def records(self) -> list[dict[str, Any]]:
        """A row a token: ``prob`` and ``rank`` after the processors, ``raw_…`` before them."""
        words = self._made.words
        return [
            {
                "line": one.line,
                "sequence": one.number,
                "position": at,
                "token": words[step.id],
                "id": step.id if step.id >= 0 else None,
                "text": one.text[slice(*span)],
                "prob": step.prob,
                "rank": step.rank,
                "raw_prob": step.raw_prob,
                "raw_rank": step.raw_rank,
                "top": _named(step.top, words),
                "raw_top": _named(step.raw_top, words),
            }
            for one in self._written.sequences
            for at, (step, span) in enumerate(zip(one.steps, one.spans, strict=True))
        ]

    def page(self) -> Page:
        """The text on its tints, the tokens folded, and one line on how much was written."""
        made = self._made
        parts = pages.parts(made.prompts, self._written, made.read, made.rows)
        notes = tuple(Note(note) for note in self._written.notes)
        return Page(f"{made.name} · {made.head} · generate", parts, notes)


def named_ids(sequences: tuple[Sequence_, ...]) -> list[int]:
    """Return the tokens that were written, and those that might have been."""
    return sorted({one for some in sequences for step in some.steps for one in _ids(step)})


def _words(loaded: LoadedModel, written: Written) -> tuple[dict[int, str], dict[int, str]]:
    """Return the tokens as the vocabulary has them, and as a person reads them."""
    if written.words is None:
        words = token_words(loaded, written)
        return words, readable(loaded, words)
    both = written.words.items()
    return {one: word for one, (word, _) in both}, {one: read for one, (_, read) in both}


def token_words(loaded: LoadedModel, written: Written) -> dict[int, str]:
    """Return each token that a result names as the tokenizer writes it, such as ``ĠParis``."""
    ordered = named_ids(written.sequences)
    if loaded.tokenizer is None:
        return {one: str(one) for one in ordered}
    with loaded.lock:
        return dict(zip(ordered, vocabulary_words(loaded.tokenizer, ordered), strict=True))


def readable(loaded: LoadedModel, words: Mapping[int, str]) -> dict[int, str]:
    """Return tokens as a person reads them."""
    if loaded.tokenizer is None:
        return dict(words)
    with loaded.lock:
        texts = {one: loaded.tokenizer.decode([one]) for one in words}
    return {one: as_read(word, texts[one]) for one, word in words.items()}


def without_outputs(written: Written) -> Written:
    """Return the same without its tensor: what a page needs is small."""
    return dataclasses.replace(written, outputs=None)


def _ids(step: Step) -> tuple[int, ...]:
    return (step.id, *(one for one, _ in (*step.top, *step.raw_top)))


def _named(top: tuple[tuple[int, float], ...], words: Mapping[int, str]) -> dict[str, float]:
    return {words[one]: prob for one, prob in top}
