"""Tokens: what a tokenizer makes of text, and what text token IDs stand for."""

from __future__ import annotations

import dataclasses
from typing import Any

from hf_magics.errors import InputError
from hf_magics.inference.asking import asking
from hf_magics.inference.checks import check_ids, check_room, check_texts
from hf_magics.inference.cutting import find_cuts
from hf_magics.inference.pairs import split_pair
from hf_magics.inference.snippets import tokens_snippet
from hf_magics.inference.token_pages import ComparedTokens, Line, Token, TokensResult
from hf_magics.inference.tokenizing import (
    need_tokenizer,
    unknown_id,
    unknown_note,
    word_to_borrow,
)
from hf_magics.modeling.limits import token_limit
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet
from hf_magics.specs import TokensSpec

_PADDINGS = ("longest", "max_length")


def show_tokens(
    spec: TokensSpec, session: Session, settings: Settings
) -> TokensResult | ComparedTokens:
    """Tokenise texts, or decode IDs; with several names, by each tokenizer beside the others.

    Raises:
        SessionNameError: No such model.
        TokenizerError: It has no tokenizer.
        InputError: The text is empty, an ID is outside the vocabulary, or IDs are to be cut.
    """
    models = [session.get(name) for name in spec.names or ("",)]
    spec = dataclasses.replace(spec, names=tuple(loaded.name for loaded in models))
    if spec.ids and (spec.max_length is not None or spec.padding):
        raise InputError(
            "token IDs are decoded as they are: --max-length and --padding are for texts"
        )
    if spec.padding not in {"", *_PADDINGS}:
        raise InputError(f"--padding is one of {', '.join(_PADDINGS)}, not '{spec.padding}'")
    results = [tokens_of(loaded, spec, settings) for loaded in models]
    made = [(loaded, _snippet(loaded, spec)) for loaded in models]
    code = session.record(spec, *(part for one in made for part in pieces_of(*one)))
    if len(results) == 1:
        results[0].code = code
        return results[0]
    return ComparedTokens(results, code)


def _snippet(loaded: LoadedModel, spec: TokensSpec) -> Snippet:
    return tokens_snippet(spec, _lent(loaded.tokenizer, spec))


def _lent(tokenizer: Any, spec: TokensSpec) -> str:
    """Return the pad token that a tokenizer without one is lent for this."""
    return word_to_borrow(tokenizer) if spec.padding and tokenizer.pad_token_id is None else ""


def tokens_of(loaded: LoadedModel, spec: TokensSpec, settings: Settings) -> TokensResult:
    """Tokenise texts, or decode IDs, by the tokenizer of one model.

    Raises:
        TokenizerError: It has none.
        InputError: The text is empty, or an ID is outside the vocabulary.
    """
    tokenizer = need_tokenizer(loaded)
    with asking(loaded):
        lines = _decode(tokenizer, spec) if spec.ids else _encode(tokenizer, spec)
    lent = _lent(tokenizer, spec)
    notes = [*_cut_notes(loaded, spec, lines), *_unknown(tokenizer, lines)]
    if lent and any(not token.attended for line in lines for token in line.tokens):
        notes.append(f"the tokenizer has no pad token: {lent!r} was borrowed for padding")
    return TokensResult(
        loaded.name,
        type(tokenizer).__name__,
        lines,
        notes=tuple(notes),
        rows=settings.rows,
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
    check_room([len(one["input_ids"]) for one in encoded], spec.max_length)
    lengths = _lengths(spec, [len(one["input_ids"]) for one in encoded])
    return tuple(
        _padded(tokenizer, _line(tokenizer, part, one), length)
        for part, one, length in zip(parts, encoded, lengths, strict=True)
    )


def _cut_notes(loaded: LoadedModel, spec: TokensSpec, lines: tuple[Line, ...]) -> list[str]:
    """Say what ``--max-length`` cut, and which line is longer than the model takes."""
    lengths = [sum(token.attended for token in line.tokens) for line in lines]
    if spec.max_length is not None and spec.special and spec.texts:
        parts = [line.parts for line in lines]
        return [cut.words() for cut in find_cuts(loaded.tokenizer, parts, lengths, spec.max_length)]
    limit = token_limit(loaded)
    return [
        f"line {number} has {length:,} tokens, and {loaded.name} takes {limit:,}: %hf_infer cuts it"
        for number, length in enumerate(lengths, 1)
        if limit and length > limit
    ]


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
    pad = tokenizer.pad_token or word_to_borrow(tokenizer)
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
    unknown = unknown_id(tokenizer)
    count = sum(token.id == unknown for line in lines for token in line.tokens)
    return [unknown_note(count, sum(len(line.tokens) for line in lines))] if count else []
