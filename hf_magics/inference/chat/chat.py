"""Chat: a line to a turn of the model's conversation, or to a look at it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hf_magics.display.numbers import plural
from hf_magics.errors import InputError, OptionError
from hf_magics.inference.chat.conversation import Message, Talk, Turn, changed, conversation_of
from hf_magics.inference.chat.pages import Read
from hf_magics.inference.chat.replying import Replied
from hf_magics.inference.chat.results import ChatResult, Said, TurnResult
from hf_magics.inference.chat.snippets import messages_snippet
from hf_magics.inference.chat.talking import Talker, talker_of
from hf_magics.inference.generation.resolved import as_run
from hf_magics.inference.generation.results import GenerateResult
from hf_magics.inference.generation.written import INTERRUPTED, Written
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.steps import Piece, Step
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet
from hf_magics.specs import ChatSpec

_OF_A_REPLY = ("max_new_tokens", "temperature", "top_p", "top_k", "seed", "stop", "extra")


def chat(
    spec: ChatSpec,
    session: Session,
    settings: Settings,
    on_text: Callable[[str], None] | None = None,
) -> ChatResult:
    """Answer a turn of the conversation with a model; without a text, show what was said.

    What fails leaves the conversation as it was.

    Args:
        spec: The model, the turn and its options.
        session: Where the model is.
        settings: How much a page shows.
        on_text: Called with each new piece of the reply.

    Raises:
        SessionNameError: No such model.
        HeadError: The model can't generate.
        TokenizerError: It has no tokenizer, or that has no chat template.
        OptionError: An option does not exist, or contradicts another.
        InputError: The conversation has no room for the turn, or no turn to take back.
        FitError: The device has no room for it.
        EngineError: The engine that writes in the place of torch gave up.
    """
    loaded = _able(spec, session)
    spec = dataclasses.replace(spec, name=loaded.name)
    conversation = conversation_of(loaded)
    before = conversation.talk
    talk, notes = changed(before, spec, loaded.name)
    result: ChatResult
    talker = talker_of(loaded)
    if spec.text.strip():
        replied = talker.reply(spec, talk, settings.max_new_tokens, on_text)
        spec = as_run(spec, loaded, replied.made)
        after = _after(talk, spec, replied) or before
        parts = _parts(loaded, talk.asking(spec.text), talker.code(replied))
        code, written = Step(spec, parts).code, _without_interrupt(replied.written)
        generated = GenerateResult.of(loaded, replied.prompts, written, settings, code)
        result = _turn(talker, spec, (talk, after), replied, generated)
    else:
        _check_unused(spec)
        after = talk
        parts = _parts(loaded, talk.messages)
        result = _look(talker, spec, talk, Step(spec, parts).code)
    if after is not before:
        result.notes = (*notes, *result.notes)
        conversation.talk = after
        session.record(spec, *parts)
    return result


def _parts(loaded: LoadedModel, messages: list[Message], *more: Snippet) -> tuple[Piece, ...]:
    return pieces_of(loaded, messages_snippet(messages), *more)


def _able(spec: ChatSpec, session: Session) -> LoadedModel:
    """Return the model, where it can keep a conversation."""
    if not isinstance(spec.text, str):
        raise InputError(f"a turn is one text, not {type(spec.text).__name__}")
    loaded = session.get(spec.name)
    talker_of(loaded).check()
    return loaded


def _after(talk: Talk, spec: ChatSpec, replied: Replied) -> Talk | None:
    """Return the conversation with the reply, None where an interrupt came first."""
    written = replied.written
    if written.interrupted and not written.new_tokens:
        return None
    return talk.with_turn(Turn(spec.text, written.sequences[0].text))


def _turn(
    talker: Talker,
    spec: ChatSpec,
    talks: tuple[Talk, Talk],
    replied: Replied,
    generated: GenerateResult,
) -> TurnResult:
    """Return the result of a turn; ``talks`` are the conversations before it and after."""
    messages = talks[0].asking(spec.text)
    prompt = talker.prompt(messages, asking=True)[0] if spec.show_prompt else ""
    read = Read(len(talks[0].turns) + 1, replied.written.prompt_tokens, replied.reused)
    said = Said.of(talker.loaded, talks[1], prompt)
    notes = (*talker.notes(spec.text), *_interrupt_notes(replied.written))
    return TurnResult(said, generated, read, notes=notes)


def _without_interrupt(written: Written) -> Written:
    """Leave out the note of an interrupt, which is said in the words of a conversation."""
    if not written.interrupted:
        return written
    kept = tuple(note for note in written.notes if not note.startswith(INTERRUPTED))
    return dataclasses.replace(written, notes=kept)


def _look(talker: Talker, spec: ChatSpec, talk: Talk, code: str) -> ChatResult:
    loaded, messages = talker.loaded, talk.messages
    shown = spec.show_prompt and bool(messages)
    return ChatResult(
        Said.of(loaded, talk, talker.prompt(messages, asking=False)[0] if shown else ""),
        talker.extent(messages),
        notes=(),
        code=code,
    )


def _check_unused(spec: ChatSpec) -> None:
    """Refuse options of a reply where there is nothing to reply to."""
    for name in _OF_A_REPLY:
        if getattr(spec, name) not in (None, ()):
            option = {"extra": "set"}.get(name, name.replace("_", "-"))
            raise OptionError(f"there is no text to answer, so --{option} does nothing here")


def _interrupt_notes(written: Written) -> tuple[str, ...]:
    if not written.interrupted:
        return ()
    if not written.new_tokens:
        return ("interrupted before the first token: the conversation is as it was",)
    tokens = plural(written.new_tokens, "token")
    return (f"interrupted after {tokens}: the turn is kept as it is, --undo takes it back",)
