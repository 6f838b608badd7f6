"""Writers: what writes text in the place of torch, an engine or a server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hf_magics.inference.generation.options import Plan
from hf_magics.inference.generation.recording import Step
from hf_magics.snippets import Snippet

Message = Mapping[str, str]
"""``role`` and ``content``."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as a writer takes it.

    ``given`` is the writer's own: token IDs, a text, messages. ``tokens`` counts it, None where
    that is not known before it is read. ``notes`` are what its reader must not miss. ``chances``
    says what the probabilities are, where they may be others than the model's own.
    """

    given: Any
    tokens: int | None = None
    notes: tuple[str, ...] = ()
    chances: str = ""


@dataclass(frozen=True)
class PromptRead:
    """The prompt was read: its tokens, and how many of them were in a cache; None: not told."""

    tokens: int | None
    reused: int | None = None


@dataclass(frozen=True)
class Piece:
    """What was written in one step: the text that it adds, and what is known of its token.

    A step whose token has no ID that is known has a negative one (`Lexicon` gives them).
    """

    text: str
    step: Step


@dataclass(frozen=True)
class End:
    """Why the writing ended, in the words of the page: ``end token``, ``stop string '.'``.

    ``tokens`` counts what was written, where that is another number than that of the pieces;
    ``rest`` is text of the last piece, where its token completes no character; ``notes`` are what
    the reader of the text must not miss.
    """

    stop: str
    tokens: int | None = None
    rest: str = ""
    notes: tuple[str, ...] = ()


EITHER = "end token or stop string"
"""Why the writing ended, where a server does not say which of them it was."""

Event = PromptRead | Piece | End


class Writer(Protocol):
    """Writes text step by step; `EngineModel` has one.

    ``takes`` are the fields that ``--set`` may give beside those that options stand for, by
    transformers' names where it has one. ``defaults`` say how it draws where a line does not
    (``temperature``, ``top_k``, ``top_p``); what is not among them is not told. ``positions`` are
    the tokens that prompt and text may have together, None where that is not known.
    ``draws_by_seed`` says that the same seed draws the same again. ``label`` is what it is called
    in a sentence: "``label`` has no beams".
    """

    label: str
    takes: Sequence[str]
    defaults: Mapping[str, Any]
    positions: int | None
    draws_by_seed: bool

    def prompt(self, given: str | Sequence[int]) -> Prompt:
        """Return a text, or token IDs, to be written on.

        Raises:
            HFMagicsError: It does not take such a one.
        """

    def turn(self, messages: Sequence[Message]) -> Prompt:
        """Return the prompt of a conversation whose last message is the user's.

        Raises:
            HFMagicsError: It has no chat template, or that refuses them.
        """

    def templated(self, messages: Sequence[Message], *, asking: bool) -> tuple[str, int] | None:
        """Return what the chat template makes of messages, and its tokens.

        None where that can't be seen from here.

        Raises:
            HFMagicsError: It has no chat template, or that refuses them.
        """

    def count(self, texts: Sequence[str]) -> list[int | None]:
        """Return how many tokens each text is by itself, None where that is not known."""

    def plan(self, made: Plan) -> Plan:
        """Return the plan as it will be done, or refuse it.

        Raises:
            OptionError: It does not take the options.
        """

    def write(self, prompt: Prompt, made: Plan) -> Iterator[Event]:
        """Write on, a step at a time: a `PromptRead` where it is known, pieces, and an `End`.

        The iterator is closed when it is no longer wanted, and a ``KeyboardInterrupt`` may come at
        any time: either leaves the writer able to write again.

        Raises:
            HFMagicsError: It gave up; what was written is lost.
        """

    def words(self, ids: Iterable[int]) -> Mapping[int, tuple[str, str]]:
        """Return tokens as the vocabulary writes them, and as a person reads them."""

    def loading(self) -> Snippet:
        """Return the plain code that makes the same, without any of ours."""

    def writing(self, made: Plan) -> Snippet:
        """Return the plain code that writes on from ``prompts``, texts or token IDs."""

    def replying(self, made: Plan) -> Snippet:
        """Return the plain code that answers ``messages``, a variable that holds a conversation."""

    def close(self) -> None:
        """Give back memory and connections."""


class Lexicon:
    """Gives tokens of which only the text is known an ID: negative, as no vocabulary has one."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def id_of(self, text: str) -> int:
        """Return the ID of a token's text, the same each time."""
        return self._ids.setdefault(text, -1 - len(self._ids))

    def words(self, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
        """Return what `Writer.words` has to."""
        texts = {number: text for text, number in self._ids.items()}
        return {one: (texts[one], texts[one].replace(" ", "␣")) for one in ids}


def step_of(
    token: int,
    prob: float = math.nan,
    rank: int = 0,
    top: tuple[tuple[int, float], ...] = (),
) -> Step:
    """Return a step whose distribution no processor changed; NaN and 0: not known."""
    return Step(token, prob, rank, prob, rank, top, top)
