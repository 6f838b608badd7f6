"""llama.cpp's own tokens: their bytes, and how they are read."""

from __future__ import annotations

import codecs
import ctypes
from collections.abc import Iterable
from typing import Any

from hf_magics.engines.llamacpp.quiet import library
from hf_magics.inference.generation.pieces import as_read

_ROOM = 256


class Vocabulary:
    """The tokens of a ``Llama``."""

    def __init__(self, llama: Any) -> None:
        self._library = library()
        self._vocabulary = self._library.llama_model_get_vocab(llama.model)
        self._bytes: dict[tuple[int, bool], bytes] = {}

    def bytes_of(self, token: int, *, special: bool = False) -> bytes:
        """Return what a token adds to a text; a special one adds nothing, unless it is spelled."""
        key = (token, special)
        if key not in self._bytes:
            self._bytes[key] = self._read(token, special)
        return self._bytes[key]

    def ends(self, token: int) -> bool:
        """Say whether a token ends a text."""
        return bool(self._library.llama_vocab_is_eog(self._vocabulary, token))

    def words(self, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
        """Return tokens as the vocabulary writes them, and as a person reads them."""
        return {one: self._word(one) for one in ids}

    def specials_in(self, text: str, ids: Iterable[int]) -> list[str]:
        """Return the special tokens that stand in a text and were read as such."""
        names = {
            self.bytes_of(one, special=True).decode("utf-8", "replace")
            for one in ids
            if not self.bytes_of(one)
        }
        return sorted(name for name in names if name and name in text)

    def _word(self, token: int) -> tuple[str, str]:
        raw = self._library.llama_vocab_get_text(self._vocabulary, token) or b""
        word = raw.decode("utf-8", "replace")
        return word, as_read(word, self.bytes_of(token).decode("utf-8", "replace"))

    def _read(self, token: int, special: bool) -> bytes:
        room = ctypes.create_string_buffer(_ROOM)
        length = self._library.llama_token_to_piece(
            self._vocabulary, token, room, _ROOM, 0, special
        )
        if length < 0:  # how much room it takes
            room = ctypes.create_string_buffer(-length)
            length = self._library.llama_token_to_piece(
                self._vocabulary, token, room, -length, 0, special
            )
        return room.raw[:length]


class Decoder:
    """Bytes of tokens to text: a character of several tokens comes with its last."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, given: bytes) -> str:
        """Return the text that these bytes complete."""
        return self._decoder.decode(given)

    def rest(self) -> str:
        """Return what is left where the last bytes complete no character."""
        return self._decoder.decode(b"", final=True)
