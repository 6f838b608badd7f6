"""Token IDs to text one by one: a character of several tokens comes with its last."""

from __future__ import annotations

import itertools
from typing import Any

_INCOMPLETE = "\ufffd"  # what a tokenizer writes for bytes that are no character yet


class Pieces:
    """Decodes a sequence token by token, each time looking back at a few tokens only.

    What a token adds depends on those before it (spaces, bytes of one character), so it is the
    difference of two decodings with the last whole piece in front.
    """

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded
        self._ids: list[int] = []
        self._begin = 0
        self._whole = 0
        self.text = ""

    def add(self, token: int) -> str:
        """Return the text that this token completes, ``""`` where it completes none."""
        self._ids.append(token)
        before = self._decoded(self._begin, self._whole)
        now = self._decoded(self._begin, len(self._ids))
        if now.endswith(_INCOMPLETE) and len(self._ids) - self._whole < _LONGEST:
            return ""
        piece = now[len(before) :]
        if piece:  # a special token before it would not say whether a space goes between
            self._begin = self._whole
        self._whole = len(self._ids)
        self.text += piece
        return piece

    def rest(self) -> str:
        """Return the text of the last tokens where they complete no character."""
        before = self._decoded(self._begin, self._whole)
        piece = self._decoded(self._begin, len(self._ids))[len(before) :]
        self._begin = self._whole = len(self._ids)
        self.text += piece
        return piece

    def _decoded(self, begin: int, end: int) -> str:
        return decoded(self._loaded, self._ids[begin:end])


_MOST_BEGINNINGS = 400
_LONGEST = 8  # no character has more bytes; what is longer is no text at all


def spread(loaded: Any, ids: list[int]) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of tokens, and for each the characters ``[start, end)`` that it completes.

    The text is the tokenizer's own decoding of all of them.
    """
    pieces = Pieces(loaded)
    spans = []
    for token in ids:
        start = len(pieces.text)
        pieces.add(token)
        spans.append((start, len(pieces.text)))
    start = len(pieces.text)
    if spans and pieces.rest():
        spans[-1] = (start, len(pieces.text))
    whole = decoded(loaded, ids)
    return whole, spans if pieces.text == whole else _by_beginnings(loaded, ids, len(whole))


def decoded(loaded: Any, ids: list[int]) -> str:
    """Return the text of tokens without the special ones."""
    with loaded.lock:
        return str(loaded.tokenizer.decode(ids, skip_special_tokens=True))


def as_read(word: str, text: str) -> str:
    """Return a token of a byte-level vocabulary as its text, a space as ``␣``; others as they are.

    Such a vocabulary writes a byte as a letter: ``Ġ`` is a space, ``âĢĵ`` a dash. What is only part
    of a character has no text of its own.

    Args:
        word: The token as the vocabulary has it.
        text: Its text, ``""`` for a special token.
    """
    if word.isascii() or "▁" in word or _INCOMPLETE in text or not text:
        return word
    return text.replace(" ", "␣")


def _by_beginnings(loaded: Any, ids: list[int], length: int) -> list[tuple[int, int]]:
    """Return spans by decoding every beginning: slow, so that tokens far on have none."""
    ends = [0]
    for count in range(1, len(ids) + 1):
        now = len(decoded(loaded, ids[:count])) if count <= _MOST_BEGINNINGS else length
        ends.append(min(max(ends[-1], now), length))
    spans = list(itertools.pairwise(ends))
    return [*spans[:_MOST_BEGINNINGS], *[(length, length)] * len(spans[_MOST_BEGINNINGS:])]
