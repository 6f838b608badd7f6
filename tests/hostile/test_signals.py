"""SIGINT at moments drawn at random over the whole of a verb, in a real kernel."""

from __future__ import annotations

import ast
import os
import random
import re
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.inference.mapping.rows import rows_of
from tests.magics.kernels import Kernel

MOMENTS = int(os.environ.get("HF_MAGICS_MOMENTS", "56"))  # the README's figure is of 560
FIRST_IMPORTS = max(2, MOMENTS // 50)
pytestmark = pytest.mark.slow
SEED = int(os.environ.get("HF_MAGICS_SEED", "0")) or random.randrange(1, 10**6)
ROOT = Path(__file__).parents[2]
SIZES = "hidden_size=64 num_hidden_layers=4 num_attention_heads=2 intermediate_size=128"


class Verb(NamedTuple):
    """A line, an expression for what it gave, what makes way for it, and what it has on disk."""

    line: str
    gave: str
    before: str = "pass"
    kept: str = "None"


MODELS = "inside_kernel.models()"
VERBS = {
    "load": Verb(
        'r = %hf_load "{home}/one" -n it',
        f"{MODELS}['it']",
        "inside_kernel.hf.session.remove('it')",
    ),
    "load in place": Verb(
        'r = %hf_load "{home}/two" -n it --replace',
        f"{MODELS}['it']",
        '%hf_load "{home}/one" -n it --replace',
    ),
    "new": Verb(
        f'r = %hf_new bert {SIZES} --seed 3 -n it --tokenizer "{{minilm}}"',
        f"{MODELS}['it']",
        "inside_kernel.hf.session.remove('it')",
    ),
    "save": Verb(
        'r = %hf_save b "{home}/kept/saved" --overwrite --max-shard-size 2MB',
        "inside_kernel.digest('{home}/kept/saved')",
        '%hf_save a "{home}/kept/saved" --overwrite --max-shard-size 2MB',
        "inside_kernel.digest('{home}/kept/saved')",
    ),
    "infer": Verb("r = %hf_infer -m a --capture * {text}", "repr(r.records())"),
    "attention": Verb("r = %hf_attention -m a {text}", "repr(r.records())"),
    "generate": Verb("r = %hf_generate -m g --max-new-tokens 24 the cat", "repr(r.text)"),
    "map": Verb(
        'r = %hf_map rows --to "{home}/mapped/out.parquet" -m a --task embed',
        "inside_kernel.digest('{home}/mapped/out.parquet')",
        "inside_kernel.empty('{home}/mapped')",
        "inside_kernel.digest('{home}/mapped/out.parquet')",
    ),
}
TEXT = "the quick brown fox jumps over the lazy dog and goes on its way " * 4


class Shell:
    """A kernel with models, its lines interrupted from here."""

    def __init__(self, kernel: Kernel, home: Path, minilm: str) -> None:
        self.kernel = kernel
        self._words = {"home": str(home), "minilm": minilm, "text": TEXT}
        self.pid = int(kernel.text("import os\nos.getpid()"))

    def run(self, cell: str) -> None:
        """Run a cell that succeeds."""
        self.kernel.run(self._filled(cell))

    def value(self, expression: str) -> Any:
        """Return what the last line of a cell gives."""
        return ast.literal_eval(self.kernel.text(self._filled(expression)))

    def interrupted(self, cell: str, after: float) -> tuple[str, float, float]:
        """How the cell ended, and how long after the signal; when the kernel had answered."""
        sent: list[float] = []
        for name in ("begun", "sent", "ended"):
            self._mark(name).unlink(missing_ok=True)
        timer = threading.Thread(target=self._interrupt, args=(after, sent))
        timer.start()
        reply, _ = self.kernel.sent(self._filled(AROUND.replace("LINE", cell)))
        answered = time.monotonic()
        timer.join()
        assert reply["status"] == "ok" or reply["ename"] in _INTERRUPTS, reply
        # there is none where the signal came on the way from the line to its mark
        ended = float(self._mark("ended").read_text()) if self._mark("ended").exists() else sent[0]
        return reply["status"], max(0.0, ended - sent[0]), answered - sent[0]

    def _interrupt(self, after: float, sent: list[float]) -> None:
        while not self._mark("begun").exists():
            time.sleep(0.0005)
        time.sleep(after)
        sent.append(time.monotonic())
        os.kill(self.pid, signal.SIGINT)
        self._mark("sent").touch()

    def _mark(self, name: str) -> Path:
        return Path(self._words["home"]) / name

    def _filled(self, cell: str) -> str:
        return re.sub(r"\{(home|minilm|text)\}", lambda found: self._words[found[1]], cell)


AROUND = """
marks.begin("{home}/begun")
try:
    LINE
finally:
    marks.end("{home}/sent", "{home}/ended")
"""
_INTERRUPTS = {"KeyboardInterrupt", "MapInterruptedError", "UsageError"}
FIRST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.hostile import marks
%load_ext hf_magics
%config HFMagics.warm_start = False
"""
BEGIN = f"""
%hf_new gpt2 n_embd=64 n_layer=2 n_head=2 vocab_size=30522 --task text-generation --seed 1 -n g --tokenizer "{{minilm}}"
%hf_new bert {SIZES} --seed 1 -n a --tokenizer "{{minilm}}"
%hf_save a "{{home}}/one"
%hf_new bert {SIZES} --seed 2 -n b --tokenizer "{{minilm}}"
%hf_save b "{{home}}/two"
%hf_save b "{{home}}/kept/saved"
%hf_load "{{home}}/one" -n it
from tests.hostile import inside_kernel
inside_kernel.Path("{{home}}/mapped").mkdir()
rows = {rows_of(120)!r}
"""


@pytest.fixture(scope="module")
def interrupting(tmp_path_factory, minilm):
    """A kernel with three models and two checkpoints."""
    home = tmp_path_factory.mktemp("signals")
    with Kernel.started(home) as kernel:
        shell = Shell(kernel, home, minilm)
        shell.run(FIRST + BEGIN)
        yield shell
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("name", VERBS)
def test_an_interrupt_leaves_nothing_behind(interrupting, name):
    """The kernel answers, no model is half there, and the same line gives what it always gives."""
    verb, shell, draw = VERBS[name], interrupting, random.Random(f"{SEED} {name}")
    took, expected = timed(shell, verb)
    longest, slowest, broken = 0.0, 0.0, 0
    for number in range(max(1, MOMENTS // len(VERBS))):
        state = f"(*inside_kernel.state(), {verb.kept})"
        before = shell.value(f"{verb.before}\n{state}")
        after = draw.uniform(0, took)
        ended, late, answered = shell.interrupted(verb.line, after)
        moment = f"{name}, moment {number}: {after:.4f} of {took:.4f} s, HF_MAGICS_SEED={SEED}"
        check_state(shell.value(state), before, expected, moment)
        shell.run("inside_kernel.answer()")
        assert shell.value(f"{verb.line}\n{verb.gave}") == expected, moment
        longest, slowest = max(longest, late), max(slowest, answered)
        broken += ended != "ok"
    print(
        f"{name}: {number + 1} moments of {took:.3f} s, {broken} broken off; "
        f"over within {longest:.3f} s, answered within {slowest:.3f} s"
    )


def timed(shell: Shell, verb: Verb) -> tuple[float, Any]:
    """How long the line takes when it is left alone, and what it gives; the first is no measure."""
    times = []
    for _ in range(3):
        shell.run(verb.before)
        started = time.monotonic()
        shell.run(verb.line)
        times.append(time.monotonic() - started)
    return min(times), shell.value(verb.gave)


def check_state(now: Any, before: Any, expected: Any, moment: str) -> None:
    """The process is as it was; a name or a file has what it had, or what the line gives, whole."""
    assert now[0] == before[0], moment
    assert now[2] in (before[2], expected), moment
    assert before[1].keys() <= now[1].keys(), moment
    for name, model in now[1].items():
        assert model in (before[1].get(name), expected), f"{moment}: {name}"


@pytest.mark.parametrize("number", range(FIRST_IMPORTS))
def test_the_first_import_is_not_left_broken(tmp_path, minilm, number):
    """SIGINT at any moment of a fresh kernel's first line: the same line next gives a model."""
    line = f'%hf_new bert {SIZES} --seed 3 -n it --tokenizer "{minilm}"'
    after = random.Random(f"{SEED} import {number}").uniform(0, 5)
    with Kernel.started(tmp_path) as kernel:
        shell = Shell(kernel, tmp_path, minilm)
        shell.run(FIRST)
        ended, late, _ = shell.interrupted(line, after)
        shell.run(line)
        assert "hello" in kernel.text("%hf_infer hello"), f"{after:.3f} s, HF_MAGICS_SEED={SEED}"
    print(f"first import: after {after:.3f} s, {ended}, {late:.3f} s")
