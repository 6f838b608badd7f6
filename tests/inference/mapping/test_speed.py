"""What makes a map fast: nothing run twice, threads, and the size of batches."""

import json
import os
import platform
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

import hf_magics as hf
from hf_magics.inference.mapping.worker import Worker
from hf_magics.inference.tasks.embed import Embed
from tests.inference.mapping.rows import TINY, rows_of


@pytest.fixture
def other_threads():
    """A number of threads that no machine would have chosen."""
    before = torch.get_num_threads()
    torch.set_num_threads((os.cpu_count() or 1) + 1)
    yield torch.get_num_threads()
    torch.set_num_threads(before)


def test_equal_texts_are_run_once(small, monkeypatch):
    """And have the same answer, bit for bit."""
    seen = []
    columns = Worker.columns
    monkeypatch.setattr(
        Worker, "columns", lambda self, *a: (seen.extend(a[1]), columns(self, *a))[1]
    )
    result = hf.map(["a b", "c", "a b", "c", "a b"], task="embed", batch_tokens=64)
    assert len(seen) == 2
    assert np.array_equal(result.embeddings[0], result.embeddings[4])
    assert not np.array_equal(result.embeddings[0], result.embeddings[1])


def test_a_short_file_is_not_probed(small, tmp_path):
    """The batch's size is looked for where there is enough to run that finding it pays."""
    source, passes = tmp_path / "short.txt", []
    source.write_text("first\nlast\n")
    small.model.register_forward_pre_hook(lambda *_: passes.append(1))
    hf.map(source, task="embed")
    assert len(passes) == 1


def test_a_very_long_line_is_tokenised_once(small, tmp_path, monkeypatch):
    """The probe for the size of a batch leaves it alone: it would take its time twice."""
    source = tmp_path / "long.txt"
    source.write_text("first\n" + "word " * 400_000 + "\nlast\n", encoding="utf-8")
    seen, backend = [], type(small.tokenizer)._encode_plus

    def counted(self, text, *args, **kwargs):
        texts = [text] if isinstance(text, str) else text
        seen.extend(len(one) for one in texts if len(one) > 1_000_000)
        return backend(self, text, *args, **kwargs)

    monkeypatch.setattr(type(small.tokenizer), "_encode_plus", counted)
    hf.map(source, task="embed", max_length=16)
    assert seen == [2_000_000]


def test_torch_has_a_thread_for_each_physical_core(small, other_threads):
    """While the job runs; the session has as many as before afterwards."""
    seen = []
    small.model.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    hf.map(["a text"], task="embed")
    assert seen == [min(len(os.sched_getaffinity(0)), psutil.cpu_count(logical=False))]
    assert torch.get_num_threads() == other_threads


def test_torch_leaves_the_cores_to_an_engine(small, other_threads):
    """Its threads wait busily after each operation, on cores that the engine could have."""
    seen = []

    def forward(arguments):
        seen.append(torch.get_num_threads())
        return small.model(**arguments)

    small.runner = SimpleNamespace(forward=forward)
    hf.map(["a text"], task="embed")
    assert seen == [1]
    assert torch.get_num_threads() == other_threads


def test_the_next_window_is_tokenised_while_one_runs(small, short_windows, monkeypatch):
    """The forward pass of the first window ends only once the second is at the tokenizer."""
    came, waited, backend = threading.Event(), [], type(small.tokenizer)._encode_plus

    def told(self, text, *args, **kwargs):
        if "row 16 " in str(text):
            came.set()
        return backend(self, text, *args, **kwargs)

    monkeypatch.setattr(type(small.tokenizer), "_encode_plus", told)
    small.model.register_forward_pre_hook(lambda *_: waited.append(came.wait(30)))
    hf.map(rows_of(32), task="embed")
    assert len(waited) >= 2
    assert all(waited)


def test_the_size_of_batches_is_measured_once_and_kept(small, monkeypatch):
    """It is one of those that were tried; a second job runs each token once, and no more."""
    monkeypatch.setattr(Embed, "window", 1_000)
    texts, sizes, read = rows_of(1_100), [], []
    tokens = sum(len(line) for line in small.tokenizer(texts)["input_ids"])

    def count(_, __, words):
        sizes.append(words["input_ids"].numel())
        mask = words.get("attention_mask")  # left out where nothing is padded
        read.append(sizes[-1] if mask is None else int(mask.sum()))

    small.model.register_forward_pre_hook(count, with_kwargs=True)
    hf.map(texts, task="embed")
    assert sum(read) > 1.2 * tokens
    assert small.batch_tokens in {512, 1_024, 2_048, 4_096}
    sizes.clear()
    read.clear()
    hf.map(texts, task="embed")
    assert sum(read) == tokens
    assert max(sizes) <= small.batch_tokens


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do otherwise")
def test_pages_that_one_batch_freed_are_there_for_the_next(minilm):
    """Layers that take and free 40 MB again and again get no new pages from the system.

    Without a map it depends on where the heap begins whether they do, so several processes try.
    """
    command = [sys.executable, "-c", _FAULTS, str(minilm), json.dumps(TINY)]
    for _ in range(6):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        before, after = map(int, done.stdout.split())
        assert after < 1_000
        if before > 1_000:
            return
    pytest.fail("no process lost its pages even before the map: nothing was shown")


_FAULTS = """
import json, resource, sys
import torch
import hf_magics as hf

def faults():
    for _ in range(20):
        blocks = [torch.ones(2_500_000) for _ in range(4)]  # 10 MB each
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

warm, before = faults(), faults()
hf.new("bert", name="small", tokenizer=sys.argv[1], **json.loads(sys.argv[2]))
hf.map(["a", "b c"] * 8, task="embed", model="small")
mapped, after = faults(), faults()
print(before - warm, after - mapped)
"""
