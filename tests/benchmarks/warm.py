"""A warm start: the first load and answer in a kernel, beside a plain script with its imports.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/warm.py``. It asserts nothing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from timing import call_s, minilm_folder, show

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.magics.kernels import Kernel

ROUNDS, IDLE_S = 3, 5.0
PLAIN = """
import torch
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained(r"FOLDER")
tokenizer = AutoTokenizer.from_pretrained(r"FOLDER")
with torch.inference_mode():
    outputs = model(**tokenizer(["Hello!", "Cool.", "Nice!"], padding=True, return_tensors="pt"))
print(outputs.last_hidden_state)
"""


def ours(idle: float) -> float:
    """Seconds of a load and an answer, so long after ``%load_ext``."""
    with tempfile.TemporaryDirectory() as home, Kernel.started(Path(home)) as kernel:
        kernel.run("1")
        kernel.run("%load_ext hf_magics")
        time.sleep(idle)
        return call_s(lambda: _work(kernel))


def _work(kernel: Kernel) -> None:
    kernel.run(f"%hf_load {minilm_folder()} -n m")
    kernel.run("%%hf_infer\nHello!\nCool.\nNice!")


def plain() -> float:
    """Seconds of the same in plain transformers, as the first cell of a fresh kernel."""
    with tempfile.TemporaryDirectory() as home, Kernel.started(Path(home)) as kernel:
        kernel.run("1")
        return call_s(lambda: kernel.run(PLAIN.replace("FOLDER", minilm_folder())))


def main() -> None:
    """Print both ratios: after five idle seconds, and straight away."""
    plain(), ours(0.0)  # what is compiled is compiled
    warm, cold = [], []
    times = []
    for _ in range(ROUNDS):
        base = plain()
        after, at_once = ours(IDLE_S), ours(0.0)
        times.append((base, after, at_once))
        warm.append(after / base)
        cold.append(at_once / base)
    medians = [statistics.median(one) for one in zip(*times, strict=True)]
    rows = [
        ("plain script, medians", f"{medians[0]:.2f} s", ""),
        (f"after {IDLE_S:.0f} idle seconds", f"{medians[1]:.2f} s", ""),
        ("straight away", f"{medians[2]:.2f} s", ""),
        ("ratio when idle, median of rounds", f"{statistics.median(warm):.3f}", "0.1 at most"),
        ("ratio straight away", f"{statistics.median(cold):.3f}", "1.05 at most"),
    ]
    show("Loading and answering for the first time", rows)


if __name__ == "__main__":
    main()
