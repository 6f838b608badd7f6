"""What a tokenizer gave before: its batch as tensors, and its IDs without the padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hf_magics.errors import InputError


def batch_of(value: Any) -> dict[str, Any]:
    """Return a dictionary of tensors; lists and arrays of numbers, as a tokenizer gives, are made.

    A single line of them is a batch of one row.

    Raises:
        InputError: The lines of a list have different lengths.
    """
    return {str(name): _tensor(str(name), one) for name, one in dict(value).items()}


def without_padding(ids: Any, mask: Any) -> Any:
    """Return lines of token IDs without those that their mask hides; all where there is no mask.

    A line with nothing but padding stays as it is.
    """
    if mask is None:
        return ids
    seen = torch.as_tensor(mask).bool().reshape(len(ids), -1).tolist() if _is_even(mask) else mask
    return [
        [one for one, is_seen in zip(line, keeps, strict=True) if is_seen] or list(line)
        for line, keeps in zip(ids, seen, strict=True)
    ]


def _is_even(mask: Any) -> bool:
    """Say whether a mask is an array, or lists that make one."""
    if not isinstance(mask, Sequence):
        return True
    return not isinstance(mask[0], Sequence) or len({len(line) for line in mask}) == 1


def _tensor(name: str, value: Any) -> Any:
    if not isinstance(value, (list, tuple, np.ndarray)):
        return value
    try:
        made = torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        if _is_ragged(value):
            raise InputError(
                f"the lines of '{name}' have different lengths: tokenizer(…, padding=True) fills "
                "them up, and its attention_mask hides that"
            ) from error
        return value  # which is refused by its name
    return made[None] if made.dim() == 1 else made


def _is_ragged(value: Any) -> bool:
    lines = [one for one in value if isinstance(one, list | tuple)]
    return len(lines) == len(value) and len({len(line) for line in lines}) > 1
