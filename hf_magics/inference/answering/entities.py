"""The labels of words to entities: what stands together under one name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from hf_magics.inference.answering.sub_tokens import Line, Word

AGGREGATES = ("first", "average", "max")
_OUTSIDE = {"O", "OUTSIDE"}
_BEGINS, _ENDS = "BSU", "ESLU"


@dataclass(frozen=True)
class Entity:
    """A stretch ``[start, end)`` of a line, its label without a prefix, and its probability."""

    start: int
    end: int
    label: str
    prob: float


def entities_of(line: Line, scores: Any, names: dict[int, str], aggregate: str) -> list[Entity]:
    """Return the entities of one line, without what is outside of any.

    As transformers' ``TokenClassificationPipeline``: a word's label is that of its first token,
    of its surest one (``max``), or of the mean of its tokens' probabilities; words with the same
    label beside each other are one entity, whose probability is the mean of theirs. ``B-`` begins
    another one. Beyond that, ``S-``, ``E-``, ``L-`` and ``U-`` mark ends where the labels have a
    ``B-`` to go with them.

    Args:
        line: The words.
        scores: An array of probabilities of the shape (places, labels).
        names: The label of each column.
        aggregate: ``first``, ``average`` or ``max``.
    """
    groups: list[_Group] = []
    for word in line.words:
        at, prob = _label(scores[list(word.places)], aggregate)
        mark, label = _parted(names[at], names.values())
        if not groups or not groups[-1].takes(word, mark, label):
            groups.append(_Group(label, [], [], ""))
        groups[-1].add(word, mark, prob)
    return [group.entity() for group in groups if group.label.upper() not in _OUTSIDE]


@dataclass
class _Group:
    label: str
    words: list[Word]
    probs: list[float]
    mark: str

    def takes(self, word: Word, mark: str, label: str) -> bool:
        """Say whether a word goes on with this."""
        together = label == self.label and word.part == self.words[-1].part
        return together and mark not in _BEGINS and self.mark not in _ENDS

    def add(self, word: Word, mark: str, prob: float) -> None:
        self.words.append(word)
        self.probs.append(prob)
        self.mark = mark

    def entity(self) -> Entity:
        mean = sum(self.probs) / len(self.probs)
        return Entity(self.words[0].start, self.words[-1].end, self.label, mean)


def _label(scores: Any, aggregate: str) -> tuple[int, float]:
    """Return the best column of a word's tokens, and its probability."""
    if aggregate == "average":
        row = scores.mean(axis=0)
    else:
        row = scores[scores.max(axis=1).argmax() if aggregate == "max" else 0]
    at = int(row.argmax())
    return at, float(row[at])


def _parted(label: str, labels: Collection[str] | Iterable[str]) -> tuple[str, str]:
    """Return a label's prefix and the rest; ``I`` and the label where it has none."""
    mark, dash, rest = label.partition("-")
    if dash and rest and (mark in {"B", "I"} or (mark in set(_ENDS) and f"B-{rest}" in labels)):
        return mark, rest
    return "I", label
