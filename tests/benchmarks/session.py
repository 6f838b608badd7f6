"""What the session costs over plain transformers: loading the extension, a model, a cell, a page.

Run it on a quiet machine: ``.venv/bin/python tests/benchmarks/session.py``. It asserts nothing.
"""

from __future__ import annotations

import statistics

from timing import call_s, in_turn, median_ratio, minilm_folder, printed_s, process_s, show

ROUNDS = 7
TEXTS = ["Hello!", "Cool.", "Nice!"]

SHELL = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
"""
LOAD_EXT = """
started = time.perf_counter()
shell.run_line_magic("load_ext", "hf_magics")
took = time.perf_counter() - started
import sys
assert not {"torch", "transformers"} & sys.modules.keys()
print(took)
"""
PLAIN = """
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained(r"FOLDER")
tokenizer = AutoTokenizer.from_pretrained(r"FOLDER")
"""
OURS = """
import hf_magics as hf
hf.load(r"FOLDER", name="bert")
"""


def extension() -> list[tuple[str, str, str]]:
    """``%load_ext`` in a bare shell."""
    _, *times = [printed_s(SHELL + LOAD_EXT) for _ in range(ROUNDS + 1)]
    return [("%load_ext, median", f"{statistics.median(times) * 1e3:.0f} ms", "60 ms at most")]


def loading(folder: str) -> list[tuple[str, str, str]]:
    """A fresh process that loads a model and its tokenizer, imports included."""
    ours, theirs = in_turn(
        lambda: process_s(OURS.replace("FOLDER", folder)),
        lambda: process_s(PLAIN.replace("FOLDER", folder)),
        ROUNDS,
    )
    seconds = f"{statistics.median(ours):.2f} s, {statistics.median(theirs):.2f} s"
    return [
        ("hf.load, plain transformers, medians", seconds, ""),
        ("ratio, median of pairs", f"{median_ratio(ours, theirs):.3f}", "1.05 at most"),
    ]


def cell(folder: str) -> list[tuple[str, str, str]]:
    """``%%hf_infer`` of three short lines in a shell, HTML included, beside tokenizer and model."""
    import torch
    from IPython.core.interactiveshell import InteractiveShell
    from transformers import AutoModel, AutoTokenizer

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "hf_magics")
    shell.run_line_magic("hf_load", f"{folder} -n bert")
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

    def ours() -> object:
        return shell.run_cell_magic("hf_infer", "", "\n".join(TEXTS))._repr_html_()

    def plain() -> object:
        with torch.inference_mode():
            return model(**tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt"))

    mine, theirs = in_turn(lambda: call_s(ours), lambda: call_s(plain), 30)
    more = statistics.median(a - b for a, b in zip(mine, theirs, strict=True))
    times = f"{statistics.median(mine) * 1e3:.1f} ms, {statistics.median(theirs) * 1e3:.1f} ms"
    return [
        ("%%hf_infer with its HTML, tokenizer + model, medians", times, ""),
        ("difference, median of pairs", f"{more * 1e3:.1f} ms", "10 ms at most"),
    ]


def page() -> list[tuple[str, str, str]]:
    """The page of a 1 × 512 × 30,522 output."""
    import lovely_tensors
    import torch
    from transformers.modeling_outputs import MaskedLMOutput

    from hf_magics.display import html
    from hf_magics.display.parts import Page
    from hf_magics.inference.tasks import features
    from hf_magics.settings import Settings

    torch.manual_seed(0)
    logits = torch.randn(1, 512, 30_522)

    def ours() -> str:
        parts = features.answer(MaskedLMOutput(logits=logits), Settings()).parts
        return html.render(Page("page", parts))

    def bare() -> object:
        return torch.aminmax(logits), torch.std_mean(logits)

    mine, passes = in_turn(lambda: call_s(ours), lambda: call_s(bare), ROUNDS)
    lovely = [call_s(lambda: str(lovely_tensors.lovely(logits))) for _ in range(ROUNDS)]
    return [
        ("page, median", f"{statistics.median(mine) * 1e3:.0f} ms", "120 ms at most"),
        ("size of its HTML", f"{len(ours().encode()) / 1024:.1f} KiB", "64 KiB at most"),
        ("over one aminmax + std_mean pass", f"{median_ratio(mine, passes):.2f}", ""),
        ("over lovely-tensors", f"{median_ratio(mine, lovely):.2f}", ""),
    ]


if __name__ == "__main__":
    folder = minilm_folder()
    show("Loading the extension", extension())
    show("Loading a model, in a fresh process", loading(folder))
    show("A cell of three short lines", cell(folder))
    show("The page of a 1 × 512 × 30,522 output", page())
