"""Any Python value to what can be run: texts, token IDs, or tensors by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hf_magics.display.shown import Shown
from hf_magics.errors import InputError
from hf_magics.specs import TokenIds


@dataclass(frozen=True)
class Inputs:
    """One of three kinds; the other two are empty."""

    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    tensors: Mapping[str, Any] | None = None


def read_inputs(value: Any) -> Inputs:
    """Return a value of the notebook as inputs.

    Args:
        value: A string, a list or Series of strings, token IDs (a list of them, a list of lists, an
            array or tensor of one or two dimensions), or a dictionary of tensors.

    Raises:
        InputError: It is none of these; the message says what and where.
    """
    if isinstance(value, Shown):  # a result of %hf_tokens
        value = getattr(value, "ids", ())
    if isinstance(value, Mapping) or hasattr(value, "input_ids"):
        return Inputs(tensors=dict(value))
    listed = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(listed, str):
        return Inputs(texts=(listed,))
    _check_list(value, listed)
    items = [_plain(item) for item in listed]
    if items and all(_is_id(item) for item in items):
        return Inputs(ids=(tuple(items),))
    if items and all(isinstance(item, (list, tuple)) for item in items):
        return Inputs(ids=tuple(_line(number, item) for number, item in enumerate(items, 1)))
    return Inputs(texts=tuple(items))  # tokenizing refuses what is no text, with its line


def _check_list(value: Any, listed: Any) -> None:
    if hasattr(value, "columns"):
        raise InputError("-i takes one column of a table: a Series, such as -i df.text")
    if not isinstance(listed, Iterable) or isinstance(listed, (bytes, bytearray)):
        raise InputError(
            "-i takes a text, a list of texts, token IDs or a dictionary of tensors, not "
            f"{type(value).__name__}"
        )


def texts_or_ids(value: Any) -> Inputs:
    """Return a value as texts or token IDs: of a tokenizer's batch, its IDs.

    Raises:
        InputError: It is neither.
    """
    read = read_inputs(value)
    if read.tensors is None:
        return read
    if "input_ids" not in read.tensors:
        raise InputError("the dictionary has no 'input_ids': give texts or token IDs")
    return read_inputs(read.tensors["input_ids"])


def _is_id(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _plain(item: Any) -> Any:
    """Return an array, a tensor, or one number of them as Python's own."""
    return item.tolist() if hasattr(item, "tolist") else item


_HINT = '; an image or sound is given by its name: -i takes {"pixel_values": tensor}'


def _line(number: int, items: Iterable[Any]) -> tuple[int, ...]:
    listed = tuple(_plain(item) for item in items)
    for one in listed:
        if not _is_id(one):
            hint = "" if not isinstance(one, (list, float)) else _HINT
            raise InputError(f"line {number} holds {repr(one)[:60]}, which is no token ID{hint}")
    return listed
