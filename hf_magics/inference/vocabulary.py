"""Tokens as the vocabulary writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def vocabulary_words(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return the tokens of IDs, such as ``ĠParis``.

    A head may have more rows than its tokenizer has entries: ``<50256>`` is one without a word.
    """
    words = tokenizer.convert_ids_to_tokens(list(ids))
    return [f"<{one}>" if word is None else str(word) for one, word in zip(ids, words, strict=True)]
