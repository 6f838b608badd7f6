"""A `BatchEncoding` of the notebook's own: its tokens, where a fast tokenizer made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.parts import Page, Part, Text
from hf_magics.inference.plain_tensors import MORE, PlainResult, tables
from hf_magics.inference.token_pages import Line, Token, line_parts, rooms
from hf_magics.settings import Settings


def show_encoding(encoding: Any, settings: Settings) -> PlainResult:
    """Describe an encoding: the tokens of each line, then the tensors or lists that it holds."""
    held, notes = tables(encoding, settings, "What it holds", "What it holds")
    kind = type(encoding).__name__
    lines = _lines(encoding, settings.rows)
    if not lines:
        title = f"{kind} · {plural(len(encoding), 'entry', 'entries')}"
        return PlainResult(Page(title, tuple(held), notes))
    count, total = len(encoding.encodings), sum(map(len, encoding.encodings))
    title = f"{kind} · {plural(count, 'line')} · {plural(total, 'token')}"
    hidden = count - len(lines)
    left = (Text(f"{plural(hidden, 'more line')}: {MORE}"),) if hidden else ()
    return PlainResult(Page(title, (*_tokens(lines, settings.rows), *left, *held), notes))


def _lines(encoding: Any, most: int) -> list[Any]:
    """Return the tokenizer's own record of the first lines; none where the IDs are others now."""
    lines = list((encoding.encodings or [])[:most])
    ids = encoding.get("input_ids")
    if not lines or ids is None or len(encoding.encodings) != len(_batch(ids)):
        return []
    given = _batch(ids)
    return lines if all(_listed(given[at]) == one.ids for at, one in enumerate(lines)) else []


def _batch(ids: Any) -> Any:
    """Return the IDs with a line an entry: of one text there may be its IDs alone."""
    first = ids[0] if len(ids) else []
    is_line = not isinstance(first, (list, tuple)) and getattr(first, "ndim", 1) == 0
    return [ids] if is_line or isinstance(first, int) else ids


def _listed(ids: Any) -> list[int]:
    return ids.tolist() if hasattr(ids, "tolist") else list(ids)


def _tokens(lines: Sequence[Any], most: int) -> list[Part]:
    parts: list[Part] = []
    for at, room in enumerate(rooms([len(one) for one in lines], most)):
        parts += line_parts(at + 1, _line(lines[at], room), lines[at].ids, room, MORE)
    return parts


def _line(encoding: Any, most: int) -> Line:
    """Return the first tokens of a line; its text is not known any more."""
    columns = zip(
        encoding.tokens[:most],
        encoding.ids[:most],
        encoding.sequence_ids[:most],
        encoding.offsets[:most],
        encoding.word_ids[:most],
        encoding.special_tokens_mask[:most],
        encoding.attention_mask[:most],
        strict=True,
    )
    return Line(
        (),
        tuple(
            Token(
                text=text,
                id=number,
                piece="",
                part=part or 0,
                start=-1 if part is None else start,
                end=-1 if part is None else end,
                word=-1 if word is None else word,
                special=bool(special),
                attended=bool(attended),
            )
            for text, number, part, (start, end), word, special, attended in columns
        ),
    )
