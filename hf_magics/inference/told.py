"""What a tokenizer is told beside its own ways, so that its batch suits the model's ``forward``."""

from __future__ import annotations

import inspect
from typing import Any

from transformers import GenerationMixin

from hf_magics.modeling.forwarding import parameters_of

_KINDS = ("input_ids", "inputs_embeds", "pixel_values", "input_features", "input_values")
_BESIDE_IDS = ("token_type_ids", "attention_mask")


CACHE = (
    "cache"
    if "cache" in inspect.signature(GenerationMixin.prepare_inputs_for_generation).parameters
    else "past_key_values"
)
"""What forward and generate call the key-value cache: transformers 5.24 has renamed it."""


def takes_anything(model: Any) -> bool:
    """Say whether ``forward`` names no input and passes on what it is given, as a wrapper does."""
    takes = parameters_of(model)
    passes_on = any(one.kind is one.VAR_KEYWORD for one in takes.values())
    main = getattr(model, "main_input_name", "input_ids")
    return passes_on and not any(name in takes for name in (main, *_KINDS))


def not_taken(model: Any) -> tuple[str, ...]:
    """Return what a tokenizer may give beside the IDs that ``forward`` has no parameter for."""
    if takes_anything(model):
        return ()
    takes = parameters_of(model)
    return tuple(name for name in _BESIDE_IDS if name not in takes)


def reads_padding(model: Any) -> bool:
    """Say whether a text has another answer beside a longer one, whatever a mask hides.

    Those whose ``forward`` takes no mask, and those that mix neighbours where none is looked at.
    """
    kind = getattr(model.config, "model_type", "")
    return "attention_mask" in not_taken(model) or kind in _MIXES


# by a convolution (CANINE, ConvBERT, Nyströmformer, YOSO, MobileCLIP), the next token's embedding
# (MobileBERT), pooling (Funnel), or hashes of a sequence's length (Reformer, YOSO)
_MIXES = {
    *("canine", "convbert", "funnel", "mobilebert", "nystromformer", "reformer", "yoso"),
    "sam3_lite_text_text_model",
}


def told_to_pad(model: Any, tokenizer: Any, lines: int) -> dict[str, Any]:
    """Return the ``padding_side`` of lines where the tokenizer's own is wrong: right, for most.

    A plain forward pass counts positions from the first column on, so that padding there would
    shift those of the text. A head that reads the last column wants it on the left: XLNet's, which
    has relative positions.
    """
    side = "left" if reads_last(model) else "right"
    return {"padding_side": side} if lines > 1 and tokenizer.padding_side != side else {}


def reads_last(model: Any) -> bool:
    """Say whether a model's head reads the last column, whatever is there."""
    return getattr(model.config, "summary_type", "") == "last"


def told_to_leave_out(model: Any, tokenizer: Any) -> dict[str, Any]:
    """Return ``return_token_type_ids=False`` and the like for what ``forward`` does not take."""
    gives = tokenizer.model_input_names
    return {f"return_{name}": False for name in not_taken(model) if name in gives}
