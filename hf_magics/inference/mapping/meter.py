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
        self.tokens = 0
        self.seconds = 0.0
        self._source = source
        self._begin = source.share(start) or 0.0
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

    def advance(self, tokens: int) -> None:
        """Say that a batch of so many tokens is done."""
        self.tokens += tokens
        spent = time.perf_counter() - self._started
        of = f" of {self._source.count:,}" if self._source.count is not None else ""
        rate = f" · {self.tokens / spent:,.0f} tokens/s" if spent else ""
        self._meter.say(
            f"mapping {self._source.name}: {self.rows:,}{of} rows{rate}{self._left(spent)}"
        )

    def _left(self, spent: float) -> str:
        """Say how long it takes from here, as long as the finished windows took."""
        share = self._source.share(self.rows)
        if share is None or share <= self._begin:
            return ""
        left = spent * (1 - share) / (share - self._begin)
        return f" · {seconds(left)} left"
