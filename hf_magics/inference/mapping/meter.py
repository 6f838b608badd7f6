"""The progress of a map: rows, tokens per second, seconds left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from hf_magics.display.numbers import seconds
from hf_magics.display.progress import progress
from hf_magics.inference.mapping.sources import Source


class Speed:
    """Counts what is run, and says so in the one line of progress."""

    def __init__(self, source: Source, start: int) -> None:
        self.rows = start
        self._running = 0
        self._begin: float | None = None
        self.tokens = 0
        self.seconds = 0.0
        self._source = source
        self._start = start
        self._progress = progress(f"mapping {source.name}")

    def __enter__(self) -> Self:
        self._meter = self._progress.__enter__()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        self._progress.__exit__(kind, error, trace)

    def finish(self, rows: int) -> None:
        """Say that all rows up to this one are done."""
        self.rows, self._running = rows, 0

    def advance(self, tokens: int, rows: int = 0) -> None:
        """Say that a batch of so many tokens and rows is done."""
        self.tokens += tokens
        self._running += rows
        spent = time.perf_counter() - self._started
        done = self.rows + self._running
        of = f" of {self._source.count:,}" if self._source.count is not None else ""
        rate = f" · {self.tokens / spent:,.0f} tokens/s" if spent else ""
        self._meter.say(
            f"mapping {self._source.name}: {done:,}{of} rows{rate}{self._left(spent, done)}"
        )

    def _left(self, spent: float, done: int) -> str:
        """Say how long it takes from here, if the rest takes as long as what is done."""
        share = self._source.share(done)
        if share is None:  # a file knows the ends of its windows alone
            share = self._source.share(self.rows)
        if self._begin is None:
            self._begin = self._source.share(self._start)
        begin = self._begin or 0.0
        if share is None or share <= begin:
            return ""
        left = spent * (1 - share) / (share - begin)
        return f" · {seconds(left)} left"
