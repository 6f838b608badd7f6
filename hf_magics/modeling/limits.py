"""How many tokens a model takes."""

from __future__ import annotations

from typing import Any

from hf_magics.modeling.store import LoadedModel

_NO_LIMIT = 10**9  # a tokenizer made from a vocabulary says 1e30
_POSITION_FIELDS = (
    "max_position_embeddings",
    "max_encoder_position_embeddings",
    "max_source_positions",
    "max_seq_len",
    "n_positions",
)


def token_limit(loaded: LoadedModel) -> int | None:
    """Return the most tokens of one input, None where there is no limit.

    It is the smaller of the tokenizer's ``model_max_length`` and the model's positions.
    """
    limits = [position_limit(loaded.model)]
    if loaded.tokenizer is not None:
        limits.append(int(min(loaded.tokenizer.model_max_length, _NO_LIMIT)))
    known = [one for one in limits if one and 0 < one < _NO_LIMIT]
    return min(known, default=None)


def limit_words(loaded: LoadedModel) -> str:
    """Return ``at most 512 tokens``."""
    limit = token_limit(loaded)
    return f"at most {limit:,} tokens" if limit else "no limit on length"


def position_limit(model: Any) -> int | None:
    """Return how many positions the model has, None where it has no such limit.

    RoBERTa and its kin count positions from ``padding_idx + 1``, so that many are lost.
    """
    config = model.config.get_text_config()
    named = (getattr(config, name, None) for name in _POSITION_FIELDS)
    positions = next((one for one in named if isinstance(one, int) and one > 0), None)
    if positions is None:
        return None
    embeddings = getattr(model.base_model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return positions if padding is None else positions - padding - 1
