"""A map on Ray is the local one: in order, whole after deaths, and ended by no row."""

import importlib
import os
import sys
import threading
import time

import numpy as np
import psutil
import pytest

import hf_magics as hf
from hf_magics.engines.ray.executing import _Pool
from hf_magics.errors import (
    EngineError,
    InputError,
    MapInterruptedError,
    MissingExtraError,
    OptionError,
)
from hf_magics.inference.tasks.embed import Embed
from tests.engines.ray.poison import MARK, KillOnce, end
from tests.inference.mapping.rows import TINY, rows_of

ray = pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # of Ray's own code


@pytest.fixture(scope="module", autouse=True)
def _shared():
    """One Ray for the tests, that is met and left as it is; workers find these tests."""
    os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_USAGE_STATS_ENABLED="0")
    root = str(importlib.import_module("pathlib").Path(__file__).parents[3])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = root
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def small(session, minilm, monkeypatch):
    """A tiny BERT with windows of 16 rows."""
    monkeypatch.setattr(Embed, "window", 16)
    hf.new("bert", name="small", seed=0, tokenizer=minilm, **TINY)
    return hf.session["small"]


def marked(loaded, count, at) -> list:
    """Rows of which one has the mark in it."""
    rows = rows_of(count)
    rows[at] = "the zebra is the mark"
    assert MARK in loaded.tokenizer(rows[at])["input_ids"]
    return rows


@pytest.mark.parametrize("actors", [1, 2])
def test_it_gives_what_the_local_map_gives(small, actors):
    """Vectors to 1e-5, errors in their rows, in order; equal texts and all."""
    rows = [*rows_of(150), None, "", 3, "row 7 " + "word " * (7 * 37 % 60)]
    local = hf.map(rows, task="embed", batch_tokens=512)
    far = hf.map(rows, task="embed", batch_tokens=512, on="ray", actors=actors)
    assert far.errors == local.errors
    assert len(local.errors) == 3
    np.testing.assert_allclose(far.embeddings, local.embeddings, atol=1e-5)
    assert far.code == local.code
    assert ray.is_initialized()


def test_the_weights_are_those_in_memory(small):
    """Not the checkpoint's: they were changed here."""
    small.model.embeddings.word_embeddings.weight.data.mul_(1.5)
    local = hf.map(rows_of(20), task="embed", batch_tokens=512)
    far = hf.map(rows_of(20), task="embed", batch_tokens=512, on="ray")
    np.testing.assert_allclose(far.embeddings, local.embeddings, atol=1e-5)


def test_a_killed_actor_loses_nothing(small, tmp_path):
    """Killed in the middle of a window, which is begun again."""
    rows = marked(small, 100, 40)
    local = hf.map(rows, task="embed", batch_tokens=512)
    small.model.register_forward_pre_hook(KillOnce(tmp_path / "killed"), with_kwargs=True)
    far = hf.map(rows, task="embed", batch_tokens=512, on="ray", actors=2)
    assert (tmp_path / "killed").exists()
    assert not far.errors
    np.testing.assert_allclose(far.embeddings, local.embeddings, atol=1e-5)


@pytest.mark.full
def test_a_reader_that_is_killed_is_one_line(small, tmp_path):
    """Windows that it had taken are gone: the job ends with what is finished, and goes on later."""
    rows, to = rows_of(400), tmp_path / "out.parquet"

    def kill() -> None:
        while not done.wait(0.1):
            if len(list(tmp_path.glob(".out.parquet.hf_map/window-*"))) < 2:
                continue
            for one in psutil.process_iter(["cmdline"]):
                if "ray::ReadWindows" in " ".join(one.info["cmdline"] or ()):
                    one.kill()
                    killed.append(one.pid)
                    return

    done, killed = threading.Event(), []
    killer = threading.Thread(target=kill)
    small.model.register_forward_pre_hook(lambda *_: time.sleep(0.05) and None)
    killer.start()
    try:
        with pytest.raises(EngineError, match="the same line goes on from there"):
            hf.map(rows, task="embed", batch_tokens=64, on="ray", to=to)
    finally:
        done.set()
        killer.join()
    assert killed
    again = hf.map(rows, task="embed", batch_tokens=64, to=to)
    assert not again.errors
    assert [one["row"] for one in again.records()] == list(range(400))


@pytest.mark.full
def test_a_row_that_kills_its_worker_is_a_row_with_its_error(small, monkeypatch):
    """The job ends; every other row has its answer, and the model is loaded once a death."""
    rows = marked(small, 60, 21)
    local = hf.map(rows, task="embed", batch_tokens=512)
    small.model.register_forward_pre_hook(end, with_kwargs=True)
    started, start = [], _Pool._apart
    monkeypatch.setattr(_Pool, "_apart", lambda pool: started.append(1) or start(pool))
    far = hf.map(rows, task="embed", batch_tokens=512, on="ray")
    assert far.errors == {21: "killed its worker each time it was run"}
    # its window of 16 rows, 8 of them and 2 of them die: 4 and 1 don't, nor do all but it
    assert len(started) == 4
    others = [row for row in range(60) if row != 21]
    np.testing.assert_allclose(far.embeddings[others], local.embeddings[others], atol=1e-5)


def test_a_job_begun_on_ray_ends_here_with_the_same_bytes(small, tmp_path):
    """Interrupted there, gone on with here: the file of a job that ran here alone."""
    rows, whole, to = rows_of(120), tmp_path / "whole.parquet", tmp_path / "out.parquet"
    hf.map(rows, task="embed", batch_tokens=512, to=str(whole))
    seen = []

    def stop(_module, _args) -> None:
        raise KeyboardInterrupt

    from hf_magics.inference.mapping.journal import Journal

    add = Journal.add

    def counted(self, entry, table) -> None:
        add(self, entry, table)
        seen.append(entry)
        if len(seen) == 3:
            stop(None, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "add", counted)
        with pytest.raises(MapInterruptedError, match="finished rows: they are kept"):
            hf.map(rows, task="embed", batch_tokens=512, to=str(to), on="ray")
    result = hf.map(rows, task="embed", batch_tokens=512, to=str(to))
    assert any("rows were finished before" in note.text for note in result.page().notes)
    assert to.read_bytes() == whole.read_bytes()


def test_a_strict_job_stops_at_a_bad_row(small):
    with pytest.raises(InputError, match="row 17 is missing"):
        hf.map([*rows_of(17), None, *rows_of(40)], task="embed", on="ray", strict=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"actors": 9}, "--actors 9: the cluster has 2 CPUs"),
        ({"actors": 0}, "at least 1 is needed"),
        ({"address": "127.0.0.1:1"}, "connected to a Ray cluster already"),
    ],
)
def test_what_can_not_be_is_told(small, words, said):
    with pytest.raises((EngineError, OptionError), match=said):
        hf.map(rows_of(3), task="embed", on="ray", **words)


def test_options_of_ray_alone_are_refused(small):
    with pytest.raises(OptionError, match="go with --on ray"):
        hf.map(rows_of(3), task="embed", actors=2)
    with pytest.raises(OptionError, match="--on 'dask': there is ray"):
        hf.map(rows_of(3), task="embed", on="dask")


def test_without_ray_the_extra_is_named(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(importlib, "import_module", _without_ray(importlib.import_module))
    with pytest.raises(MissingExtraError, match=r"pip install 'hf-magics\[ray\]'"):
        hf.map(rows_of(3), task="embed", on="ray")


def _without_ray(real):
    def import_module(name, *more):
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError(f"No module named '{name}'", name="ray")
        return real(name, *more)

    return import_module
