"""What our pages cost over llama-cpp-python called plainly, on SmolLM2's GGUF file in one process.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/engines.py``. It asserts nothing.
"""

from __future__ import annotations

import statistics

from generation import smollm2
from timing import call_s, in_turn, median_ratio, show

ROUNDS, TOKENS = 5, 128
PROMPT = "Once upon a time, in a small village by the sea, there lived a fisherman who"


def main() -> None:
    """Print tokens a second of both, and their ratio."""
    import torch
    from llama_cpp import Llama

    import hf_magics as hf

    threads = torch.get_num_threads()
    loading = call_s(lambda: hf.load(smollm2(), name="smol", engine="llamacpp"))
    llama = Llama(smollm2(), n_ctx=8192, n_threads=threads, verbose=False)

    def ours() -> float:
        pieces: list[str] = []
        results = []
        took = call_s(
            lambda: results.append(
                hf.generate(PROMPT, max_new_tokens=TOKENS, on_text=pieces.append)
            )
        )
        return len(results[0].ids[0]) / took

    def plain() -> float:
        llama.reset()  # each reads its prompt anew
        results = []
        took = call_s(
            lambda: results.append(
                llama.create_completion(PROMPT, max_tokens=TOKENS, temperature=0.0)
            )
        )
        return int(results[0]["usage"]["completion_tokens"]) / took

    first, second = in_turn(ours, plain, ROUNDS)
    speeds = f"{statistics.median(first):.1f}, {statistics.median(second):.1f} tokens/s"
    rows = [
        ("loaded, its imports included", f"{loading:.2f} s", ""),
        ("streamed with probabilities, plain; medians", speeds, ""),
        ("ratio, median of pairs", f"{median_ratio(first, second):.3f}", "0.95 at least"),
    ]
    show(f"--engine llamacpp, {threads} threads", rows)


if __name__ == "__main__":
    main()
