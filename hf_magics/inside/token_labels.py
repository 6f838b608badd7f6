"""Tokens as they are named on a page that is about positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hf_magics.inference.vocabulary import vocabulary_words
from hf_magics.modeling.store import LoadedModel


@dataclass(frozen=True)
class Place:
    """A position of an input: its number, its token's text, and whether that is a special one.

    ``part`` is 1 for the second text of a pair.
    """

    at: int
    text: str
    special: bool = False
    part: int = 0

    @property
    def words(self) -> str:
        """How it is named: ``3 fox``."""
        return f"{self.at} {self.text}".strip()


def places_of(loaded: LoadedModel, ids: Sequence[int], parts: Sequence[int] = ()) -> list[Place]:
    """Return the positions of a line of token IDs; without a tokenizer each is named by its ID."""
    tokenizer = loaded.tokenizer
    special = set(tokenizer.all_special_ids) if tokenizer is not None else set()
    found = []
    for at, one in enumerate(ids):
        text = f"[{one}]" if tokenizer is None else _text(tokenizer, one)
        found.append(Place(at, text, one in special, parts[at] if parts else 0))
    return found


def numbered(count: int) -> list[Place]:
    """Return positions that have no token, such as those of an image or a sound."""
    return [Place(at, "") for at in range(count)]


def _text(tokenizer: object, one: int) -> str:
    """Return a token's text; the vocabulary's own word of half a letter, a space in quotes."""
    text = str(tokenizer.decode([one]))  # type: ignore[attr-defined]
    plain = text.strip()
    if "\ufffd" in plain or not text:
        return vocabulary_words(tokenizer, [one])[0]
    return plain or repr(text)
