"""Nothing lost: a job that is stopped goes on, and ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import hf_magics as hf
from hf_magics.errors import (
    InputError,
    MapInterruptedError,
    SaveError,
)
from hf_magics.inference.mapping.worker import Worker
from hf_magics.inference.tasks.embed import Embed
from tests.inference.mapping.rows import rows_of

ROOT = Path(__file__).parents[3]


def test_the_same_line_again_runs_nothing(small, tmp_path, short_windows, monkeypatch):
    """And says so; a file that changed since is refused."""
    to = tmp_path / "out.parquet"
    hf.map(rows_of(20), task="embed", to=str(to))
    before = to.read_bytes()
    monkeypatch.setattr(Worker, "finish", None)
    again = hf.map(rows_of(20), task="embed", to=str(to))
    assert "finished before" in repr(again)
    assert to.read_bytes() == before
    to.write_bytes(b"other")
    with pytest.raises(InputError, match="--overwrite"):
        hf.map(rows_of(20), task="embed", to=str(to))


def stopped_after(monkeypatch, windows: int, error: BaseException) -> None:
    """Let a map fail after so many windows."""
    finish, done = Worker.finish, []

    def failing(self, prepared):
        if len(done) == windows:
            raise error
        done.append(prepared)
        return finish(self, prepared)

    monkeypatch.setattr(Worker, "finish", failing)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("broken")])
@pytest.mark.parametrize("windows", [0, 1, 3])
def test_a_job_goes_on_where_it_stopped(
    small, tmp_path, short_windows, monkeypatch, error, windows
):
    """With the bytes of a job that was never stopped."""
    whole, to = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    hf.map(rows_of(70), task="embed", to=str(whole))
    with monkeypatch.context() as patched:
        stopped_after(patched, windows, error)
        with pytest.raises((MapInterruptedError, OSError)):
            hf.map(rows_of(70), task="embed", to=str(to))
    assert not to.exists()
    result = hf.map(rows_of(70), task="embed", to=str(to))
    assert to.read_bytes() == whole.read_bytes()
    assert (f"{windows * 16} rows were finished before" in repr(result)) == (windows > 0)


def test_an_interrupt_says_what_is_kept(small, tmp_path, short_windows, monkeypatch):
    """It is a ``KeyboardInterrupt`` too, and names the way on."""
    stopped_after(monkeypatch, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt, match=r"32 finished rows.*same line goes on"):
        hf.map(rows_of(70), task="embed", to=str(tmp_path / "out.parquet"))
    with pytest.raises(MapInterruptedError, match=r"rows, which are lost: --checkpoint DIR"):
        hf.map(rows_of(70), task="embed")


def test_an_interrupt_after_one_row_counts_one(small, monkeypatch):
    monkeypatch.setattr(Embed, "window", 1)
    stopped_after(monkeypatch, 1, KeyboardInterrupt())
    with pytest.raises(MapInterruptedError, match=r"1 finished row, which is lost"):
        hf.map(rows_of(3), task="embed")


def test_a_checkpoint_without_a_file_gives_the_answers_here(
    small, tmp_path, short_windows, monkeypatch
):
    """The same vectors as without it, from what was finished and what was not."""
    expected = hf.map(rows_of(70), task="embed").embeddings
    with monkeypatch.context() as patched:
        stopped_after(patched, 2, KeyboardInterrupt())
        with pytest.raises(MapInterruptedError):
            hf.map(rows_of(70), task="embed", checkpoint=str(tmp_path / "kept"))
    result = hf.map(rows_of(70), task="embed", checkpoint=str(tmp_path / "kept"))
    assert np.array_equal(result.embeddings, expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": [*rows_of(69), "other"]}, "content of the input"),
        ({"pooling": "cls"}, "an option"),
        ({"max_length": 9}, "an option"),
    ],
)
def test_another_job_is_refused(small, tmp_path, short_windows, change, said):
    """What differs is named; ``--overwrite`` begins anew."""
    words = {"task": "embed", "checkpoint": str(tmp_path / "kept")}
    hf.map(rows_of(70), **words)
    other = {"inputs": rows_of(70), **words, **change}
    with pytest.raises(InputError, match=said):
        hf.map(other.pop("inputs"), **other)
    result = hf.map(**{"inputs": rows_of(70), **words, **change, "overwrite": True})
    assert len(result.values) == 70


def test_trained_weights_are_another_job(small, tmp_path):
    """The answers before and after would not go together."""
    hf.map(rows_of(3), task="embed", checkpoint=str(tmp_path / "kept"))
    with torch.no_grad():
        next(small.model.parameters()).add_(1)
    with pytest.raises(InputError, match="weights"):
        hf.map(rows_of(3), task="embed", checkpoint=str(tmp_path / "kept"))


def test_a_folder_of_other_files_is_left_alone(small, tmp_path):
    """Also by ``--overwrite``, which takes away only what a map has written."""
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    for words in ({}, {"overwrite": True}):
        with pytest.raises(InputError, match="other files"):
            hf.map(["a"], task="embed", checkpoint=str(tmp_path), **words)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(
    "left",
    ["window-000002.arrow", "windows.jsonl", "whole.json", "done.json", "job.json"],
)
def test_what_a_killed_process_half_wrote_is_ours(small, tmp_path, left):
    """``--overwrite`` takes it away with the rest of the job."""
    kept = tmp_path / "kept"
    hf.map(["a"], task="embed", checkpoint=str(kept))
    (kept / f".{left}.new").write_bytes(b"ARROW1")
    hf.map(["b"], task="embed", checkpoint=str(kept), overwrite=True)
    assert not list(kept.glob(".*"))


def test_a_second_process_on_one_job_is_refused(small, tmp_path):
    """A lock goes with the process that holds it."""
    fcntl = pytest.importorskip("fcntl")
    kept = tmp_path / "kept"
    hf.map(["a"], task="embed", checkpoint=str(kept))
    with (kept / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process"):
            hf.map(["a"], task="embed", checkpoint=str(kept))


@pytest.mark.slow
def test_a_killed_process_loses_nothing(tmp_path, minilm):
    """Killed at different moments, run again: the bytes of a job that was never stopped."""
    source = tmp_path / "rows.txt"
    source.write_text("".join(f"{row}\n" for row in rows_of(800)), encoding="utf-8")
    whole, to = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    assert run_child(source, whole, minilm) == 0
    for windows in (0, 9, 23):
        assert run_child(source, to, minilm, signal.SIGKILL, windows) == -signal.SIGKILL
    assert run_child(source, to, minilm, signal.SIGINT, 31) == 1
    assert run_child(source, to, minilm) == 0
    assert to.read_bytes() == whole.read_bytes()


def run_child(source, to, tokenizer, blow=None, windows=0) -> int:
    """Run a map in a process, and end it once it has finished so many windows."""
    command = [sys.executable, "-m", "tests.inference.mapping.child"]
    lines = to.with_name(f".{to.name}.hf_map") / "windows.jsonl"
    with subprocess.Popen(
        [*command, str(source), str(to), tokenizer],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == "ready\n"
        if blow is not None:
            while child.poll() is None and finished(lines) < windows:
                time.sleep(0.001)
            child.send_signal(blow)
        child.stdout.read()
    return child.returncode


def finished(lines) -> int:
    """The windows that are written down."""
    return len(lines.read_bytes().splitlines()) if lines.is_file() else 0


@pytest.mark.parametrize("share", [1_000, 20, 2])
def test_a_full_disk_keeps_what_is_finished(small, tmp_path, short_windows, share):
    """A limit on the size of files stands for the disk: a line that says where and how to go on.

    The description of the job does not fit in, a window, or the whole file.
    """
    resource = pytest.importorskip("resource")
    to, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
    hf.map(rows_of(200), task="embed", to=str(whole))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole.stat().st_size // share, before[1]))
    try:
        with pytest.raises(SaveError, match="same line goes on"):
            hf.map(rows_of(200), task="embed", to=str(to))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not to.exists()
    assert not list(tmp_path.glob("*.new"))
    hf.map(rows_of(200), task="embed", to=str(to))
    assert to.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("job.json", b"{"),
        ("job.json", b"[]"),
        ("windows.jsonl", b"{}\nx\n"),
        ("windows.jsonl", b"\xff\n"),
        ("windows.jsonl", b'{"start": 0}\n'),
        ("window-000000.arrow", b""),
        ("window-000001.arrow", b"ARROW1" * 9),
    ],
)
def test_a_checkpoint_that_is_damaged_is_one_line(small, tmp_path, short_windows, name, content):
    """It names the way on, which works."""
    words = {"task": "embed", "checkpoint": str(tmp_path / "kept"), "batch_tokens": 4_096}
    vectors = hf.map(rows_of(40), **words).embeddings
    (tmp_path / "kept" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"kept is damaged .*--overwrite begins anew") as caught:
        hf.map(rows_of(40), **words)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(hf.map(rows_of(40), **words, overwrite=True).embeddings, vectors)
