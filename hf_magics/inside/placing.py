"""Where in a text each token of a line stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_magics.inference.generation.pieces import spread
from hf_magics.inference.pairs import split_pair
from hf_magics.modeling.store import LoadedModel

Spans = tuple[tuple[int, int], ...]
"""The characters ``[start, end)`` of each token, none where it stands for no text."""


def place(
    loaded: LoadedModel, ids: Sequence[int], text: str, limit: int | None
) -> tuple[str, Spans]:
    """Return the text of a line as far as its tokens go, and where in it they stand.

    A fast tokenizer says where its tokens stand. Any other text is what its tokens decode to.

    Args:
        loaded: The model, with a tokenizer or without.
        ids: The line's tokens.
        text: What they were made of, ``""`` where IDs were given.
        limit: The most tokens of a line, None where there is no limit.
    """
    if loaded.tokenizer is None:
        return _numbers(ids)
    if text and loaded.tokenizer.is_fast:
        with loaded.lock:
            spans = _offsets(loaded.tokenizer, text, limit)
        if len(spans) == len(ids):
            return text[: max((end for _, end in spans), default=0)], spans
    whole, found = spread(loaded, list(ids))
    return whole, tuple(found)


def _offsets(tokenizer: Any, text: str, limit: int | None) -> Spans:
    parts = split_pair(text)
    cutting = {"truncation": True, "max_length": limit} if limit else {}
    encoded = tokenizer(*parts, return_offsets_mapping=True, verbose=False, **cutting)
    shifts = (0, len(parts[0]) + 1)  # behind the tab
    return tuple(
        (0, 0) if part is None else (start + shifts[part], end + shifts[part])
        for part, (start, end) in zip(
            encoded.sequence_ids(0), encoded["offset_mapping"], strict=True
        )
    )


def _numbers(ids: Sequence[int]) -> tuple[str, Spans]:
    """Return the IDs as a text, parted by spaces."""
    text, spans = "", []
    for one in ids:
        text += " " if text else ""
        spans.append((len(text), len(text) + len(str(one))))
        text += str(one)
    return text, tuple(spans)
