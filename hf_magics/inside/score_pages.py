"""The page of scores: each text with its surprising tokens tinted, and the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hf_magics.display.numbers import number, plural, prob, seconds
from hf_magics.display.parts import (
    Cell,
    Column,
    Fold,
    Marked,
    Part,
    Span,
    Table,
    Text,
    facts,
)
from hf_magics.display.words import left_out
from hf_magics.inference.token_pages import rooms
from hf_magics.inside.likelihood import Score
from hf_magics.inside.scored import Scored, ScoredLine, mean_of, perplexity_of

_FULL_TINT = 7.0  # nats: a token of which one thousand are about as likely
_MOST_SPANS = 400  # a page of 64 KiB has room for so many
_MOST_ROWS = 30  # of the folded table: a page of one sentence is 16 KiB then


def parts(scored: Scored) -> tuple[Part, ...]:
    """Return the texts with their perplexities, what a tint means, and the folded table."""
    one = len(scored.lines) == 1
    texts = _one_line(scored) if one else [_lines(scored)]
    return (*texts, Text(_legend(scored)), _tokens(scored), Text(_ran(scored)))


def unscored(scored: Scored) -> str:
    """Say which tokens have no score, and of a masked model what the numbers are."""
    if scored.way == "masked":
        return (
            "each token was hidden by a mask in turn, and special tokens have no score: these are "
            "pseudo-log-likelihoods and pseudo-perplexities (Salazar et al. 2020), not to be "
            "compared with the perplexity of a causal model"
        )
    first = {line.ids[0] for line in scored.lines}
    which = f", “{scored.read[first.pop()]}”," if len(first) == 1 else ""
    where = "" if len(scored.lines) == 1 else " of each line"
    return f"the first token{where}{which} has no score: the model needs a token before it"


def _one_line(scored: Scored) -> list[Part]:
    (line,) = scored.lines
    rows: dict[str, Cell] = {
        _perplexity(scored): number(line.perplexity),
        "mean log-probability": f"{number(line.mean)} nats a token",
        "tokens scored": f"{len(line.scores):,} of {len(line.ids):,}",
    }
    return [_marked(line, scored.read, _MOST_SPANS), facts(rows)]


def _lines(scored: Scored) -> Table:
    shown = scored.lines[: scored.rows]
    most = rooms([len(line.ids) for line in shown], _MOST_SPANS)
    rows: list[tuple[Cell, ...]] = [
        (
            str(at),
            number(line.perplexity) if line.scores else "",
            number(line.mean) if line.scores else "",
            f"{len(line.scores):,} of {len(line.ids):,}",
            _marked(line, scored.read, most[at - 1]),
        )
        for at, line in enumerate(shown, 1)
    ]
    columns = (
        Column("line", "right"),
        Column(_perplexity(scored), "right"),
        Column("mean log-probability", "right"),
        Column("scored", "right"),
        Column("text"),
    )
    return Table(columns, tuple(rows), _in_all(scored), left_out(len(scored.lines), len(shown)))


def _in_all(scored: Scored) -> str:
    tokens = sum(len(line.scores) for line in scored.lines)
    value = number(perplexity_of(mean_of(scored.lines)))
    what = _perplexity(scored).capitalize()
    return f"{what} of all lines together {value}, of {plural(tokens, 'token')}"


def _perplexity(scored: Scored) -> str:
    return "pseudo-perplexity" if scored.way == "masked" else "perplexity"


def _marked(line: ScoredLine, read: Mapping[int, str], most: int) -> Marked:
    """Return a text with a tint for each token, the first ``most`` of them."""
    spans: list[Span] = []
    for at, (start, end) in enumerate(line.spans[:most]):
        score = line.scores.get(at)
        if score is None or start >= end:
            continue
        span = Span(start, end, _label(read[line.ids[at]], score), "", _strength(score))
        if spans and start < spans[-1].end:
            spans[-1] = _joined(spans[-1], span)
        else:
            spans.append(span)
    return Marked(line.text, tuple(spans))


def _joined(before: Span, after: Span) -> Span:
    """Return one span for tokens that share a character."""
    strength = max(before.strength or 0.0, after.strength or 0.0)
    return Span(
        before.start, max(before.end, after.end), f"{before.label}; {after.label}", "", strength
    )


def _label(word: str, score: Score) -> str:
    return f"{word}: {_short(score.log_prob)}, rank {_rank(score)}"


def _strength(score: Score) -> float:
    if math.isnan(score.log_prob):
        return 0.0
    return min(1.0, -score.log_prob / _FULL_TINT)


def _short(value: float) -> str:
    return f"{value + 0.0:.2f}"


def _rank(score: Score) -> str:
    return f"{score.rank:,}" if score.rank else "?"


def _legend(scored: Scored) -> str:
    said = (
        "The stronger the tint, the more surprising the token: clear at a log-probability of 0, "
        f"full from {-_FULL_TINT:g} nats ([brackets] in text: below {-0.9 * _FULL_TINT:.1f})"
    )
    tokens = sum(len(line.ids) for line in scored.lines[: scored.rows])
    return (
        f"{said}; the first tokens of long lines are tinted."
        if tokens > _MOST_SPANS
        else f"{said}."
    )


def _tokens(scored: Scored) -> Fold:
    every = [(at, line, place) for at, line in enumerate(scored.lines, 1) for place in _all(line)]
    shown = every[: min(scored.rows, _MOST_ROWS)]
    several = len(scored.lines) > 1
    rows = tuple(
        (f"{at}:{place}" if several else str(place), *_row(line, place, scored.read))
        for at, line, place in shown
    )
    first = Column("line:#" if several else "#", "right")
    table = Table((first, *_COLUMNS), rows, _UNITS, left_out(len(every), len(shown)))
    return Fold(f"{plural(len(every), 'token')} with their numbers", (table,))


_UNITS = "log-prob is a natural logarithm, the entropy is in nats; # counts from 0"
# a terminal of 80 columns has room for these
_COLUMNS = (
    Column("token", mono=True),
    Column("ID", "right"),
    Column("log-prob", "right"),
    Column("prob", "right"),
    Column("rank", "right"),
    Column("entropy", "right"),
    Column("likeliest", mono=True),
)


def _all(line: ScoredLine) -> Sequence[int]:
    return range(len(line.ids))


def _row(line: ScoredLine, place: int, read: Mapping[int, str]) -> tuple[str, ...]:
    one, score = line.ids[place], line.scores.get(place)
    if score is None:
        return (read[one], str(one), "no score", *[""] * 4)
    return (
        *(read[one], str(one), number(score.log_prob), prob(math.exp(score.log_prob))),
        *(_rank(score), number(score.entropy), f"{read[score.top]} {prob(score.top_prob)}"),
    )


def _ran(scored: Scored) -> str:
    tokens = sum(len(line.ids) for line in scored.lines)
    passes = sum(len(line.scores) for line in scored.lines)
    each = f", each of {passes:,} masked in turn" if scored.way == "masked" else ""
    lines = plural(len(scored.lines), "line")
    return f"{lines}, {plural(tokens, 'token')}{each}; the model took {seconds(scored.seconds)}."
