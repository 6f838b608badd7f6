"""The page of tokens: each line's text with its tokens marked, their table, and their IDs."""

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
        code: str = "",
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
    def mask(self) -> list[list[int]]:
        """The attention mask of each line: 1 where a token stands, 0 at padding."""
        return [[int(token.attended) for token in line.tokens] for line in self.lines]

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
        shown = self.lines[: self._rows]
        most_of = rooms([len(line.tokens) for line in shown], self._rows)
        for number, (line, most) in enumerate(zip(shown, most_of, strict=True), 1):
            parts += line_parts(number, line, [token.id for token in line.tokens], most)
        if len(self.lines) > self._rows:
            hidden = len(self.lines) - self._rows
            parts.append(facts({"left out": f"{plural(hidden, 'more line')}: .df has them all"}))
        total = sum(len(line.tokens) for line in self.lines)
        title = f"{self.name} · {self._kind} · {plural(total, 'token')}"
        return Page(title, tuple(parts), tuple(Note(note) for note in self._notes))


class ComparedTokens(Shown):
    """The same lines by several tokenizers: ``.ids`` and ``.tokens`` by a model's name."""

    def __init__(self, results: Sequence[TokensResult], code: str = "") -> None:
        self._results = tuple(results)
        self.code = code

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
        parts += [self.beside(number) for number in range(len(self._results[0].lines))]
        notes = tuple(Note(f"{one.name}: {note}") for one in self._results for note in one._notes)  # noqa: SLF001
        return Page(f"tokens · {' and '.join(names)}", tuple(parts), notes)

    def beside(self, number: int) -> Table:
        """Line ``number``, from 0, as every tokenizer cuts it."""
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
        return Table(columns, tuple(rows), f"Line {number + 1}")


def line_parts(
    number: int, line: Line, ids: Sequence[int], most: int, more: str = ".df has them all"
) -> list[Part]:
    """Return the parts of a page for one line: its text, its IDs, and a row a token.

    Args:
        number: Which line it is, from 1.
        line: Its text, where that is known, and those of its tokens that are looked at.
        ids: The IDs of all its tokens.
        most: How many tokens have a row.
        more: What has those that have none.
    """
    shown = line.tokens[:most]
    hidden = len(ids) - len(shown)
    left_out = f"{plural(hidden, 'more token')}: {more}" if hidden else ""
    rows = [dict(zip(_COLUMNS, _row(at, one), strict=True)) for at, one in enumerate(shown)]
    # IDs have no pieces of a text, nor places in it
    columns = tuple(one for one in _COLUMNS if any(row[one] for row in rows) or not rows)
    cells = tuple(tuple(row[one] for one in columns) for row in rows)
    table = Table(columns, cells, f"Tokens of line {number}", left_out)
    texts: list[Part] = [*marked(line)] or [Text(part) for part in line.parts]
    count = plural(len(ids), "token")
    return [Text(f"Line {number}: {count}"), *texts, Code(str(list(ids)), wraps=True), table]


def rooms(lengths: Sequence[int], most: int) -> list[int]:
    """Return how many tokens of each line are shown: what short ones leave, long ones take."""
    found, left = [0] * len(lengths), most
    by_length = sorted(range(len(lengths)), key=lambda line: lengths[line])
    for done, line in enumerate(by_length):
        found[line] = max(1, min(lengths[line], left // (len(lengths) - done)))
        left -= found[line]
    return found


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
