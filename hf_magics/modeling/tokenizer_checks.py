"""What a tokenizer's files may not have it do: they are a stranger's settings and programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from hf_magics.errors import TokenizerError

MOST_GROWTH = 100
"""How many times as long its replacements may make a text: models that are known need 3."""


def check_made(tokenizer: Any, where: str) -> None:
    """Refuse a tokenizer that would count wrong, or that makes gigabytes of a sentence.

    Args:
        tokenizer: As transformers made it.
        where: What it was loaded from.

    Raises:
        TokenizerError: Naming the file that says so.
    """
    most = tokenizer.model_max_length
    if isinstance(most, bool) or not isinstance(most, (int, float)) or math.isnan(most):
        raise TokenizerError(
            f"tokenizer_config.json of '{where}' has model_max_length={most!r}, which is no number "
            "of tokens; --tokenizer SOURCE takes another"
        )
    backend = getattr(tokenizer, "backend_tokenizer", None)  # a slow one has none
    for part in ("normalizer", "decoder"):
        one = getattr(backend, part, None)
        times = _growth(json.loads(one.__getstate__())) if one is not None else 1
        if times > MOST_GROWTH:
            raise TokenizerError(
                f"the {part} in tokenizer.json of '{where}' makes texts up to {times:,.0f} times "
                "as long, which fills the memory; --tokenizer SOURCE takes another"
            )


def _growth(step: Mapping[str, Any]) -> float:
    """Return how many times as long a text can become by a step, and by those in it."""
    inner = step.get("normalizers") or step.get("decoders") or ()
    if inner:
        return math.prod(map(_growth, inner))
    if step.get("type") != "Replace":
        return 1
    pattern = step["pattern"]
    # an expression may match the empty text between any two characters
    shortest = len(pattern["String"]) if pattern.get("String") else 1
    also = 0 if pattern.get("String") else 1
    return max(1, len(step["content"]) / shortest + also)
