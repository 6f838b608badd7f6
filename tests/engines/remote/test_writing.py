"""Writing with a server: text, probabilities and counts are those that it sent."""

import json

import pytest

import hf_magics as hf
from hf_magics.errors import EngineError, InputError
from tests.engines.conftest import notes
from tests.engines.remote.server import TEXT
from tests.home import run_alone


def line_of(result) -> str:
    """A page as one line: it breaks where a terminal does."""
    return " ".join(repr(result).split())


def test_a_text_has_the_probabilities_that_came(served, server):
    """On the page, in the records, with the likeliest in the place of each token."""
    pieces = []
    result = hf.generate("Where?", max_new_tokens=3, on_text=pieces.append)
    assert result.text == [TEXT]
    assert pieces == [" Rome", " is", "."]
    rows = result.records()
    assert [row["token"] for row in rows] == pieces
    assert [row["prob"] for row in rows] == pytest.approx([0.75, 0.125, 0.0625])
    assert [row["rank"] for row in rows] == [1, 2, 0]  # of the last in the list nobody knows
    assert rows[1]["top"] == pytest.approx({" was": 0.75, " is": 0.125, " has": 0.0625})
    assert result.ids == [[]]  # the server tells none
    page = line_of(result)
    for word in ("␣Rome", "0.7500", "␣Paris 0.1250", "7 tokens in, 3 out", "limit of 3 tokens"):
        assert word in page
    assert "as the server tells them" in page
    assert not notes(result)


def test_a_turn_has_them_too(served, server):
    """By the other path of the protocol; the conversation goes along, and its cache is told of."""
    first = hf.chat("Where?", max_new_tokens=2, system="Be short.")
    assert [row["prob"] for row in first.records()] == pytest.approx([0.75, 0.125])
    assert "Prompt 7 tokens, 4 of them from the cache, 3 read." in line_of(first)
    hf.chat("And then?", max_new_tokens=2)
    path, body = server.asked[-1]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "And then?"},
    ]
    assert "2 turns" in line_of(hf.chat())


def test_what_is_asked_is_what_the_line_says(served, server):
    """The likeliest tokens unless the line draws; each text has a seed of its own."""
    hf.generate("Where?", max_new_tokens=3)
    plain = server.asked[-1][1]
    assert plain == {
        "model": "org/model",
        "prompt": "Where?",
        "max_tokens": 3,
        "temperature": 0.0,
        "stream": True,
        "logprobs": 5,
        "stream_options": {"include_usage": True},
    }
    result = hf.generate(
        "Where?",
        max_new_tokens=3,
        temperature=0.8,
        top_p=0.9,
        seed=4,
        sequences=2,
        stop=["!"],
        set={"presence_penalty": 0.5},
    )
    first, second = (body for _, body in server.asked[-2:])
    assert (first["seed"], second["seed"]) == (4, 5)
    wanted = {"temperature": 0.8, "top_p": 0.9, "stop": ["!"], "presence_penalty": 0.5}
    assert wanted.items() <= first.items()
    page = line_of(result)
    assert "The server was asked to draw: temperature 0.8, top_p 0.9; --seed 4 asks" in page
    assert any("before temperature and penalties or after" in note for note in notes(result))


def test_token_ids_go_as_they_are(served, server):
    """They are those of the server's own tokenizer."""
    hf.generate([[1, 2, 3]], max_new_tokens=1)
    assert server.asked[-1][1]["prompt"] == [1, 2, 3]


def test_a_server_that_counts_nothing_may_give_probabilities(session, server):
    """One that refuses to be asked for its count is asked for them alone."""
    server.fields, server.usage = ("stream_options",), False
    page = hf.load("org/model", name="far", endpoint=server.url)
    assert "none: the server gives none" not in line_of(page)
    result = hf.generate("Where?", max_new_tokens=3)
    assert "the server gives no token probabilities" not in notes(result)


