"""The real ``transformers serve`` with the real SmolLM2: the same text as here."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from transformers.utils.import_utils import is_serve_available

import hf_magics as hf
from tests.engines.conftest import notes, rows
from tests.home import run_alone

pytestmark = pytest.mark.slow

QUESTION = "What is the capital of France?"
PROMPT = "The capital of Italy is"
LONG = "Write a very long story about a fox and a dog."


@pytest.fixture(scope="module")
def folder(smollm2, tmp_path_factory):
    """SmolLM2 as a folder: a server takes no GGUF file."""
    path = tmp_path_factory.mktemp("served") / "smol"
    hf.load(smollm2, name="smol-to-serve", dtype="float32")
    hf.save(str(path), name="smol-to-serve")
    hf.drop("smol-to-serve")
    return str(path)


@pytest.fixture
def serve(folder, tmp_path):
    """Starts a server of the folder, and gives the process and its address."""
    if not os.environ.get("HF_MAGICS_REQUIRE_ENGINES") and not is_serve_available():
        pytest.skip("pip install 'transformers[serving]' brings the server")
    started = []

    def start():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = ["serve", folder, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        log = (tmp_path / "serve.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "transformers.cli.transformers", *words, "--dtype", "float32"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        started.append((process, log))
        url = f"http://127.0.0.1:{port}"
        _wait(process, f"{url}/health", tmp_path / "serve.log")
        return process, url

    yield start
    for process, log in started:
        process.kill()
        process.wait()
        log.close()


def _wait(process, url, log):
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with ask.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not come up: {log.read_text()[-2000:]}")


def test_a_server_writes_what_the_model_writes_here(serve, session, folder):
    """Prompts and turns, greedy, in the same dtype; its page and theirs say what it does not tell."""
    _, url = serve()
    page = hf.load(folder, name="far", endpoint=url)
    assert rows(page)["token probabilities"] == "none: the server gives none"
    assert rows(page)["%%hf_chat"] == "yes"
    pieces = []
    turn = hf.chat(QUESTION, max_new_tokens=12, on_text=pieces.append)
    assert "".join(pieces) == turn.text
    assert len(pieces) > 3
    assert "Paris" in turn.text
    second = hf.chat("And of Italy?", max_new_tokens=8)
    written = hf.generate(PROMPT, max_new_tokens=8)
    assert notes(turn) == ["the server gives no token probabilities"]

    hf.load(folder, name="here", dtype="float32")
    near = hf.chat(QUESTION, max_new_tokens=12)
    assert near.text == turn.text
    assert near.read.tokens == turn.read.tokens
    assert hf.chat("And of Italy?", max_new_tokens=8).text == second.text
    assert hf.generate(PROMPT, max_new_tokens=8).text == written.text
    counts = [" ".join(repr(one).split()) for one in (near, turn)]
    assert all(f"{near.read.tokens} tokens in, {len(near.ids)} out" in one for one in counts)
    _run(turn.code, [turn.text])
    _run(written.code, written.text)


def _run(code, texts):
    """Run plain code in a process of its own, where hub's client may reach the loopback."""
    assert run_alone(code, "texts", HF_HUB_OFFLINE=None, NO_PROXY="127.0.0.1") == texts


def _at_piece(number, act):
    """An ``on_text`` that does something at its so-manieth call."""
    left = iter(range(number, -1, -1))

    def on_text(_):
        if not next(left, 1):
            act()

    return on_text


def test_an_interrupt_frees_the_server_and_a_kill_keeps_the_text(serve, session, folder):
    """It serves one request at a time: the next turn is answered at once after an interrupt."""
    process, url = serve()
    hf.load(folder, name="far", endpoint=url, set={"timeout": 60})
    cut = hf.chat(
        LONG,
        max_new_tokens=4000,
        on_text=_at_piece(5, lambda: os.kill(os.getpid(), signal.SIGINT)),
    )
    assert any("interrupted after" in note for note in notes(cut))
    assert cut.text
    assert "Paris" in hf.chat(QUESTION, max_new_tokens=12, new=True).text

    def kill():
        process.kill()
        process.wait()

    killed = hf.generate("Once upon a time,", max_new_tokens=4000, on_text=_at_piece(5, kill))
    assert killed.text[0]
    assert any("what was written is kept" in note for note in notes(killed))
    with pytest.raises(hf.HFMagicsError, match=r"can't be reached: .*is the server running\?"):
        hf.generate(PROMPT)


def test_a_model_that_is_not_served_is_one_line(serve, session, folder):
    """The names that are there come with it."""
    _, url = serve()
    with pytest.raises(hf.HFMagicsError, match=r"has no model 'smol'.* it lists: ") as raised:
        hf.load("smol", endpoint=url)
    assert folder in str(raised.value)
