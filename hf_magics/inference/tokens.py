"""Tokens: what a tokenizer makes of text, and what text token IDs stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.parts import (
    Cell,
    Code,
    Column,
    Marked,
    Note,
    Page,
    Part,
    Span,
    Table,
    Text,
    facts,
)
from hf_magics.display.shown import Shown
from hf_magics.errors import InputError
from hf_magics.inference.snippets import tokens_snippet
from hf_magics.inference.tokenizing import check_ids, check_texts, need_tokenizer, split_pair
from hf_magics.modeling.snippets import model_snippet
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.settings import Settings
from hf_magics.snippets import script
from hf_magics.specs import TokensSpec

_PADDINGS = ("longest", "max_length")


@dataclass(frozen=True)
class Token:
    """One token.

    ``start`` and ``end`` are character offsets in the text of its ``part`` (0, or 1 for the second
    of a pair), -1 where the tokenizer gives none; ``word`` numbers the words of a part, -1 for
    special tokens; ``attended`` is the attention mask.
    """

    text: str
    id: int
    piece: str
    part: int
    start: int
    end: int
    word: int
    special: bool
    attended: bool


@dataclass(frozen=True)
class Line:
    """One input: its text, or the two texts of a pair, and its tokens."""

    parts: tuple[str, ...]
    tokens: tuple[Token, ...]


def show_tokens(
    spec: TokensSpec, session: Session, settings: Settings
) -> TokensResult | ComparedTokens:
    """Tokenise texts, or decode IDs; with several names, by each tokenizer beside the others.

    Raises:
        SessionNameError: No such model.
        TokenizerError: It has no tokenizer.
        InputError: The text is empty, or an ID is outside the vocabulary.
    """
    models = [session.get(name) for name in spec.names or ("",)]
    spec = dataclasses.replace(spec, names=tuple(loaded.name for loaded in models))
    if spec.padding not in {"", *_PADDINGS}:
        raise InputError(f"--padding is one of {', '.join(_PADDINGS)}, not '{spec.padding}'")
    results = [_one(loaded, spec, settings) for loaded in models]
    session.log.append(spec)
    return results[0] if len(results) == 1 else ComparedTokens(results)


class TokensResult(Shown):
    """The tokens of each line: ``.ids``, ``.tokens`` and ``.text`` are lists, an entry a line."""

    def __init__(
        self,
        name: str,
        kind: str,
        lines: tuple[Line, ...],
        *,
        notes: tuple[str, ...],
        rows: int,
        code: str,
    ) -> None:
        self.name = name
        self.lines = lines
        self.code = code
        self._kind = kind
        self._notes = notes
        self._rows = rows

    @property
    def ids(self) -> list[list[int]]:
        """The token IDs of each line."""
        return [[token.id for token in line.tokens] for line in self.lines]

    @property
    def tokens(self) -> list[list[str]]:
        """The tokens of each line, as the vocabulary has them."""
        return [[token.text for token in line.tokens] for line in self.lines]

    @property
    def text(self) -> list[str]:
        """The text of each line; a tab parts a pair."""
        return ["\t".join(line.parts) for line in self.lines]

    def records(self) -> list[dict[str, Any]]:
        """A row a token."""
        return [
            {"line": number, "position": position} | dataclasses.asdict(token)
            for number, line in enumerate(self.lines, 1)
            for position, token in enumerate(line.tokens)
        ]

    def page(self) -> Page:
        """For each line its text with the tokens marked, their table, and the IDs to copy."""
        parts: list[Part] = []
        most = max(1, self._rows // len(self.lines))
        for number, line in enumerate(self.lines[: self._rows], 1):
            parts += self._line(number, line, most)
        if len(self.lines) > self._rows:
            hidden = len(self.lines) - self._rows
            parts.append(facts({"left out": f"{plural(hidden, 'more line')}: .df has them all"}))
        total = sum(len(line.tokens) for line in self.lines)
        title = f"{self.name} · {self._kind} · {plural(total, 'token')}"
        return Page(title, tuple(parts), tuple(Note(note) for note in self._notes))

    def _line(self, number: int, line: Line, most: int) -> list[Part]:
        shown = line.tokens[:most]
        hidden = len(line.tokens) - len(shown)
        left_out = f"{plural(hidden, 'more token')}: .df has them all" if hidden else ""
        caption = f"line {number}: {plural(len(line.tokens), 'token')}"
        table = Table(
            _COLUMNS, tuple(_row(place, one) for place, one in enumerate(shown)), caption, left_out
        )
        ids = Code(str([token.id for token in line.tokens]), "python")
        texts: list[Part] = [*marked(line)] or [Text(part) for part in line.parts]
        return [*texts, table, ids]


class ComparedTokens(Shown):
    """The same lines by several tokenizers: ``.ids`` and ``.tokens`` by a model's name."""

    def __init__(self, results: Sequence[TokensResult]) -> None:
        self._results = tuple(results)
        self.code = "\n".join(result.code for result in results)

    @property
    def ids(self) -> dict[str, list[list[int]]]:
        """By model, the token IDs of each line."""
        return {result.name: result.ids for result in self._results}

    @property
    def tokens(self) -> dict[str, list[list[str]]]:
        """By model, the tokens of each line."""
        return {result.name: result.tokens for result in self._results}

    def records(self) -> list[dict[str, Any]]:
        """A row a token, with its model."""
        return [{"model": one.name} | row for one in self._results for row in one.records()]

    def page(self) -> Page:
        """The counts, then each line as every tokenizer cuts it."""
        names = [result.name for result in self._results]
        counts = tuple(
            (result.name, result._kind, f"{sum(map(len, result.ids)):,}")  # noqa: SLF001
            for result in self._results
        )
        columns = (Column("model"), Column("tokenizer", mono=True), Column("tokens", "right"))
        parts: list[Part] = [Table(columns, counts, "Tokens in all")]
        for number in range(len(self._results[0].lines)):
            parts.append(self._beside(number))
        notes = tuple(Note(f"{one.name}: {note}") for one in self._results for note in one._notes)  # noqa: SLF001
        return Page(f"tokens · {' and '.join(names)}", tuple(parts), notes)

    def _beside(self, number: int) -> Table:
        rows = []
        for result in self._results:
            line = result.lines[number]
            cut: Cell = next(iter(marked(line)), "")
            tokens = " ".join(token.text for token in line.tokens)
            rows.append((result.name, f"{len(line.tokens):,}", cut, tokens))
        columns = (
            Column("model"),
            Column("tokens", "right"),
            Column("text"),
            Column("as the vocabulary has it", mono=True),
        )
        return Table(columns, tuple(rows), f"line {number + 1}")