def test_without_probabilities_the_page_says_so(session, server):
    """And counts by what the server counted."""
    server.chances = False
    page = hf.load("org/model", name="far", endpoint=server.url)
    assert "none: the server gives none" in line_of(page)
    result = hf.generate("Where?", max_new_tokens=3)
    assert notes(result) == ["the server gives no token probabilities"]
    assert "3 out" in line_of(result)
    server.usage = False
    counted = hf.generate("Where?", max_new_tokens=3)
    assert any("what is counted are pieces of text" in note for note in notes(counted))
    assert "? tokens in" in line_of(counted)


@pytest.mark.parametrize("fields", [("logprobs",), ("logprobs", "stream_options")])
def test_fields_that_a_server_refuses_are_left_out(session, server, fields):
    """Nothing but the probabilities and the count is missing then."""
    server.fields = fields
    hf.load("org/model", name="far", endpoint=server.url)
    result = hf.generate("Where?", max_new_tokens=3)
    assert result.text == [TEXT]
    assert not set(fields) & set(server.asked[-1][1])
    assert "the server gives no token probabilities" in notes(result)


@pytest.mark.parametrize(
    ("finish", "stop", "said"),
    [
        ("stop", None, "end token"),
        ("stop", ["."], "stop string '.'"),
        ("stop", ["\n"], "end token or stop string"),
        ("content_filter", None, "content filter"),
        ("length", ["\n"], "limit of 3 tokens"),
    ],
)
def test_why_a_text_ended(served, server, finish, stop, said):
    """As far as the server tells."""
    server.finish = finish
    result = hf.generate("Where?", max_new_tokens=3, stop=stop or ())
    assert f"stopped: {said}." in line_of(result)
    never = [note for note in notes(result) if "never came" in note]
    assert bool(never) == (finish == "length")


def sent(*events, done=True):
    """The lines of a stream."""
    lines = [f"data: {json.dumps(one, ensure_ascii=False)}" for one in events]
    return [*lines, *(["data: [DONE]"] if done else [])]


def choice(text="", logs=None, **more):
    return {"choices": [{"index": 0, "delta": {"content": text}, "logprobs": logs, **more}]}


def token(text, logprob=-0.5, top=(), raw=None):
    return {"token": text, "logprob": logprob, "top_logprobs": list(top), "bytes": raw}


def test_several_tokens_in_one_event(served, server):
    """Each has its part of the text; what is part of a character is named by its bytes."""
    smile = list("🙂".encode())
    server.lines = [
        ": a comment that keeps the connection open",
        *sent(
            choice("", None, delta={"role": "assistant"}),
            choice("Hi you", {"content": [token("Hi"), token(" you")]}),
            choice("", {"content": [token("\ufffd", raw=smile[:2])]}),
            choice("🙂", {"content": [token("\ufffd", raw=smile[2:])]}),
            choice(finish_reason="stop"),
        ),
    ]
    result = hf.chat("Hi")
    assert result.text == "Hi you🙂"
    rows = result.records()
    assert [row["text"] for row in rows] == ["Hi", " you", "", "🙂"]
    assert [row["token"] for row in rows] == ["Hi", " you", "<0xF0><0x9F>", "<0x99><0x82>"]


def test_every_character_comes_through(served, server):
    """Also those that end a line elsewhere."""
    text = "a\u2028b\x85c\x0bd\r\ne"
    server.lines = sent(choice(text), choice(finish_reason="stop"))
    assert hf.chat("Hi").text == text


def test_an_empty_reply_is_one(served, server):
    """The end token may come first."""
    server.lines = sent(choice(finish_reason="stop"))
    result = hf.generate("Hi")
    assert result.text == [""]
    assert "(nothing was written)" in line_of(result)


def test_reasoning_is_told_of(served, server):
    """It is no part of the text."""
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hmm."}}]}
    server.lines = sent(thought, choice("Yes", finish_reason="stop"))
    result = hf.chat("Hi")
    assert result.text == "Yes"
    assert any("4 characters of reasoning" in note for note in notes(result))


