"""``hf.map`` beside the other ways to embed a column, on the same texts in the same process.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/mapping.py [TEXTS]``. Each way is
timed between two runs of ours, and its answers are compared with ours. It asserts nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from corpus import docstrings
from timing import call_s, minilm_folder, show

LIMIT = 512
TEXTS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
BATCHES = (1, 8, 32)
Way = Callable[[list[str]], Any]


def ours(texts: list[str], **more: Any) -> Any:
    """Mean-pooled vectors by the verb."""
    import hf_magics as hf

    return hf.map(texts, task="embed", max_length=LIMIT, **more).embeddings


def pooled(hidden: Any, mask: Any) -> Any:
    """The mean over the tokens of each text."""
    mask = mask.unsqueeze(-1)
    return (hidden * mask).sum(1) / mask.sum(1)


def one_batch() -> Way:
    """The teaching page's way: all texts in one batch, padded to the longest."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(minilm_folder())
    tokenizer = AutoTokenizer.from_pretrained(minilm_folder())

    def run(texts: list[str]) -> Any:
        inputs = tokenizer(
            texts, padding=True, truncation=True, max_length=LIMIT, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = model(**inputs).last_hidden_state
        return pooled(hidden, inputs["attention_mask"]).numpy()

    return run


def by_pipeline(batch: int) -> Way:
    """``pipeline("feature-extraction")`` with a batch size."""
    import torch
    from transformers import pipeline

    pipe = pipeline("feature-extraction", model=minilm_folder(), device="cpu")

    def run(texts: list[str]) -> Any:
        made = pipe(texts, batch_size=batch, return_tensors=True, truncation=True, max_length=LIMIT)
        # in a batch a row is as wide as the longest: its padding is no part of the mean
        lengths = [
            len(ids)
            for ids in pipe.tokenizer(texts, truncation=True, max_length=LIMIT)["input_ids"]
        ]
        rows = zip(made, lengths, strict=True)
        return torch.stack([one[0, :length].mean(0) for one, length in rows]).numpy()

    return run


def by_sentence_transformers() -> Way:
    """``SentenceTransformer.encode``."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(minilm_folder(), device="cpu")
    model.max_seq_length = LIMIT
    return lambda texts: model.encode(texts, show_progress_bar=False)


def least_cosine(one: Any, other: Any) -> float:
    """The smallest cosine of a row with its like."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    both = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / both).min())


def flops(lengths: tuple[int, ...]) -> float:
    """The multiplications and additions of BERT's matrices, biases and norms left out.

    A token meets 4 h² + 2 h f weights a layer, and its scores and sums in a text of n are 4 n h.
    """
    import hf_magics as hf

    config = hf.session["torch"].config
    hidden, inner = config.hidden_size, config.intermediate_size
    linear = 2 * (4 * hidden**2 + 2 * hidden * inner) * sum(lengths)
    attention = 4 * hidden * sum(n * n for n in lengths)
    return float(config.num_hidden_layers * (linear + attention))


def peak(*, by_onednn: bool) -> float:
    """The fastest of several large matrix products in float32, FLOP/s: by MKL, or by oneDNN."""
    import torch

    from hf_magics.inference.packing import packed

    size = 2_048
    layer, rows = torch.nn.Linear(size, size, bias=False), torch.rand(size, size)
    with torch.inference_mode(), packed(layer, wanted=by_onednn):
        return max(2 * size**3 / call_s(lambda: layer(rows)) for _ in range(40))


class Race:
    """Ours before and after each other way."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = list(texts)
        self.vectors: Any = None
        self.last = self._ours()

    def _ours(self) -> float:
        def run() -> None:
            self.vectors = ours(self.texts, model="torch")

        return call_s(run)

    def against(self, way: Way) -> tuple[float, float, float]:
        """Seconds of the other way and of ours, and the least cosine between their answers."""
        way(self.texts[:64])
        found: list[Any] = []
        took = call_s(lambda: found.append(way(self.texts)))
        before, self.last = self.last, self._ours()
        return took, (before + self.last) / 2, least_cosine(found[0], self.vectors)


def main() -> None:
    """Print each way, its ratio to ours, and that the answers agree."""
    import torch

    import hf_magics as hf
    from hf_magics.inference.mapping.threads import physical_cores

    torch.set_num_threads(physical_cores())
    texts, lengths = docstrings(TEXTS)
    hf.load(minilm_folder(), name="torch", device="cpu", dtype="float32")
    ours(list(texts[:200]), model="torch")  # measures the size of batches, once for a model
    race = Race(texts)
    rows = []

    def row(name: str, way: Way, hoped: str, *, faster: bool = False) -> float:
        took, mine, cosine = race.against(way)
        ratio = mine / took if faster else took / mine
        speed = f"{sum(lengths) / took:,.0f}, {sum(lengths) / mine:,.0f}"
        rows.append((name, speed, f"{ratio:.2f} ×", hoped, f"{cosine:.6f}"))
        return took

    best = min(BATCHES, key=lambda batch: call_s(lambda: by_pipeline(batch)(race.texts[:200])))
    row("one batch, padded to the longest", one_batch(), "7 ×")
    row(f"pipeline, batches of {best}", by_pipeline(best), "2.1 ×")
    row("sentence-transformers encode", by_sentence_transformers(), "1.5 ×")
    peaks = {name: peak(by_onednn=name == "oneDNN") for name in ("MKL", "oneDNN")}
    reached = flops(lengths) / race.last
    print(f"{TEXTS:,} docstrings, {sum(lengths):,} tokens, {torch.get_num_threads()} threads")
    table(rows)
    figures = [("ours", f"{reached / 1e9:.0f} GFLOP/s", "")]
    for name, top in peaks.items():
        figures += [
            (f"matrix peak in float32, by {name}", f"{top / 1e9:.0f} GFLOP/s", ""),
            ("ours, share of it", f"{reached / top:.2f}", "0.75 at least"),
        ]
    show("The roofline", figures)
    rows.clear()
    hf.load(minilm_folder(), name="int8", engine="openvino", quantize="int8")
    row(
        "ours with OpenVINO int8, over torch",
        lambda some: ours(some, model="int8"),
        "1.8 ×",
        faster=True,
    )
    table(rows)


def table(rows: list[tuple[str, ...]]) -> None:
    """Print the ways."""
    from tabulate import tabulate

    headers = ("way", "tokens/s: its, ours", "ratio", "hoped for", "least cosine")
    print(tabulate(rows, headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
