"""Any Python value to what can be run: texts, token IDs, tensors by name, or things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from hf_magics.display.shown import Shown
from hf_magics.errors import InputError
from hf_magics.inference.encoded import without_padding
from hf_magics.specs import TokenIds


@dataclass(frozen=True)
class Inputs:
    """One of four kinds; the other three are empty.

    ``things`` are images, sounds, tables and paths of such files, or pairs of them; ``alone`` says
    that the value was one thing and no list.
    """

    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    tensors: Mapping[str, Any] | None = None
    things: tuple[Any, ...] = ()
    alone: bool = False

    @property
    def kind(self) -> str:
        """Which of them it is: ``texts``, ``ids``, ``tensors`` or ``things``."""
        if self.tensors is not None:
            return "tensors"
        if self.things:
            return "things"
        return "ids" if self.ids else "texts"

    @property
    def count(self) -> int:
        """How many inputs there are; 0 for tensors, which say it themselves."""
        return len(self.texts or self.ids or self.things)


def read_inputs(value: Any) -> Inputs:
    """Return a value of the notebook as inputs.

    Args:
        value: A string, a list or Series of strings, or of pairs of them; token IDs (a list of
            them, a list of lists, an array or tensor of one or two dimensions); a result of
            ``%hf_tokens``, whose padding is left out by its mask; a dictionary of tensors, or what
            a tokenizer gives, of lists too; or a thing, or a list of things: a PIL image, an array
            of bytes (height × width, or × 3) for an image, a vector of floats for a sound at the
            model's own sampling rate, a dictionary of such an ``array`` and its ``sampling_rate``,
            a path, a table, a tuple of a thing and a question.

    Raises:
        InputError: It is none of these; the message says what and where.
    """
    if isinstance(value, Shown):  # a result of %hf_tokens
        value = without_padding(getattr(value, "ids", ()), getattr(value, "mask", None))
    if _is_thing(value):
        return Inputs(things=(value,), alone=True)
    if isinstance(value, Mapping) or hasattr(value, "input_ids"):
        return Inputs(tensors=dict(value))
    listed = value.tolist() if hasattr(value, "tolist") and not _is_batch(value) else value
    if isinstance(listed, str):
        return Inputs(texts=(listed,))
    if not isinstance(listed, Iterable) or isinstance(listed, (bytes, bytearray)):
        raise _strange(value)
    return _from_list(list(listed))


def texts_or_ids(value: Any) -> Inputs:
    """Return a value as texts or token IDs: of a tokenizer's batch its IDs, padding among them.

    Raises:
        InputError: It is neither.
    """
    read = read_inputs(getattr(value, "ids", ()) if isinstance(value, Shown) else value)
    if read.things:
        raise InputError(f"texts or token IDs are needed, not {kind_of_thing(read.things[0])}")
    if read.tensors is None:
        return read
    if "input_ids" not in read.tensors:
        raise InputError("the dictionary has no 'input_ids': give texts or token IDs")
    return read_inputs(read.tensors["input_ids"])


def texts_or_rows(value: Any) -> Inputs:
    """Return a value as texts or token IDs: of a tokenizer's batch, its IDs without the padding.

    Raises:
        InputError: It is neither.
    """
    read = texts_or_ids(value)
    mask = getattr(value, "mask" if isinstance(value, Shown) else "attention_mask", None)
    if mask is None and isinstance(value, Mapping):
        mask = value.get("attention_mask")
    return read_inputs(without_padding(read.ids, mask)) if read.ids and mask is not None else read


def kind_of_thing(thing: Any) -> str:
    """Say what a thing is: ``an image``, ``a sound``, ``a path``, or of a table what to give."""
    if hasattr(thing, "columns"):
        return "a table: -i takes one column of it, a Series, such as -i df.text"
    if isinstance(thing, Path):
        return "a path"
    if isinstance(thing, tuple):
        return "a pair"
    is_sound = isinstance(thing, Mapping) or getattr(thing, "ndim", 0) == 1
    return "a sound" if is_sound else "an image"


def _is_thing(value: Any) -> bool:
    if isinstance(value, (Image.Image, Path)) or hasattr(value, "columns"):
        return True
    if isinstance(value, Mapping):
        return "sampling_rate" in value and bool({"array", "raw"} & set(value))
    return _is_picture(value) or _is_sound(value)


def _is_picture(value: Any) -> bool:
    """Say whether an array or tensor is an image: bytes are no token IDs."""
    if not str(getattr(value, "dtype", "")).endswith("uint8") or hasattr(value, "iloc"):
        return False
    shape = tuple(value.shape)
    return len(shape) == _GREY or (len(shape) == _COLOURED and shape[-1] in _CHANNELS)


_GREY, _COLOURED, _CHANNELS = 2, 3, (1, 3, 4)


def _is_sound(value: Any) -> bool:
    is_float = "float" in str(getattr(value, "dtype", "")) and not hasattr(value, "iloc")
    return is_float and len(value.shape) == 1


def _is_batch(value: Any) -> bool:
    """Say whether an array holds images, one after the other."""
    return getattr(value, "ndim", 0) == _COLOURED + 1 and _is_picture(value[0])


def _from_list(items: list[Any]) -> Inputs:
    if any(_is_thing(item) or _is_pair(item) for item in items):
        return Inputs(things=tuple(_thing(at, item) for at, item in enumerate(items, 1)))
    plain = [_plain(item) for item in items]
    if plain and all(_is_id(item) for item in plain):
        return Inputs(ids=(tuple(plain),))
    if plain and all(_is_pair_of_texts(item) for item in plain):
        return Inputs(texts=tuple(_joined(number, item) for number, item in enumerate(plain, 1)))
    if plain and all(isinstance(item, (list, tuple)) for item in plain):
        return Inputs(ids=tuple(_line(number, item) for number, item in enumerate(plain, 1)))
    return Inputs(texts=tuple(plain))  # tokenizing refuses what is no text, with its line


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and any(_is_thing(one) for one in item)


def _is_pair_of_texts(item: Any) -> bool:
    return (
        isinstance(item, (list, tuple))
        and len(item) == 2  # noqa: PLR2004 - a pair
        and all(isinstance(one, str) for one in item)
    )


def _joined(number: int, pair: Any) -> str:
    """Return the two texts as a cell has them: parted by a tab."""
    if any("\t" in text for text in pair):
        raise InputError(f"pair {number} has a tab in a text, which is what parts a pair")
    return "\t".join(pair)


def _thing(number: int, item: Any) -> Any:
    if isinstance(item, str):
        return Path(item)
    if _is_thing(item) or _is_pair(item):
        return item
    raise InputError(f"item {number} is {type(item).__name__}, no image, sound or path of one")


def _strange(value: Any) -> InputError:
    return InputError(
        "-i takes a text, a list of texts, token IDs, an image, a sound, a path or a dictionary of "
        f"tensors, not {type(value).__name__}"
    )


def _is_id(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _plain(item: Any) -> Any:
    """Return an array, a tensor, or one number of them as Python's own."""
    return item.tolist() if hasattr(item, "tolist") else item


_HINT = (
    "; an image is an array of bytes, a sound a vector: other tensors go by name in a dictionary"
)


def _line(number: int, items: Iterable[Any]) -> tuple[int, ...]:
    listed = tuple(_plain(item) for item in items)
    for one in listed:
        if not _is_id(one):
            hint = "" if not isinstance(one, (list, float)) else _HINT
            raise InputError(f"line {number} holds {repr(one)[:60]}, which is no token ID{hint}")
    return listed
