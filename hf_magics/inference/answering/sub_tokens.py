"""Sub-tokens to words: which tokens of a line make each word, and where in the text it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hf_magics.inference.answering.task import Done
from hf_magics.inference.pairs import split_pair
from hf_magics.inference.vocabulary import vocabulary_words

CONTINUES = "##"
"""What begins the tokens of a word after its first in WordPiece vocabularies."""
_BEGINS = ("Ġ", "▁")  # the first, in byte-level and SentencePiece vocabularies


@dataclass(frozen=True)
class Word:
    """A word at the characters ``[start, end)`` of its line.

    ``places`` are its tokens' places in the line's row of the batch; ``part`` is 1 in the second
    text of a pair, else 0.
    """

    start: int
    end: int
    places: tuple[int, ...]
    part: int = 0


@dataclass(frozen=True)
class Line:
    """A text and its words; ``given`` where it is the input's own, and not put together again."""

    text: str
    words: tuple[Word, ...]
    given: bool


def read_lines(done: Done) -> list[Line]:
    """Return the words of each line of a batch, without special tokens.

    A fast tokenizer says where its tokens stand in a text. From token IDs, and with any other
    tokenizer, the text is put together from the words.
    """
    loaded, encoded = done.request.loaded, done.encoded
    assert encoded.mask is not None  # of texts and token IDs there is one
    rows = [mask.nonzero().flatten().tolist() for mask in encoded.mask.cpu()]
    texts = done.request.inputs.texts
    with loaded.lock:
        if texts and loaded.tokenizer.is_fast:
            return [
                _from_text(loaded.tokenizer, text, encoded.limit, row)
                for text, row in zip(texts, rows, strict=True)
            ]
        ids = encoded.inputs["input_ids"].tolist()
        return [
            _from_ids(loaded.tokenizer, [line[place] for place in row], row)
            for line, row in zip(ids, rows, strict=True)
        ]


def marks_words(tokenizer: Any) -> bool:
    """Say whether a tokenizer marks the tokens that begin words, and not those that go on."""
    return any(token.startswith(_BEGINS) for token in tokenizer.tokenize("a a"))


def begins_word(token: str, *, marked: bool) -> bool:
    """Say whether a token begins a word; ``marked`` where its tokenizer marks those that do."""
    return token.startswith(_BEGINS) if marked else not token.startswith(CONTINUES)


@dataclass(frozen=True)
class _Piece:
    """A token at the characters ``[start, end)`` of a line, in the tokenizer's word ``word``."""

    part: int
    word: int
    start: int
    end: int
    place: int

    def goes_on(self, before: _Piece, text: str) -> bool:
        """Say whether it is of the same word; some tokenizers take a whole text for a word."""
        if (self.part, self.word) != (before.part, before.word):
            return False
        around = text[max(0, self.start - 1) : self.start + 1]
        return not any(one.isspace() for one in around)


def _from_text(tokenizer: Any, text: str, limit: int | None, places: list[int]) -> Line:
    groups: list[list[_Piece]] = []
    for piece in _pieces(tokenizer, split_pair(text), limit, places):
        if groups and piece.goes_on(groups[-1][-1], text):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    words = (_word(text, group) for group in groups)
    return Line(text, tuple(word for word in words if word.start < word.end), given=True)


def _pieces(
    tokenizer: Any, parts: tuple[str, ...], limit: int | None, places: list[int]
) -> Iterator[_Piece]:
    """Tokenise the parts of a line once more, for their offsets; special tokens are left out."""
    cutting = {"truncation": True, "max_length": limit} if limit else {}
    encoded = tokenizer(*parts, return_offsets_mapping=True, verbose=False, **cutting)
    shifts = (0, len(parts[0]) + 1)
    known = zip(
        encoded.sequence_ids(0),
        encoded.word_ids(0),
        encoded["offset_mapping"],
        places,
        strict=True,
    )
    for part, word, (start, end), place in known:
        if part is not None:
            yield _Piece(part, word, start + shifts[part], end + shifts[part], place)


def _word(text: str, group: Sequence[_Piece]) -> Word:
    """Return a word without the space that some tokenizers count as its first character."""
    end = group[-1].end
    start = end - len(text[group[0].start : end].lstrip())
    return Word(start, end, tuple(piece.place for piece in group), group[0].part)


def _from_ids(tokenizer: Any, ids: list[int], places: list[int]) -> Line:
    tokens = [(str(one), False) for one in ids] if tokenizer is None else _named(tokenizer, ids)
    marked = tokenizer is not None and marks_words(tokenizer)
    groups: list[tuple[list[str], list[int]]] = []
    for (name, special), place in zip(tokens, places, strict=True):
        if special:
            continue
        if not groups or begins_word(name, marked=marked):
            groups.append(([], []))
        groups[-1][0].append(name)
        groups[-1][1].append(place)
    text, words = "", []
    for pieces, at in groups:
        text += " " if text else ""
        start = len(text)
        text += _joined(tokenizer, pieces)
        words.append(Word(start, len(text), tuple(at)))
    return Line(text, tuple(words), given=False)


def _named(tokenizer: Any, ids: list[int]) -> list[tuple[str, bool]]:
    specials = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    words = vocabulary_words(tokenizer, ids)
    return [(word, one in specials) for one, word in zip(ids, words, strict=True)]


def _joined(tokenizer: Any, pieces: list[str]) -> str:
    together = tokenizer.convert_tokens_to_string(pieces).strip() if tokenizer else ""
    return together or "".join(pieces)
