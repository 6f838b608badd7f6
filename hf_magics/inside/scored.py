"""What was scored: lines of tokens with their scores, and the numbers of a whole line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hf_magics.inside.likelihood import Scores
from hf_magics.inside.placing import Spans
from hf_magics.inside.scorers import Way


@dataclass(frozen=True)
class ScoredLine:
    """A line: its tokens, and the scores of those that have one.

    ``text`` and ``spans`` are what is shown of it, empty for a line that is not.
    """

    ids: tuple[int, ...]
    scores: Scores
    text: str = ""
    spans: Spans = ()

    @property
    def mean(self) -> float:
        """The mean log-probability of a token that has a score, in nats; NaN where none has."""
        return mean_of([self])

    @property
    def perplexity(self) -> float:
        """The exponential of minus the mean log-probability."""
        return perplexity_of(self.mean)


@dataclass(frozen=True)
class Scored:
    """What was scored, and what the page says of it.

    ``words`` are the tokens that occur as the vocabulary has them, ``read`` as a person reads them.
    """

    name: str
    number: int
    head: str
    way: Way
    lines: tuple[ScoredLine, ...]
    words: Mapping[int, str]
    read: Mapping[int, str]
    seconds: float
    notes: tuple[str, ...]
    rows: int


def mean_of(lines: Sequence[ScoredLine]) -> float:
    """Return the mean log-probability of the scored tokens of lines; NaN where there is none."""
    found = [score.log_prob for line in lines for score in line.scores.values()]
    return math.fsum(found) / len(found) if found else math.nan


def perplexity_of(mean: float) -> float:
    """Return exp(-mean): how many tokens one would choose from at random to be as surprised."""
    try:
        return math.exp(-mean)
    except OverflowError:
        return math.inf
