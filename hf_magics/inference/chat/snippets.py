"""Plain transformers code for the last turn of a conversation."""

from __future__ import annotations

from typing import Any

from hf_magics.inference.chat.conversation import Message
from hf_magics.inference.generation.options import Plan
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Name, Snippet, call, quoted


def messages_snippet(messages: list[Message]) -> Snippet:
    """Return the conversation as a list of messages."""
    rows = (
        f'    {{"role": {quoted(one["role"])}, "content": {quoted(one["content"])}}},'
        for one in messages
    )
    return Snippet((), ("messages = [", *rows, "]"))


def reply_snippet(loaded: LoadedModel, made: Plan, pad_id: int | None) -> Snippet:
    """Return the lines from ``messages`` to the reply, in ``texts``.

    Args:
        loaded: The model.
        made: The options.
        pad_id: What ``generate`` pads with, where the model does not say.
    """
    words: dict[str, Any] = {"add_generation_prompt": True, "return_tensors": "pt"}
    if "token_type_ids" in loaded.tokenizer.model_input_names:  # which decoders do not take
        words["tokenizer_kwargs"] = {"return_token_type_ids": False}
    begin = "" if loaded.config.is_encoder_decoder else '[:, inputs["input_ids"].shape[1]:]'
    lines = (
        f"inputs = {call('tokenizer.apply_chat_template', Name('messages'), **words)}",
        "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
        *([] if made.seed is None else [f"torch.manual_seed({made.seed})"]),
        f"outputs = {call('model.generate', Name('**inputs'), **_words(made, pad_id))}",
        f"texts = tokenizer.batch_decode(outputs{begin}, skip_special_tokens=True)",
    )
    return Snippet(() if made.seed is None else ("import torch",), lines)


def _words(made: Plan, pad_id: int | None) -> dict[str, Any]:
    words = {"max_new_tokens": made.limit, **made.words}
    if pad_id is not None:
        words.setdefault("pad_token_id", pad_id)
    return {**words, "tokenizer": Name("tokenizer")} if made.stop else words