def marked(line: Line) -> list[Marked]:
    """Return the texts of a line with each token's stretch marked, where its offsets are known."""
    found = []
    for number, part in enumerate(line.parts):
        spans = tuple(
            Span(token.start, token.end, f"{token.text} = {token.id}")
            for token in line.tokens
            if token.part == number and 0 <= token.start < token.end
        )
        if spans:
            found.append(Marked(part, spans))
    return found


_COLUMNS = (
    Column("#", "right"),
    Column("token", mono=True),
    Column("ID", "right"),
    Column("text", mono=True),
    Column("characters", "right"),
    Column("word", "right"),
    Column("special"),
    Column("mask", "right"),
)


def _row(place: int, token: Token) -> tuple[str, ...]:
    known = token.start >= 0 and not token.special
    return (
        str(place),
        token.text,
        str(token.id),
        token.piece,
        f"{token.start}–{token.end}" if known else "",
        str(token.word) if token.word >= 0 else "",
        "special" if token.special else "",
        "1" if token.attended else "0",
    )


def _one(loaded: LoadedModel, spec: TokensSpec, settings: Settings) -> TokensResult:
    tokenizer = need_tokenizer(loaded)
    with loaded.lock:
        lines = _decode(tokenizer, spec) if spec.ids else _encode(tokenizer, spec)
    notes = [*_unknown(tokenizer, lines)]
    if spec.padding and tokenizer.pad_token_id is None:
        notes.append("the tokenizer has no pad token: its end token was borrowed for padding")
    return TokensResult(
        loaded.name,
        type(tokenizer).__name__,
        lines,
        notes=tuple(notes),
        rows=settings.rows,
        code=script(model_snippet(loaded), tokens_snippet(spec)),
    )


