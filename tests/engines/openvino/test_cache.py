"""Converted models on disk: by content, whole, and made again where they are broken."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertModel

from hf_magics.engines.openvino import cache as caching
from hf_magics.engines.openvino import graph
from hf_magics.errors import EngineError
from hf_magics.modeling.weights import weights_hash
from tests.engines.conftest import rows


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A cache with nothing in it."""
    monkeypatch.setenv("HF_MAGICS_CACHE", str(tmp_path / "own"))
    return tmp_path / "own" / "openvino"


def load(hf, folder, **more):
    return hf.load(folder, name="fast", engine="openvino", replace=True, **more)


def test_a_second_load_takes_it_from_the_cache(hf, tiny, own):
    """One folder for one content; its page says where it came from."""
    assert rows(load(hf, tiny()))["conversion"].endswith("and kept in the cache")
    assert rows(load(hf, tiny()))["conversion"].endswith("from the cache")
    assert rows(load(hf, tiny()))["cache"] == str(own)
    assert len(list(own.iterdir())) == 1
    load(hf, tiny(), quantize="int8")
    assert len(list(own.iterdir())) == 2


def test_other_weights_are_another_content(hf, tiny, own, tmp_path):
    """One changed weight, and it is converted anew: never answered with the old graph."""
    load(hf, tiny())
    model = BertModel.from_pretrained(tiny())
    with torch.no_grad():
        model.pooler.dense.bias[0] += 1
    model.save_pretrained(tmp_path / "changed")
    found = load(hf, str(tmp_path / "changed"))
    assert rows(found)["conversion"].endswith("and kept in the cache")
    assert len(list(own.iterdir())) == 2


@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "sums"])
def test_a_broken_entry_is_made_again(hf, tiny, own, harm):
    """A file that is not as it was written is not used; the entry is whole afterwards."""
    load(hf, tiny())
    (entry,) = own.iterdir()
    weights = entry / "model.bin"
    whole = weights.read_bytes()
    if harm == "cut":
        weights.write_bytes(whole[: len(whole) // 2])
    elif harm == "changed":
        weights.write_bytes(whole[:-400] + bytes(400))
    elif harm == "gone":
        weights.unlink()
    else:
        (entry / "sha256.json").write_text("{")
    assert rows(load(hf, tiny()))["conversion"].endswith("and kept in the cache")
    assert weights.read_bytes() == whole
    assert rows(load(hf, tiny()))["conversion"].endswith("from the cache")


def test_a_folder_that_cannot_be_written_is_one_line(hf, tiny, tmp_path, monkeypatch, session):
    """The line names the folder and the variable that chooses another; nothing was loaded."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_MAGICS_CACHE", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="HF_MAGICS_CACHE names another folder"):
        load(hf, tiny())
    assert len(session) == 0


def test_an_empty_folder_that_cannot_be_written_is_told_first(hf, tmp_path, monkeypatch, session):
    """Before anything is loaded: a source that is not there would be the next line."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_MAGICS_CACHE", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="HF_MAGICS_CACHE names another folder"):
        load(hf, str(tmp_path / "absent"))
    assert len(session) == 0


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs a folder that nobody writes")
def test_a_folder_that_cannot_be_written_is_told_before_converting(
    hf, tiny, tmp_path, monkeypatch, session
):
    """Where it holds what may be the model that is asked for, the weights are read first."""
    (tmp_path / "openvino").symlink_to("/proc/self/fd")
    monkeypatch.setenv("HF_MAGICS_CACHE", str(tmp_path))
    monkeypatch.setattr(graph, "convert", lambda *_: pytest.fail("it was converted"))
    with pytest.raises(EngineError, match="HF_MAGICS_CACHE names another folder"):
        load(hf, tiny())
    assert len(session) == 0


def test_a_folder_that_is_only_read_gives_what_it_holds(hf, tiny, own):
    """A cache of several users need not be each one's to write."""
    load(hf, tiny())
    own.chmod(0o555)
    try:
        assert rows(load(hf, tiny()))["conversion"].endswith("from the cache")
    finally:
        own.chmod(0o755)


def test_the_folder_is_the_users_own(monkeypatch, tmp_path):
    """HF_MAGICS_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    assert caching.cache_folder().name == "openvino"
    monkeypatch.delenv("HF_MAGICS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert caching.cache_folder() == tmp_path / "hf_magics" / "openvino"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caching.cache_folder() == tmp_path / ".cache" / "hf_magics" / "openvino"


def test_the_hash_is_that_of_the_weights(tiny):
    """Equal for equal weights; another for another value, name, shape or dtype, to the last bit."""
    one, other = (BertModel.from_pretrained(tiny()) for _ in range(2))
    assert weights_hash(one) == weights_hash(other)
    bias = other.pooler.dense.bias
    with torch.no_grad():
        bias.view(torch.int32)[3] ^= 1
    changed = weights_hash(other)
    with torch.no_grad():
        bias.view(torch.int32)[3] ^= 1
    assert changed != weights_hash(one) == weights_hash(other)
    assert weights_hash(other.to(torch.bfloat16)) != weights_hash(one)


INTERRUPTED = """
import os, signal, sys, threading, time
import hf_magics as hf
for _ in range(3):
    hf.load(sys.argv[1], name="fast", engine="openvino", replace=True)
hf.drop("fast")
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    time.sleep(20)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_after_models_were_replaced_ends_no_process(tiny, own):
    """OpenVINO lends the thread a stack for signals, which has to be there when one comes."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, tiny()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