def test_half_a_character_is_refused(served, server):
    """A lone surrogate can't be sent."""
    with pytest.raises(InputError, match="half of a surrogate pair"):
        hf.generate("a\ud800")
    with pytest.raises(InputError, match="half of a surrogate pair"):
        hf.chat("a\ud800")
    assert not server.asked


def test_a_server_without_completions_keeps_conversations(session, server):
    """Its page says so, and %%hf_generate which magic does."""
    server.refuses["completions"] = (404, {"error": "no such path"})
    page = hf.load("org/model", name="far", endpoint=server.url)
    assert "answered 404: no such path" in line_of(page)
    with pytest.raises(EngineError, match=r"far can't write on .* %%hf_chat asks it"):
        hf.generate("Hi")
    assert hf.chat("Hi", max_new_tokens=3).text == TEXT


def test_a_server_without_chat_writes_on(session, server):
    """As one has whose model has no chat template."""
    server.refuses["chat/completions"] = (400, {"message": "no chat template"})
    hf.load("org/model", name="far", endpoint=server.url)
    with pytest.raises(hf.HFMagicsError, match=r"no chat template: %%hf_generate writes on"):
        hf.chat("Hi")
    assert hf.generate("Hi", max_new_tokens=3).text == [TEXT]


@pytest.mark.parametrize("token_set", [False, True])
def test_the_code_runs_and_gives_the_same(served, server, monkeypatch, token_set):
    """With the token of the environment, and without hub's own where there is none."""
    monkeypatch.setenv("HF_TOKEN", "hf_hub_canary")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    if token_set:
        monkeypatch.setenv("HF_MAGICS_ENDPOINT_TOKEN", "canary")
    written = hf.generate(["Hi", 'a "b"'], max_new_tokens=3, stop=["\n"])
    drawn = hf.generate("Hi", max_new_tokens=3, temperature=0.5, sequences=2)
    turn = hf.chat("Hi", max_new_tokens=3)
    seeds = [body["seed"] for _, body in server.asked if "seed" in body]
    server.signed.clear()
    server.asked.clear()
    for result, texts in ((written, written.text), (drawn, drawn.text), (turn, [turn.text])):
        assert "canary" not in result.code
        assert_writes(result.code, texts)
    assert set(server.signed) == {"Bearer canary" if token_set else "Bearer none"}
    assert [body["seed"] for _, body in server.asked if "seed" in body] == seeds


def test_a_server_that_names_another_limit_is_asked_by_that(session, server, monkeypatch):
    """Once in each way it refuses; from then on it is asked at once, and the code asks so too."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    server.renamed = True
    hf.load("org/model", name="far", endpoint=server.url)
    assert [limits_of(body) for _, body in server.asked] == [
        ["max_tokens"],
        ["max_completion_tokens"],
    ] * 2
    server.asked.clear()
    written, turn = hf.generate("Hi", max_new_tokens=3), hf.chat("Hi", max_new_tokens=3)
    for result, texts in ((written, written.text), (turn, [turn.text])):
        assert texts == [TEXT]
        assert_writes(result.code, texts)
    bodies = [body for _, body in server.asked]
    assert [limits_of(body) for body in bodies] == [["max_completion_tokens"]] * 4
    assert {body["max_completion_tokens"] for body in bodies} == {3}


def test_a_limit_that_is_renamed_later_is_told_once(served, server):
    """Another model may stand behind the address by then; what else is refused is one line."""
    server.renamed = True
    assert hf.generate("Hi", max_new_tokens=3).text == hf.generate("Hi", max_new_tokens=3).text
    assert len(server.asked) == 3
    server.refuses = {"completions": (400, {"error": "max_completion_tokens: too many"})}
    with pytest.raises(EngineError, match="400: max_completion_tokens: too many"):
        hf.generate("Hi")
    assert len(server.asked) == 4


def assert_writes(code, texts):
    """Run a result's code in a process of its own, where a warning is an error."""
    assert run_alone(code, "texts", PYTHONWARNINGS="error") == texts


def limits_of(body) -> list[str]:
    """The names by which a request says how many tokens it wants."""
    return [name for name in body if name.startswith("max_")]
