"""Messages to a prompt, through the tokenizer's own chat template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import HFMagicsError, InputError, TokenizerError
from hf_magics.inference import tokenizing
from hf_magics.inference.asking import asking
from hf_magics.inference.chat.conversation import Message, Talk
from hf_magics.modeling.store import LoadedModel


def check_template(loaded: LoadedModel) -> None:
    """Refuse a model that has no words for a conversation.

    Raises:
        TokenizerError: It has no tokenizer, or that has no chat template.
    """
    if not tokenizing.need_tokenizer(loaded).chat_template:
        raise TokenizerError(
            f"{loaded.name} has no chat template: %%hf_generate writes on from plain text"
        )


def prompt_text(loaded: LoadedModel, messages: list[Message], *, asking: bool) -> str:
    """Return what the template makes of messages, its special tokens spelled out.

    Args:
        loaded: The model.
        messages: The conversation.
        asking: Whether the beginning of a reply stands at the end.

    Raises:
        InputError: The template refuses them.
    """
    return str(_applied(loaded, messages, add_generation_prompt=asking, tokenize=False))


def prompt_ids(loaded: LoadedModel, messages: list[Message], *, asking: bool = True) -> list[int]:
    """Return the token IDs of messages, and of the beginning of a reply where one is asked for.

    Raises:
        InputError: The template refuses them.
    """
    batch = _applied(loaded, messages, add_generation_prompt=asking, return_dict=True)
    return [int(one) for one in batch["input_ids"]]


def count_tokens(loaded: LoadedModel, texts: list[str]) -> list[int]:
    """Return how many tokens each text is by itself, without what the template puts around it."""
    if not texts:
        return []
    with asking(loaded):
        batch = loaded.tokenizer(texts, add_special_tokens=False)
    return [len(ids) for ids in batch["input_ids"]]


def special_notes(loaded: LoadedModel, text: str) -> tuple[str, ...]:
    """Say which special tokens a text has in it: a template does not escape them."""
    found = [one for one in loaded.tokenizer.all_special_tokens if one in text]
    if not found:
        return ()
    words = sentence_list([repr(one) for one in found])
    return (f"the turn has {words}, which the tokenizer reads as a special token, not as text",)


def check_room(
    name: str,
    positions: int | None,
    count: Callable[[Talk], int],
    talk: Talk,
) -> None:
    """Refuse a turn with which the conversation is longer than the model's positions.

    Args:
        name: The model's.
        positions: How many it has, None where it has no such limit.
        count: Gives the tokens of the whole prompt, where the turn comes after a conversation.
        talk: The conversation before the turn.

    Raises:
        InputError: Saying after how many of the turns it fits.
    """
    if positions is None or (length := count(talk)) < positions:
        return
    said = (
        f"has {length:,} tokens, and {name} has {positions:,} positions, of which one has "
        "to be left to write in"
    )
    turns = len(talk.turns)
    # after how many turns there is room for this one, None where there is for none
    fit = next((one for one in reversed(range(turns)) if count(talk.first(one)) < positions), None)
    if fit is None:
        raise InputError(f"this turn {said}: shorten it")
    back = f"--undo {turns - fit} times" if turns - fit > 1 else "--undo once"
    way = f"it fits after {fit} of the {turns} turns ({back}), or --new begins anew"
    raise InputError(
        f"with this turn the conversation {said}: "
        + (way if fit else f"it fits after none of the {turns} turns, so --new begins anew")
    )


def _applied(loaded: LoadedModel, messages: list[Message], **words: Any) -> Any:
    try:
        with asking(loaded):
            return loaded.tokenizer.apply_chat_template(messages, **words)
    except HFMagicsError:
        raise
    except Exception as error:  # it is a program of whoever made the checkpoint
        raise InputError(
            f"the chat template of {loaded.name} refuses this: {one_line(error)[:300]}"
        ) from error
