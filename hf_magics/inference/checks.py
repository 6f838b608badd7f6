"""What can't be run is refused here, each in a line that names it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from hf_magics.errors import InputError
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import embedding_rows
from hf_magics.specs import TokenIds


def check_texts(texts: Sequence[Any]) -> None:
    """Refuse what is no text.

    Raises:
        InputError: Naming the first line that is none.
    """
    if not texts:
        raise InputError("there is no text: write one input a line, or give -i VAR")
    for number, text in enumerate(texts, 1):
        if why := why_no_text(text):
            raise InputError(f"line {number} {why}")


def why_no_text(text: Any) -> str:
    """Say what is wrong with an input that should be a text, ``""`` where nothing is."""
    if not isinstance(text, str):
        is_nan = isinstance(text, float) and math.isnan(text)  # what pandas puts there
        missing = text is None or is_nan
        hint = "; .dropna() leaves out what is missing" if missing else ""
        return f"is {type(text).__name__}, not text: {str(text)[:60]!r}{hint}"
    return why_no_characters(text) if text.strip() else "is empty: leave it out"


def check_characters(text: str) -> None:
    """Refuse a text that no tokenizer reads.

    Raises:
        InputError: It holds half of a surrogate pair.
    """
    if why := why_no_characters(text):
        raise InputError(f"the text {why}")


def why_no_characters(text: str) -> str:
    """Say where a text is none that UTF-8 has, which no tokenizer reads; ``""`` where it is one."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"has {text[error.start]!a}, half of a surrogate pair: it is no character"
    return ""


def check_ids(ids: TokenIds, size: int) -> None:
    """Refuse token IDs that the vocabulary does not have.

    Raises:
        InputError: Naming the first one, or a list without IDs.
    """
    if not ids or not all(ids):
        raise InputError("there are no token IDs: -i takes a list such as [[101, 7592, 102]]")
    for number, line in enumerate(ids, 1):
        for one in line:
            if not 0 <= one < size:
                raise InputError(
                    f"token ID {one} in line {number} is outside the vocabulary of {size:,} "
                    f"entries (0 to {size - 1:,})"
                )


def check_room(lengths: Sequence[int], limit: int | None) -> None:
    """Refuse a limit with less room than the special tokens take: tokenizers then cut nothing.

    Raises:
        InputError: A line is longer than the limit though it was cut.
    """
    if limit is not None and max(lengths) > limit:
        raise InputError(
            f"--max-length {limit} is less than the special tokens of a line: give a higher one"
        )


def check_rows(loaded: LoadedModel, ids: torch.Tensor) -> None:
    """Refuse token IDs that the model's embedding does not have.

    Raises:
        InputError: Naming one that it does not have.
    """
    rows = embedding_rows(loaded.model)
    if rows is None or not ids.numel():
        return
    lowest, highest = int(ids.min()), int(ids.max())
    if lowest < 0 or highest >= rows:
        raise InputError(
            f"token ID {lowest if lowest < 0 else highest} is outside the vocabulary of "
            f"{loaded.name}: its embedding has {rows:,} rows (0 to {rows - 1:,})"
        )
