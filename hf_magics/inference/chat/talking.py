"""Who talks: a torch model with its tokenizer, or a writer in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hf_magics.errors import EngineError
from hf_magics.inference.chat.conversation import Message, Talk, conversation_of
from hf_magics.inference.chat.pages import Extent
from hf_magics.inference.chat.replying import Replied, alone, as_generation, reply
from hf_magics.inference.chat.snippets import reply_snippet
from hf_magics.inference.chat.template import (
    check_room,
    check_template,
    count_tokens,
    prompt_ids,
    prompt_text,
    special_notes,
)
from hf_magics.inference.generation.asking import fitted_to, plan_for
from hf_magics.inference.generation.elsewhere import shown, write_with
from hf_magics.inference.generation.options import check_head
from hf_magics.inference.generation.writer import Writer
from hf_magics.modeling.limits import position_limit
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet
from hf_magics.specs import ChatSpec


class Talker(Protocol):
    """What a chat asks of a model."""

    loaded: LoadedModel

    def check(self) -> None:
        """Refuse a model that can't talk.

        Raises:
            HFMagicsError: Saying what is missing.
        """

    def reply(
        self, spec: ChatSpec, talk: Talk, longest: int, on_text: Callable[[str], None] | None
    ) -> Replied:
        """Answer ``spec.text`` after a conversation.

        Args:
            spec: The turn and its options.
            talk: The conversation so far.
            longest: The limit where neither the line nor the checkpoint has one, in tokens.
            on_text: Called with each new piece of the reply.

        Raises:
            HFMagicsError: The options contradict, or there is no room.
        """

    def prompt(self, messages: list[Message], *, asking: bool) -> tuple[str, int]:
        """Return what the template makes of messages, and its tokens.

        Raises:
            HFMagicsError: The template refuses them, or can't be seen.
        """

    def extent(self, messages: list[Message]) -> Extent:
        """Return how long a conversation is."""

    def notes(self, text: str) -> tuple[str, ...]:
        """Say what a reader of a turn must not miss."""

    def code(self, replied: Replied) -> Snippet:
        """Return the plain code of a reply to the variable ``messages``."""


def talker_of(loaded: LoadedModel) -> Talker:
    """Return who talks for a model."""
    return _Torch(loaded) if loaded.writer is None else _Elsewhere(loaded)


class _Torch:
    """A torch model, its tokenizer's chat template, and the keys and values it keeps."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    def check(self) -> None:
        check_head(self.loaded)
        check_template(self.loaded)

    def reply(
        self, spec: ChatSpec, talk: Talk, longest: int, on_text: Callable[[str], None] | None
    ) -> Replied:
        memory = conversation_of(self.loaded).memory
        return reply(self.loaded, memory, spec, talk, longest, on_text)

    def prompt(self, messages: list[Message], *, asking: bool) -> tuple[str, int]:
        text = prompt_text(self.loaded, messages, asking=asking)
        return text, len(prompt_ids(self.loaded, messages, asking=asking))

    def extent(self, messages: list[Message]) -> Extent:
        return Extent(
            tuple(count_tokens(self.loaded, [one["content"] for one in messages])),
            self.prompt(messages, asking=False)[1] if messages else 0,
            position_limit(self.loaded.model),
        )

    def notes(self, text: str) -> tuple[str, ...]:
        return special_notes(self.loaded, text)

    def code(self, replied: Replied) -> Snippet:
        return reply_snippet(self.loaded, replied.made, replied.prompts.pad_id)


class _Elsewhere:
    """A writer: it has the template, and the cache too."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._writer: Writer = loaded.writer

    def check(self) -> None:
        self._writer.templated([{"role": "user", "content": "Hello!"}], asking=True)

    def reply(
        self, spec: ChatSpec, talk: Talk, longest: int, on_text: Callable[[str], None] | None
    ) -> Replied:
        writer, name = self._writer, self.loaded.name
        made = alone(plan_for(writer, as_generation(spec, name), longest, is_turn=True))
        check_room(
            name,
            writer.positions,
            lambda before: writer.turn(before.asking(spec.text)).tokens or 0,
            talk,
        )
        prompt = writer.turn(talk.asking(spec.text))
        made = fitted_to(writer, name, [prompt], made)
        written, read = write_with(self.loaded, [prompt], made, on_text)
        return Replied(shown([spec.text], [prompt]), made, written, read.reused if read else None)

    def prompt(self, messages: list[Message], *, asking: bool) -> tuple[str, int]:
        seen = self._writer.templated(messages, asking=asking)
        if seen is None:
            raise EngineError(
                f"{self._writer.label} makes the prompt by itself, so that --show-prompt can't "
                "show it: leave it out"
            )
        return seen

    def extent(self, messages: list[Message]) -> Extent:
        seen = self._writer.templated(messages, asking=False) if messages else ("", 0)
        counts = self._writer.count([one["content"] for one in messages])
        return Extent(tuple(counts), seen[1] if seen else None, self._writer.positions)

    def notes(self, text: str) -> tuple[str, ...]:  # noqa: ARG002 - as the other takes
        """Nothing: its prompts have the notes."""
        return ()

    def code(self, replied: Replied) -> Snippet:
        return self._writer.replying(replied.made)
