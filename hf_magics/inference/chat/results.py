"""What a chat gives back: the reply of a turn, or the conversation so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_magics.display.parts import Note, Page
from hf_magics.inference.chat.conversation import Message, Talk
from hf_magics.inference.chat.pages import (
    Extent,
    Read,
    conversation_parts,
    message_turns,
    reply_parts,
)
from hf_magics.inference.generation.results import GenerateResult
from hf_magics.modeling.kept import Kept
from hf_magics.modeling.of_model import OfModel
from hf_magics.modeling.store import LoadedModel


@dataclass(frozen=True)
class Said:
    """A conversation at a moment, and what the template makes of it where that is to be shown."""

    name: str
    number: int
    head: str
    talk: Talk
    prompt: str

    @classmethod
    def of(cls, loaded: LoadedModel, talk: Talk, prompt: str) -> Said:
        """Return what is said of a conversation with a model."""
        return cls(loaded.name, loaded.number, loaded.head, talk, prompt)


class ChatResult(OfModel):
    """A conversation, as a table; `TurnResult` is the one that a turn gives."""

    def __init__(self, said: Said, extent: Extent, *, notes: tuple[str, ...], code: str) -> None:
        super().__init__(said.number, code)
        self._said = said
        self._extent = extent
        self.notes = notes

    @property
    def messages(self) -> list[Message]:
        """The whole conversation: a dictionary of ``role`` and ``content`` a message."""
        return self._said.talk.messages

    @property
    def text(self) -> str:
        """The last reply, ``""`` where there is none yet."""
        turns = self._said.talk.turns
        return turns[-1].reply if turns else ""

    def records(self) -> list[dict[str, Any]]:
        """A row a message: ``turn`` (0 for the system message), ``role``, ``text``, ``tokens``."""
        turns = message_turns(self._said.talk)
        return [
            {"turn": turn, "role": one["role"], "text": one["content"], "tokens": tokens}
            for one, turn, tokens in zip(self.messages, turns, self._extent.messages, strict=True)
        ]

    def page(self) -> Page:
        """A row a message."""
        said = self._said
        parts = conversation_parts(said.talk, self._extent, said.prompt)
        return Page(f"{said.name} · {said.head} · chat", parts, tuple(map(Note, self.notes)))


class TurnResult(ChatResult):
    """The reply of a turn, with the probability of each token.

    Its IDs are kept as outputs are: in a notebook within a budget, with ``-o NAME`` and in scripts
    by the result.
    """

    def __init__(
        self, said: Said, generated: GenerateResult, read: Read, *, notes: tuple[str, ...]
    ) -> None:
        super().__init__(said, Extent(), notes=notes, code=generated.code)
        self._generated = generated
        self._read = read

    @property
    def text(self) -> str:
        """The reply of this turn."""
        return self._generated.text[0]

    @property
    def ids(self) -> list[int]:
        """The tokens of the reply, its end token included."""
        return self._generated.ids[0]

    @property
    def values(self) -> tuple[str, ...]:
        """The reply, as the main value of the one input."""
        return (self.text,)

    @property
    def read(self) -> Read:
        """How many tokens the prompt had, and how many of them were in the cache."""
        return self._read

    @property
    def outputs(self) -> Any:
        """The IDs as ``generate`` gave them, with the prompt; None after an interrupt.

        Raises:
            EvictedError: They were let go for newer ones.
        """
        return self._generated.outputs

    def kept_in(self, kept: Kept, budget: int) -> TurnResult:
        """Return the same result, its tensors in a store of a limited size."""
        generated = self._generated.kept_in(kept, budget)
        return TurnResult(self._said, generated, self._read, notes=self.notes)

    def records(self) -> list[dict[str, Any]]:
        """A row a token of the reply, as a generation has them."""
        return self._generated.records()

    def page(self) -> Page:
        """The turn, the reply on its tints, and how much was read, from the cache and written."""
        said, generated = self._said, self._generated.page()
        parts = reply_parts(generated.parts, said.prompt, self._read)
        notes = (*map(Note, self.notes), *generated.notes)
        return Page(f"{said.name} · {said.head} · chat, turn {self._read.turn}", parts, notes)
