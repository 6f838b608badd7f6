"""The verb that keeps a conversation: chat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_magics.first_import import first_import
from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inference.chat.results import ChatResult


@orderly_interrupts()
def chat(
    text: str = "",
    *,
    model: str = "",
    system: str = "",
    new: bool = False,
    undo: bool = False,
    show_prompt: bool = False,
    max_new_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
    on_text: Callable[[str], None] | None = None,
    settings: Settings = DEFAULTS,
) -> ChatResult:
    """Answer a turn of the conversation with a model; without a text, show the conversation.

    It belongs to the model, and is let go with it.

    Args:
        text: What the user says.
        model: The name of a model; the current one where there is none.
        system: The system message; where another is in use, a new conversation begins.
        new: Begin anew.
        undo: Take the last turn back.
        show_prompt: Show what the chat template makes of the conversation.
        max_new_tokens: Tokens of the reply at most; 512 where neither this nor the checkpoint says.
        temperature: 0 takes the likeliest token each time; above, tokens are drawn.
        top_p: Draw from the likeliest tokens that have this probability together.
        top_k: Draw from so many likeliest tokens.
        seed: Makes what is drawn repeatable.
        stop: A text, or several, that end the reply.
        set: Other fields of transformers' ``GenerationConfig``.
        on_text: Called with each new piece of the reply.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, one without a chat template, an option that contradicts
            another, or no room for the turn; the conversation is as it was.
    """
    from hf_magics.specs import ChatSpec

    with first_import():
        from hf_magics.inference.chat import chat as chatting
    spec = ChatSpec(
        name=model,
        text=text,
        system=system,
        new=new,
        undo=undo,
        show_prompt=show_prompt,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        extra=tuple((set or {}).items()),
    )
    return chatting.chat(spec, session, settings, on_text)
