"""What is told of a map: counts, the first rows, errors; and the answers where they are kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_magics.inference.mapping.journal import Entry
from hf_magics.inference.mapping.tables import Table

_MOST_ERRORS = 20
_MOST_FIRST = 10
_MOST_LABELS = 1_000


class Tally:
    """Grows with each finished window; small, but for the answers that are kept."""

    def __init__(self, column: str, shown: int) -> None:
        self.column = column
        self.entries: list[Entry] = []
        self.first: list[dict[str, Any]] = []
        self.errors: list[tuple[int, Any, str]] = []
        self.answers: dict[str, int] = {}
        self.counts: Counter[str] | None = Counter()
        self.resumed = 0
        self.already = False
        self.not_finite = 0
        self.notes: list[str] = []
        self.tokens_run = 0
        self.seconds = 0.0
        self._most_first = min(shown, _MOST_FIRST)
        self._kept: list[Table] = []

    @property
    def rows(self) -> int:
        """How many rows are finished."""
        return sum(one.rows for one in self.entries)

    def total(self, name: str) -> int:
        """Return the sum over all windows: of ``cut``, ``equal``, ``failed`` or ``tokens``."""
        return sum(getattr(one, name) for one in self.entries)

    def add(self, entry: Entry, table: Table, *, keep: bool = True) -> None:
        """Take a finished window, and its answers where they are to be kept."""
        self.entries.append(entry)
        answers = {name: one for name, one in table.items() if name not in self._inputs}
        for name, values in answers.items():
            self.answers.setdefault(name, _width(values))
        self.not_finite += _not_finite(answers, table["error"])
        self._look(table, next(iter(answers.values()), ()))
        if keep:
            self._kept.append({**answers, "error": table["error"]})

    def skip(self, entries: Sequence[Entry]) -> None:
        """Take windows whose answers went to a file before."""
        self.entries += entries
        self.counts = None

    def columns(self) -> dict[str, Any]:
        """Return the answers: lists, None where a row failed; vectors as one array, NaN there."""
        return {name: self._joined(name, width) for name, width in self.answers.items()}

    def nothing(self) -> str:
        """Return the code for the answer of a row that has none, ``""`` where all have one."""
        if not self.total("failed"):
            return ""
        width = next(iter(self.answers.values()), 0)
        return f"torch.full(({width},), torch.nan, device=model.device)" if width else "None"

    def all_errors(self) -> dict[int, str]:
        """Return why rows failed, by their numbers from 0."""
        why = [one for table in self._kept for one in table["error"]]
        return {row: one for row, one in enumerate(why) if one is not None}

    @property
    def _inputs(self) -> set[str]:
        return {"row", self.column, "error"}

    def _look(self, table: Table, main: Sequence[Any]) -> None:
        for at, why in enumerate(table["error"]):
            if len(self.first) < self._most_first:
                self.first.append({name: values[at] for name, values in table.items()})
            if why is not None and len(self.errors) < _MOST_ERRORS:
                self.errors.append((table["row"][at], table[self.column][at], why))
        if self.counts is not None:
            said = [one for one in main if one is not None]
            self.counts.update(one for one in said if isinstance(one, str))
            countable = all(isinstance(one, str) for one in said)
            self.counts = self.counts if countable and len(self.counts) <= _MOST_LABELS else None

    def _joined(self, name: str, width: int) -> Any:
        if width:
            parts = [_vectors(table, name, width) for table in self._kept]
            return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
        return [
            one for table in self._kept for one in table.get(name, [None] * len(table["error"]))
        ]


def _width(values: Any) -> int:
    """Return the dimensions of vectors, 0 for other values."""
    return int(values.shape[1]) if isinstance(values, np.ndarray) else 0


def _not_finite(answers: Table, errors: Sequence[str | None]) -> int:
    """Return how many rows that were run have NaN or Inf in their answers."""
    found = np.zeros(len(errors), bool)
    for values in answers.values():
        if isinstance(values, np.ndarray):
            found |= ~np.isfinite(values).all(axis=1)
        else:
            found |= [isinstance(one, float) and not math.isfinite(one) for one in values]
    return int((found & [one is None for one in errors]).sum())


def _vectors(table: Table, name: str, width: int) -> Any:
    """Return a window's vectors, one of NaN for each row where all failed."""
    found = table.get(name)
    if isinstance(found, np.ndarray):
        return found
    return np.full((len(table["error"]), width), np.nan, np.float32)
