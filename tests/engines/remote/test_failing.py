"""A server that is down, slow, refuses or dies: one line each, and what was written is kept."""

import json
import os
import signal
import socket
import threading

import pytest

import hf_magics as hf
from hf_magics.errors import EngineError
from tests.engines.conftest import notes
from tests.engines.remote.server import TEXT
from tests.engines.remote.test_writing import choice, sent


def test_a_server_that_is_down_is_one_line(session):
    """Nothing is in the session then."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineError, match=r"can't be reached: .*is the server running\?"):
        hf.load("org/model", endpoint=f"http://127.0.0.1:{port}")
    assert not session


def test_a_server_that_went_down_is_one_line(served, server):
    """The conversation is as it was."""
    hf.chat("One", max_new_tokens=2)
    server.refuses = {"chat/completions": (503, b"<html>upstream\ndown</html>")}
    with pytest.raises(EngineError, match=r"answered 503$"):
        hf.chat("Two")
    assert len(hf.chat().messages) == 2


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"error": "no key"}, "wants a token: HF_MAGICS_ENDPOINT_TOKEN in the environment"),
        (404, {"error": {"message": "no model\nof that name"}}, "404: no model of that name"),
        (422, {"detail": [{"loc": ["prompt"], "msg": "too long"}]}, "422: "),
        (429, {"message": "slow down"}, "answered 429: slow down"),
        (500, b"\xff\xfe", "answered 500"),
        (500, json.dumps({"error": "x" * 9_000}).encode(), "answered 500: xxx"),
        (307, b"", "sends elsewhere (307)"),
    ],
)
def test_a_refusal_is_one_line(served, server, status, body, said):
    """With what the server says, cut where it is long."""
    server.refuses = {"completions": (status, body)}
    with pytest.raises(EngineError) as raised:
        hf.generate("Hi")
    message = str(raised.value)
    assert said in message
    assert "\n" not in message
    assert len(message) < 500
    server.refuses = {}
    assert hf.generate("Hi", max_new_tokens=3).text == [TEXT]


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_refusal_at_loading_is_one_line(session, server, status):
    """Whichever path it is of."""
    for path in ("models", "completions"):
        server.refuses = {path: (status, {"error": "no"})}
        with pytest.raises(EngineError, match=str(status)):
            hf.load("org/model", endpoint=server.url)
    assert not session


def test_a_server_that_writes_nothing_is_one_line(session, server):
    """As where the address is that of another service."""
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(EngineError, match=r"text/html.* not with a stream of events"):
        hf.load("org/model", endpoint=server.url)
    assert not session


@pytest.mark.parametrize("after", [1, 2])
def test_a_server_that_dies_leaves_what_was_written(served, server, after):
    """A text and a turn; the page says that it is not whole."""
    server.cut = after
    whole = [" Rome", " is", "."]
    result = hf.generate("Where?", max_new_tokens=3)
    assert result.text == ["".join(whole[:after])]
    assert "stopped: the server's answer broke off." in " ".join(repr(result).split())
    assert any("broke off" in note and "is kept" in note for note in notes(result))
    turn = hf.chat("Where?", max_new_tokens=3)
    assert turn.text == "".join(whole[:after])
    assert hf.chat().messages[-1]["content"] == turn.text
    server.cut = None
    assert hf.generate("Where?", max_new_tokens=3).text == [TEXT]


def test_a_server_that_dies_at_once_leaves_nothing(served, server):
    """There is no text to keep."""
    server.cut = 0
    with pytest.raises(EngineError, match="broke off"):
        hf.generate("Hi")
    with pytest.raises(EngineError, match="broke off"):
        hf.chat("Hi")
    assert not hf.chat().messages


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("data: {", "what is no JSON"),
        (b"data: \xff\xfe", "what is no JSON"),
        ("data: " + "[" * 100_000, "what is no JSON"),
        ("data: [1]", "no event of OpenAI's protocol"),
        ('data: {"choices": 5}', "no event of OpenAI's protocol"),
        ('data: {"choices": [5]}', "no event of OpenAI's protocol"),
        ('data: {"choices": [{"text": 5}]}', "no event of OpenAI's protocol"),
        ('data: {"choices": [{"text": "a", "logprobs": 5}]}', "no event"),
        ('data: {"choices": [{"logprobs": {"content": [{"token": "a"}]}}]}', "no event"),
        (
            'data: {"choices": [{"logprobs": {"tokens": ["a"], "token_logprobs": [1, 2]}}]}',
            "no event",
        ),
        (
            'data: {"choices": [{"logprobs": {"tokens": ["a"], "token_logprobs": ["b"]}}]}',
            "no event",
        ),
        ('data: {"choices": [], "usage": {"prompt_tokens": "x"}}', "no event"),
        ('data: {"error": {"message": "out of\\nmemory"}}', "gave up: out of memory"),
    ],
)
def test_what_is_malformed_ends_the_text(served, server, line, said):
    """What was written before is kept; alone it is an error."""
    server.lines = [*sent(choice("So far"), done=False), line, *sent(choice("never"))]
    result = hf.chat("Hi")
    assert result.text == "So far"
    (note,) = [one for one in notes(result) if said in one]
    assert note.endswith("what was written is kept")
    assert "\n" not in note
    server.lines = [line]
    with pytest.raises(EngineError, match=said):
        hf.generate("Hi")


def test_a_server_that_is_slow_is_one_line(session, server):
    """At loading, and in the middle of a text, of which the beginning is kept."""
    words = {"endpoint": server.url, "name": "far", "set": {"timeout": 0.3}}
    server.pause = 5.0
    with pytest.raises(EngineError, match=r"sent nothing for 300 ms: .* --set timeout=SECONDS"):
        hf.load("org/model", **words)
    assert not session
    server.pause = 0.0
    hf.load("org/model", **words)
    stuck = threading.Event()

    class Slow(list):
        def __getitem__(self, cut):
            yield sent(choice("So far"), done=False)[0]
            stuck.wait(5)

    server.lines = Slow()
    result = hf.chat("Hi")
    stuck.set()
    assert result.text == "So far"
    assert any("sent nothing for 300 ms" in note for note in notes(result))


@pytest.mark.parametrize("first", [True, False])
def test_an_interrupt_ends_the_request(served, server, first):
    """At once, while nothing comes; the server sees the client go, and the text is kept."""
    stuck, begun = threading.Event(), threading.Event()

    class Endless(list):
        def __getitem__(self, cut):
            if first:
                begun.set()
            else:
                yield sent(choice("So far"), done=False)[0]
            stuck.wait(20)
            while not server.left.is_set():
                yield ": still here"

    server.lines = Endless()

    def interrupt():
        begun.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = hf.chat("Hi", on_text=lambda _: begun.set())
    assert not stuck.is_set()  # it did not wait for the server
    stuck.set()
    assert server.left.wait(20)
    thread.join()
    assert result.text == ("" if first else "So far")
    assert any("interrupted" in note for note in notes(result))
    server.lines = None
    assert hf.chat("Hi", max_new_tokens=3).text == TEXT


def test_an_interrupt_at_loading_leaves_the_session(session, server):
    """A server that does not answer holds nobody."""
    server.pause = 20.0
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        hf.load("org/model", endpoint=server.url)
    timer.join()
    assert not session


def test_a_server_that_refuses_later_prompts_leaves_the_first(served, server):
    """The texts that it wrote are the result, and a note counts those that it did not."""
    events, asked = server.events, []

    def dying(body, *, chat):
        asked.append(body)
        if len(asked) > 1:
            server.refuses["completions"] = (503, {"message": "going down"})
        return events(body, chat=chat)

    server.events = dying
    result = hf.generate(["The capital", "A second", "A third", "A fourth"])
    assert [one for one in result.text if one] == [TEXT, TEXT]
    assert any("2 prompts of 4 had no answer" in note and "503" in note for note in notes(result))
