"""The pages of a chat: a reply on its tints, and the conversation as a table."""

from __future__ import annotations

from dataclasses import dataclass

from hf_magics.display.numbers import plural
from hf_magics.display.parts import Cell, Code, Column, Part, Table, Text
from hf_magics.display.words import shortened
from hf_magics.inference.chat.conversation import Talk

_COLUMNS = (Column("turn", "right"), Column("role"), Column("text"), Column("tokens", "right"))
_LONGEST = 2000  # characters of one message
_PROMPT = "The prompt, as the chat template makes it:"


@dataclass(frozen=True)
class Extent:
    """How long a conversation is.

    ``messages`` counts the tokens of each message by itself, ``prompt`` those that the template
    makes of all; ``positions`` is how many the model has, None where it has no such limit. What a
    server does not tell is None.
    """

    messages: tuple[int | None, ...] = ()
    prompt: int | None = 0
    positions: int | None = None


@dataclass(frozen=True)
class Read:
    """What turn ``turn``, which counts from 1, read: the tokens of its prompt.

    The keys and values of the first ``reused`` of them were in the cache. What a server does not
    tell is None.
    """

    turn: int
    tokens: int | None
    reused: int | None


def reply_parts(written: tuple[Part, ...], prompt: str, read: Read) -> tuple[Part, ...]:
    """Return the parts of a generation, with what was read of the prompt in the last line.

    Args:
        written: The turn, the reply and its tokens; the last part is one line of text.
        prompt: What the template made of the conversation, ``""`` where it is not to be shown.
        read: What was read.
    """
    *first, last = written
    assert isinstance(last, Text)
    shown = (Text(_PROMPT), Code(prompt)) if prompt else ()
    return (*first, *shown, Text(f"{last.text} {_read_words(read)}".rstrip()))


def conversation_parts(talk: Talk, extent: Extent, prompt: str) -> tuple[Part, ...]:
    """Return a row a message, and the prompt where it is to be shown."""
    if not talk.messages:
        return (Text("Nothing was said yet: %hf_chat TEXT begins."),)
    shown = (Text(_PROMPT), Code(prompt)) if prompt else ()
    rows = tuple(
        _row(message["role"], message["content"], turn, tokens)
        for message, turn, tokens in zip(
            talk.messages, message_turns(talk), extent.messages, strict=True
        )
    )
    return (Table(_COLUMNS, rows, _extent_words(talk, extent)), *shown)


def message_turns(talk: Talk) -> list[int]:
    """Return the turn of each message, which counts from 1; the system message has turn 0."""
    turns = [number for number in range(1, len(talk.turns) + 1) for _ in range(2)]
    return [0, *turns] if talk.system else turns


def _row(role: str, text: str, turn: int, tokens: int | None) -> tuple[Cell, ...]:
    return (
        str(turn) if turn else "",
        role,
        Code(shortened(text, _LONGEST) or "(nothing)"),
        "?" if tokens is None else str(tokens),
    )


def _extent_words(talk: Talk, extent: Extent) -> str:
    said = plural(len(talk.turns), "turn")
    if extent.prompt is not None:
        said += f", {plural(extent.prompt, 'token')} as the chat template writes them"
    if extent.positions is None:
        return said
    return f"{said}; the model has {extent.positions:,} positions"


def _read_words(read: Read) -> str:
    if read.tokens is None:
        return ""
    prompt = f"Prompt {plural(read.tokens, 'token')}"
    if read.reused is None:
        return f"{prompt}."
    if not read.reused:
        return f"{prompt}, none of them from the cache."
    return f"{prompt}, {read.reused:,} of them from the cache, {read.tokens - read.reused:,} read."
