"""The memory of a map over a file of 1 GB, with a two-layer model of width 32.

Run it: ``.venv/bin/python tests/benchmarks/streaming.py [MEGABYTES]``; it takes twenty minutes.
It asserts nothing.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import psutil
from pyarrow import parquet
from timing import minilm_folder, show
from transformers import AutoTokenizer

MEGABYTES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_labels": 3,
}


def write(path: Path) -> int:
    """Fill a file with lines of words, no two the same; return how many."""
    vocabulary = AutoTokenizer.from_pretrained(minilm_folder()).get_vocab()
    words = sorted(word for word in vocabulary if word.isalpha() and len(word) > 1)
    draw, lines = random.Random(0), 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < MEGABYTES * 1_000_000:
            chosen = [draw.choices(words, k=draw.randrange(5, 120)) for _ in range(1_000)]
            file.writelines(f"{lines + at} {' '.join(line)}\n" for at, line in enumerate(chosen))
            lines += len(chosen)
    return lines


class Watch:
    """The process's memory every half second."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        process = psutil.Process()
        while not self._done.wait(0.5):
            self.seen.append(process.memory_info().rss)


def main() -> None:
    """Print the memory of the loaded model and what the job adds."""
    import hf_magics as hf

    task = "text-classification"
    hf.new("bert", name="small", task=task, tokenizer=minilm_folder(), seed=0, **TINY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        lines = write(path)
        nbytes = path.stat().st_size
        hf.map([f"word {n}" for n in range(3_000)], task=task)
        before = psutil.Process().memory_info().rss
        started = time.perf_counter()
        with Watch() as watch:
            result = hf.map(path, task=task, to=f"{folder}/labels.parquet")
        took = time.perf_counter() - started
        counted = parquet.read_metadata(f"{folder}/labels.parquet").num_rows
        assert (counted, result.errors) == (lines, {}), (counted, lines)
    half = len(watch.seen) // 2
    first, second = max(watch.seen[:half]), max(watch.seen[half:])
    rows = [
        ("file", f"{nbytes / 1e6:,.0f} MB, {lines:,} rows", ""),
        ("took", f"{took:,.0f} s, {lines / took:,.0f} rows/s", ""),
        ("loaded, after a first small map", f"{before / 1e6:,.0f} MB", ""),
        ("most, in the first half", f"{(first - before) / 1e6:+,.0f} MB", "+200 MB at most"),
        ("most, in the second half", f"{(second - before) / 1e6:+,.0f} MB", "+200 MB at most"),
    ]
    show("Memory while a file is streamed", rows)


if __name__ == "__main__":
    main()
