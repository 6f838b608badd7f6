"""``hf.map --on ray`` with one and two actors beside the local map, on the same texts.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/ray_scaling.py [TEXTS]``. It asserts nothing.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Self

import numpy as np
from corpus import docstrings
from tabulate import tabulate
from timing import minilm_folder

TEXTS = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
WINDOW = 256


class Clock:
    """When the first and the last window came back, by the job's own journal in memory."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __enter__(self) -> Self:
        from hf_magics.inference.mapping.tally import Tally

        self._add = add = Tally.add

        def timed(tally: Any, *given: Any, **named: Any) -> None:
            self.times.append(time.perf_counter())
            add(tally, *given, **named)

        Tally.add = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        from hf_magics.inference.mapping.tally import Tally

        Tally.add = self._add  # type: ignore[method-assign]


def main() -> None:
    """Print the start, the rate once it runs, and how far the answers are apart."""
    import ray

    import hf_magics as hf
    from hf_magics.inference.tasks.embed import Embed

    Embed.window = WINDOW
    texts, lengths = docstrings(TEXTS)
    hf.load(minilm_folder(), name="m", device="cpu", dtype="float32")
    hf.map(list(texts[:200]), task="embed", max_length=512)
    rows: list[tuple[str, ...]] = []
    base, near = 0.0, None
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    for name, more in (
        ("here", {}),
        ("ray, 1 actor", {"on": "ray", "actors": 1}),
        ("ray, 2 actors", {"on": "ray", "actors": 2}),
    ):
        with Clock() as clock:
            started = time.perf_counter()
            result = hf.map(list(texts), task="embed", max_length=512, **more)
        first, last = clock.times[0] - started, clock.times[-1] - clock.times[0]
        rate = (TEXTS - WINDOW) / last
        base = base or rate
        near = result.embeddings if near is None else near
        apart = float(np.abs(result.embeddings - near).max())
        rows.append((name, f"{first:.1f} s", f"{rate:.0f}", f"{rate / base:.2f} ×", f"{apart:.1e}"))
    ray.shutdown()
    print(f"{TEXTS:,} docstrings, {sum(lengths):,} tokens, windows of {WINDOW} rows")
    headers = ("where", "first window", "rows/s after it", "of here", "largest difference")
    print(tabulate(rows, headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
