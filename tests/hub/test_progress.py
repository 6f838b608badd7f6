"""A download is seen while it lasts, and leaves nothing when it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from tests.hub.children import ROOT, page, run_ipython, run_magics, run_python

pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
termios = pytest.importorskip("termios")
pytestmark = pytest.mark.slow

LARGE = "org/large-bert"
WATCHED = f"""
import json
import hf_magics as hf
from hf_magics.display.progress import lines_from
said = []
class Line:
    def show(self, text): said.append(text)
    def clear(self): said.append("")
with lines_from(Line):
    for source in ("{LARGE}", "org/sharded"):
        hf.load(source)
        said.append(source)
print(json.dumps(said))
"""
STOPPED = """
import hf_magics as hf
import os, pathlib, signal, threading, time

def stop():
    cache = pathlib.Path(os.environ["HF_HOME"])
    while not any(one.stat().st_size > 1_000_000 for one in cache.rglob("*.incomplete")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=stop, daemon=True).start()
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A BERT of 26 MB, which arrives in pieces of 10 MiB: in one file, and in three."""
    root = tmp_path_factory.mktemp("large")
    config = BertConfig(
        vocab_size=100_000,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
    )
    with torch.random.fork_rng():
        model = BertModel(config)
    model.save_pretrained(root / "one")
    model.save_pretrained(root / "many", max_shard_size="100KB")
    return {LARGE: root / "one", "org/sharded": root / "many"}


@pytest.fixture
def slow_hub(hub, large):
    """A hub that thinks for most of a second before each answer."""
    for name, folder in large.items():
        hub.add(name, folder)
    hub.delay(0.7)
    return hub


def test_a_download_is_one_line_that_is_gone_in_the_end(slow_hub, hub_env):
    """Each line says how much of how much has arrived, of one file and of several at once."""
    done = run_python(WATCHED, hub_env)
    assert done.stderr == ""
    said = json.loads(done.stdout.splitlines()[-1])
    one = said[: said.index(LARGE)]
    many = said[len(one) :]
    for lines in (one, many[:-1]):
        assert lines[-1] == ""
        counted = [line for line in lines if line.startswith("downloading: ")]
        assert counted, lines
        assert " of 25." in counted[-1], counted
        assert "MB" in counted[-1]


@pytest.mark.parametrize("source", [LARGE, "org/sharded"])
def test_an_interrupted_download_is_made_good_by_the_same_line(slow_hub, hub_env, source):
    """It ends at once, as any cell that is stopped; the files that are whole are kept."""
    slow_hub.delay(1)
    lines = ["%load_ext hf_magics", STOPPED, f"%hf_load {source}", "hf.session"]
    stopped, session = run_ipython(lines, hub_env)[2:]
    assert stopped.error == "KeyboardInterrupt"
    assert page(session) == "<hf_magics session: nothing>"
    cache = Path(hub_env["HF_HOME"], "hub")
    assert not list(cache.rglob("*.incomplete"))
    whole = {path.name for path in cache.glob("*/snapshots/*/*.safetensors")}
    slow_hub.delay(0)
    slow_hub.requests.clear()
    (again,) = run_magics([f"%hf_load {source}"], hub_env)
    assert source in page(again)
    fetched = {path.rpartition("/")[2] for method, path in slow_hub.requests if method == "GET"}
    assert len(whole) == (0 if source == LARGE else 3)
    assert not whole & fetched


def test_a_terminal_shows_the_download_and_then_nothing(slow_hub, hub_env):
    """The line is drawn over with blanks before the page comes."""
    code = f"import hf_magics as hf\nhf.load('{LARGE}')\nprint('done')"
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 100))
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=hub_env, cwd=ROOT, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = _all_of(ours)
    assert child.wait() == 0
    assert "downloading: " in screen
    assert [row.strip() for row in _drawn(screen) if row.strip()] == ["done"]


def _drawn(screen: str) -> list[str]:
    """What is left to see in each row: after a carriage return the row is written over."""
    rows = []
    for written in screen.split("\n"):
        row = ""
        for piece in written.split("\r"):
            row = piece + row[len(piece) :]
        rows.append(row)
    return rows


def _all_of(terminal: int) -> str:
    """Read a terminal to its end, which Linux reports as an error."""
    read = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        read += piece
    os.close(terminal)
    return read.decode()
