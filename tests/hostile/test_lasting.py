"""A session that lasts: memory stays flat, threads get their own answers, the shell is as it was."""

import gc
import logging
import os
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hf_magics as hf
from tests.hostile.measuring import memory
from tests.modeling.tiny import BERT

ROUNDS = 50
CALLS = int(os.environ.get("HF_MAGICS_CALLS", "1000"))  # the README's figure is of 10,000


@pytest.fixture
def small_heap():
    """What was there before is looked at by no collection: other tests may have left millions."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("small_heap")
def test_fifty_rounds_leave_nothing(shell, minilm, tmp_path):
    """Load, run, show, drop: no model is left, and no megabytes."""
    shell.names["folder"] = str(tmp_path / "model")
    shell.run(f'%hf_new bert {" ".join(f"{k}={v}" for k, v in BIG.items())} --tokenizer "{minilm}"')
    shell.run('%hf_save "$folder"')
    shell.run("%hf_drop")
    gone, sizes = [], []
    for _ in range(ROUNDS):
        shell.run('%hf_load "$folder" -n it')
        gone.append(weakref.ref(hf.session["it"].model))
        result = shell.run("%%hf_infer\nHello!\nA longer line than the first.")
        assert result._repr_html_()
        del result
        shell.run("%hf_drop it")
        sizes.append(memory())
    assert [one for one in gone if one() is not None] == []
    # what one model takes, 12 MB, would have come to 480 MB
    assert sizes[-1] - sizes[9] < 24_000_000


BIG = BERT | {"vocab_size": 30_522, "hidden_size": 96}


def test_many_large_outputs_stay_within_the_budget(shell, minilm):
    """A hundred cells, each with ten megabytes: what is kept is what the setting allows."""
    shell.run("%config HFMagics.outputs_bytes = 50_000_000")
    shell.run(f'%hf_new gpt2 n_embd=32 n_layer=1 n_head=2 vocab_size=30522 --tokenizer "{minilm}"')
    before = memory()
    for number in range(100):
        shell.run(f"%hf_infer --task features the number {number} " + "and a word " * 25)
    assert memory() - before < 150_000_000


def test_threads_get_their_own_answers(session, minilm):
    """Eight at once on one model, of other lengths: each has its own, and the process is as before."""
    hf.new("bert", name="m", tokenizer=minilm, seed=1, **(BERT | {"vocab_size": 30_522}))
    texts = [f"text {number} " + "and more " * (number % 7) for number in range(64)]
    alone = [hf.infer(text, task="embed").embeddings[0] for text in texts]

    def ask(call: int) -> bool:
        at = call * 13 % len(texts)
        found = hf.infer(texts[at], task="embed").embeddings[0]
        return bool(np.abs(found - alone[at]).max() < 1e-5)

    before = sys.stderr, logging.getLogger("transformers").handlers
    with ThreadPoolExecutor(8) as pool:
        assert sum(not right for right in pool.map(ask, range(CALLS))) == 0
    assert (sys.stderr, logging.getLogger("transformers").handlers) == before


def test_a_hundred_times_loaded_and_unloaded(shell):
    """The shell has what it had: magics, callbacks, completers, formatters, variables."""
    shell.ip.run_line_magic("unload_ext", "hf_magics")

    def state() -> tuple:
        ip = shell.ip
        magics = {kind: sorted(found) for kind, found in ip.magics_manager.magics.items()}
        callbacks = {name: len(found) for name, found in ip.events.callbacks.items()}
        formatters = {
            name: (len(one.type_printers), len(one.deferred_printers))
            for name, one in ip.display_formatter.formatters.items()
        }
        completers = len(ip.Completer.custom_matchers)
        return magics, callbacks, formatters, completers, sorted(ip.user_ns), len(ip.configurables)

    before, size = state(), memory()
    for _ in range(100):
        shell.ip.run_line_magic("load_ext", "hf_magics")
        shell.ip.run_line_magic("reload_ext", "hf_magics")
        shell.ip.run_line_magic("unload_ext", "hf_magics")
    assert state() == before
    assert memory() - size < 20_000_000
    shell.ip.run_line_magic("load_ext", "hf_magics")
