"""A conversation: what was said so far, and how a line changes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from hf_magics.errors import InputError, OptionError
from hf_magics.inference.chat.cache import Memory
from hf_magics.modeling.store import LoadedModel
from hf_magics.specs import ChatSpec

Message = dict[str, str]
"""``role`` and ``content``, as chat templates take them."""


@dataclass(frozen=True)
class Turn:
    """What the user said, and what the model wrote."""

    user: str
    reply: str


@dataclass(frozen=True)
class Talk:
    """The system message, ``""`` where there is none, and the turns in their order."""

    system: str = ""
    turns: tuple[Turn, ...] = ()

    @property
    def messages(self) -> list[Message]:
        """The whole conversation, as a chat template takes it."""
        said = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            said.append({"role": "user", "content": turn.user})
            said.append({"role": "assistant", "content": turn.reply})
        return said

    def asking(self, text: str) -> list[Message]:
        """Return the messages that end with a turn of the user."""
        return [*self.messages, {"role": "user", "content": text}]

    def with_turn(self, turn: Turn) -> Talk:
        """Return the conversation with one more turn."""
        return dataclasses.replace(self, turns=(*self.turns, turn))

    def first(self, turns: int) -> Talk:
        """Return the conversation as it was after so many turns."""
        return dataclasses.replace(self, turns=self.turns[:turns])


@dataclass(eq=False, repr=False)
class Conversation:
    """What a model keeps of a conversation: it is let go with the model."""

    talk: Talk = Talk()
    memory: Memory = field(default_factory=Memory)


def conversation_of(loaded: LoadedModel) -> Conversation:
    """Return the conversation of a model, an empty one where none has begun."""
    if loaded.conversation is None:
        loaded.conversation = Conversation()
    held: Conversation = loaded.conversation
    return held


def changed(talk: Talk, spec: ChatSpec, name: str) -> tuple[Talk, tuple[str, ...]]:
    """Return the conversation that a line goes on with, and what has to be said of it.

    Args:
        talk: The conversation so far.
        spec: ``new`` begins anew, ``undo`` takes the last turn back, ``system`` sets the system
            message: where another is in use, that begins anew as well.
        name: The model's name.

    Raises:
        OptionError: Anew and back at once.
        InputError: There is no turn to take back.
    """
    if spec.new and spec.undo:
        raise OptionError("--new begins anew and --undo goes one turn back: leave out one of them")
    if spec.undo:
        talk = _undone(talk, name)
    if spec.new:
        return Talk(spec.system), _notes_on_new(talk, spec)
    if not spec.system or spec.system == talk.system:
        return talk, ()
    return Talk(spec.system), _notes_on_system(talk)


def _undone(talk: Talk, name: str) -> Talk:
    if not talk.turns:
        raise InputError(f"the conversation with {name} has no turn that --undo could take back")
    return talk.first(len(talk.turns) - 1)


def _notes_on_new(talk: Talk, spec: ChatSpec) -> tuple[str, ...]:
    if talk.system and not spec.system:
        return ("the system message is gone with the old conversation: --system TEXT sets one",)
    return ()


def _notes_on_system(talk: Talk) -> tuple[str, ...]:
    if not talk.turns:
        return ()
    gone = "the turn" if len(talk.turns) == 1 else f"the {len(talk.turns)} turns"
    return (f"a new conversation: the system message is another, without {gone} before",)