def _encode(tokenizer: Any, spec: TokensSpec) -> tuple[Line, ...]:
    check_texts(spec.texts)
    parts = [split_pair(text) for text in spec.texts]
    keywords: dict[str, Any] = {"add_special_tokens": spec.special, "verbose": False}
    if spec.max_length is not None:
        if spec.max_length < 1:
            raise InputError(f"--max-length {spec.max_length}: at least 1 token is needed")
        keywords |= {"truncation": True, "max_length": spec.max_length}
    encoded = [tokenizer(*part, **_asked(tokenizer), **keywords) for part in parts]
    lengths = _lengths(spec, [len(one["input_ids"]) for one in encoded])
    return tuple(
        _padded(tokenizer, _line(tokenizer, part, one), length)
        for part, one, length in zip(parts, encoded, lengths, strict=True)
    )


def _asked(tokenizer: Any) -> dict[str, Any]:
    return {"return_offsets_mapping": tokenizer.is_fast, "return_special_tokens_mask": True}


def _lengths(spec: TokensSpec, lengths: list[int]) -> list[int]:
    if spec.padding == "longest":
        return [max(lengths)] * len(lengths)
    if spec.padding == "max_length":
        if spec.max_length is None:
            raise InputError("--padding max_length needs --max-length N as well")
        return [spec.max_length] * len(lengths)
    return lengths


def _line(tokenizer: Any, parts: tuple[str, ...], encoded: Any) -> Line:
    ids = encoded["input_ids"]
    count = len(ids)
    offsets = encoded.get("offset_mapping") or [(-1, -1)] * count
    fast = tokenizer.is_fast
    sequences = encoded.sequence_ids(0) if fast else [0] * count
    words = encoded.word_ids(0) if fast else [None] * count
    tokens = []
    for place, text in enumerate(tokenizer.convert_ids_to_tokens(ids)):
        part, word = sequences[place], words[place]
        start, end = offsets[place]
        special = bool(encoded["special_tokens_mask"][place])
        known = part is not None and start >= 0
        tokens.append(
            Token(
                text=text,
                id=int(ids[place]),
                piece=parts[part][start:end] if known else "",
                part=part or 0,
                start=start if known else -1,
                end=end if known else -1,
                word=-1 if word is None else word,
                special=special,
                attended=True,
            )
        )
    return Line(parts, tuple(tokens))


def _padded(tokenizer: Any, line: Line, length: int) -> Line:
    missing = length - len(line.tokens)
    if missing <= 0:
        return line
    pad = tokenizer.pad_token or tokenizer.eos_token
    number = int(tokenizer.convert_tokens_to_ids(pad))
    filler = (Token(pad, number, "", 0, -1, -1, -1, special=True, attended=False),) * missing
    left = tokenizer.padding_side == "left"
    return Line(line.parts, filler + line.tokens if left else line.tokens + filler)


def _decode(tokenizer: Any, spec: TokensSpec) -> tuple[Line, ...]:
    check_ids(spec.ids, len(tokenizer))
    return tuple(_decoded(tokenizer, ids, special=spec.special) for ids in spec.ids)


def _decoded(tokenizer: Any, ids: tuple[int, ...], *, special: bool) -> Line:
    specials = set(tokenizer.all_special_ids)
    kept = [one for one in ids if special or one not in specials]
    tokens = [
        Token(
            text=str(tokenizer.convert_ids_to_tokens(one)),
            id=one,
            piece=tokenizer.decode([one]),
            part=0,
            start=-1,
            end=-1,
            word=-1,
            special=one in specials,
            attended=True,
        )
        for one in kept
    ]
    return Line((tokenizer.decode(kept),), tuple(tokens))


def _unknown(tokenizer: Any, lines: tuple[Line, ...]) -> list[str]:
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown in {tokenizer.eos_token_id, tokenizer.pad_token_id}:
        return []
    count = sum(token.id == unknown for line in lines for token in line.tokens)
    total = sum(len(line.tokens) for line in lines)
    return [f"{count:,} of {total:,} tokens are unknown to the tokenizer"] if count else []
