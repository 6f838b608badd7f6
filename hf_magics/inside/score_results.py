"""What a scoring gives back: a score a token, and a perplexity a line."""

from __future__ import annotations

import math
from typing import Any

from hf_magics.display.parts import Note, Page
from hf_magics.inside import score_pages
from hf_magics.inside.scored import Scored, ScoredLine
from hf_magics.modeling.of_model import OfModel


class ScoreResult(OfModel):
    """The scores of the tokens of each line.

    ``.perplexity``, ``.log_probs``, ``.ids`` and ``.tokens`` are lists, an entry a line.
    """

    def __init__(self, scored: Scored, code: str) -> None:
        super().__init__(scored.number, code)
        self._scored = scored

    @property
    def perplexity(self) -> list[float]:
        """Of each line the exponential of minus the mean log-probability of its scored tokens.

        Under a masked model this is a pseudo-perplexity; NaN for a line without a scored token.
        """
        return [line.perplexity for line in self._scored.lines]

    @property
    def values(self) -> tuple[float, ...]:
        """The perplexities: the main value of each line."""
        return tuple(self.perplexity)

    @property
    def log_probs(self) -> list[list[float]]:
        """The natural logarithm of each token's probability; NaN for one without a score."""
        return [
            [
                line.scores[at].log_prob if at in line.scores else math.nan
                for at in range(len(line.ids))
            ]
            for line in self._scored.lines
        ]

    @property
    def ids(self) -> list[list[int]]:
        """The token IDs of each line."""
        return [list(line.ids) for line in self._scored.lines]

    @property
    def tokens(self) -> list[list[str]]:
        """The tokens of each line, as the vocabulary has them."""
        return [[self._scored.words[one] for one in line.ids] for line in self._scored.lines]

    def records(self) -> list[dict[str, Any]]:
        """A row a token; a token without a score has NaN there, and neither rank nor ``top``."""
        return [
            self._record(number, line, at)
            for number, line in enumerate(self._scored.lines, 1)
            for at in range(len(line.ids))
        ]

    def page(self) -> Page:
        """The text on its tints with its perplexity, and each token's numbers folded."""
        scored = self._scored
        told = [Note(text) for text in scored.notes]
        known = Note(score_pages.unscored(scored), "info")
        title = f"{scored.name} · {scored.head} · score"
        return Page(title, score_pages.parts(scored), (*told, known))

    def _record(self, number: int, line: ScoredLine, at: int) -> dict[str, Any]:
        words, score = self._scored.words, line.scores.get(at)
        return {
            "line": number,
            "position": at,
            "token": words[line.ids[at]],
            "id": line.ids[at],
            "log_prob": score.log_prob if score else math.nan,
            "rank": score.rank if score else None,
            "entropy": score.entropy if score else math.nan,
            "top": words[score.top] if score else None,
            "top_prob": score.top_prob if score else math.nan,
        }
