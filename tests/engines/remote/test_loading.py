"""A served model in the session: its page, its address, and what it can't do, in one line."""

import pytest

import hf_magics as hf
from hf_magics.engines.remote.address import read_address
from hf_magics.errors import OptionError
from tests.engines.conftest import notes, rows

LOAD = "%hf_load org/model -n far --endpoint {}"


def test_the_page_says_what_there_is(shell, session, server):
    """What the server can do; the same line again gives the same model, and asks nobody."""
    result = shell.run(LOAD.format(server.url))
    page = rows(result)
    assert page["model"] == "org/model"
    assert page["token probabilities"] == "yes, with the 5 likeliest tokens"
    assert page["context"] == "4,096 tokens"
    assert page["from"] == f"server {server.url}/v1"
    assert page["token"].startswith("none")
    assert "parameters" not in page or not page["parameters"]
    assert not notes(result)
    server.asked.clear()
    server.signed.clear()
    again = shell.run(LOAD.format(f"{server.url}/v1/"))
    assert any("already loaded" in note for note in notes(again))
    assert list(session) == ["far"]
    assert not server.signed
    assert "served model" in repr(shell.run("%hf_models"))
    assert hf.models().records()[0]["kind"] == "endpoint"
    assert "hf_magics" not in again.code
    shell.run("%hf_drop far")
    assert not session


def test_without_a_name_it_is_the_same_model_too(session, server):
    """Its name is the last part of what the server calls it."""
    hf.load("org/model", endpoint=server.url)
    hf.load("org/model", endpoint=server.url)
    assert list(session) == ["model"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_save far out", "far is served by http://127.0.0.1:"),
        ("%hf_infer Hello!", "which has no torch weights: %hf_load SOURCE without --endpoint"),
        ("%hf_tokens Hello!", "which has no tokenizer of transformers"),
        ("%hf_config far", "which has no torch weights"),
        ("%hf_use far --dtype float16", "which has no torch weights"),
        ("%hf_generate --beams 2 Hello!", "OpenAI's protocol has no beams: leave out --beams"),
        ("%hf_generate --top-k 5 Hello!", "OpenAI's protocol has no top_k: leave out --top-k"),
        ("%hf_generate --set min_p=0.5 Hello!", "OpenAI's protocol takes no --set min_p"),
        ("%hf_generate --sequences 2 Hello!", "--sequences 2: the likeliest text is one"),
        ("%hf_chat --show-prompt Hello!", "--show-prompt can't show it"),
        ("%hf_load org/model --endpoint $url --dtype float16", "--dtype means nothing to a server"),
        ("%hf_load org/model --endpoint $url --device cpu", "--device means nothing"),
        ("%hf_load org/model --endpoint $url --tokenizer x", "--tokenizer means nothing"),
        ("%hf_load org/model --endpoint $url --engine torch", "--engine means nothing"),
        ("%hf_load org/model --endpoint $url --quantize int8", "--quantize means nothing"),
        ("%hf_load org/model --endpoint $url --offline", "--offline means nothing"),
        ("%hf_load org/model --endpoint $url num_labels=3", "takes the model as it is"),
        ("%hf_load org/model --endpoint $url --set timeuot=3", "did you mean 'timeout'?"),
        ("%hf_load org/model --endpoint $url --set timeout=0", "a number of seconds is needed"),
        ("%hf_load org/model --endpoint $url --set timeout=true", "a number of seconds"),
        ("%hf_load org/mode --endpoint $url", "no model 'org/mode'; did you mean 'org/model'?"),
        ("%hf_load else -n far --endpoint $url", "'far' is loaded already"),
        ("%hf_load org/model --endpoint ftp://a/v1", "begins with http:// or https://"),
        ("%hf_load org/model --endpoint localhost:8000", "--endpoint http://localhost:8000"),
    ],
)
def test_what_can_not_be_done_is_one_line(shell, session, server, line, said):
    """And the session is as it was."""
    shell.run(LOAD.format(server.url))
    shell.names["url"] = server.url
    log = list(session.log)
    assert said in shell.error(line)
    assert list(session) == ["far"]
    assert session.log == log


def test_what_a_server_does_not_list_is_taken_at_its_word(session, server):
    """Where it has no list at all; a note says so."""
    server.models = None
    result = hf.load("anything", endpoint=server.url)
    assert any("lists no models: 'anything' was taken at its word" in one for one in notes(result))
    assert list(session) == ["anything"]


@pytest.mark.parametrize(
    "answer", [b"<html>Welcome</html>", b"", b"\xff", b"[" * 100_000, b"[5]", b'{"data": 5}']
)
def test_a_list_that_can_not_be_read_is_as_none(session, server, answer):
    """A server that answers its path with a page of its own, for example, is served from as well."""
    server.refuses = {"models": (200, answer)}
    result = hf.load("anything", endpoint=server.url)
    assert any("lists no models: 'anything' was taken at its word" in one for one in notes(result))
    assert hf.generate("Hi", max_new_tokens=3).text


@pytest.mark.parametrize(
    "given",
    [
        "http://localhost:8000",
        "http://localhost:8000/",
        " http://localhost:8000/v1",
        "HTTP://localhost:8000/v1/",
        "http://localhost:8000/v1/chat/completions",
        "http://localhost:8000/v1/completions",
    ],
)
def test_an_address_is_read_however_much_is_given(given):
    """All of these are one server."""
    assert read_address(given).url == "http://localhost:8000/v1"


@pytest.mark.parametrize(
    ("given", "loopback", "private"),
    [
        ("http://127.0.0.2:1", True, True),
        ("http://[::1]:8000", True, True),
        ("http://a.localhost", True, True),
        ("http://127.example.org", False, False),
        ("https://example.org/llm", False, True),
        ("http://10.0.0.1", False, False),
    ],
)
def test_where_an_address_leads(given, loopback, private):
    """No proxy leads to this machine, and only an encrypted address hides a token."""
    address = read_address(given)
    assert (address.loopback, address.private) == (loopback, private)
    assert address.url.endswith("/v1")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "http://",
        "http://:8000",
        "http://[::1",
        "http://host:port",
        "http://host:99999",
        "http://ho st/v1",
        "http://host\n/v1",
        "user:canary@host:8000",
        "ftp://user:canary@host/v1",
        "http://user:can/ary@host/v1",
        "http://host/v1?key=canary",
        "http://host/v1#canary",
        "http://user:canary@host:port/v1",
    ],
)
def test_what_is_no_address_is_one_line(given):
    """Which repeats no password."""
    with pytest.raises(OptionError) as raised:
        read_address(given)
    message = str(raised.value)
    assert message.startswith("--endpoint")
    assert "canary" not in message
    assert "\n" not in message


def test_a_user_in_the_address_is_left_out(session, server, shell):
    """Nothing has the password: not the page, the log or the code; and the page says so."""
    secret = server.url.replace("//", "//user:canary@")
    result = hf.load("org/model", name="far", endpoint=secret)
    assert any("user and password of the address were left out" in one for one in notes(result))
    loaded = session["far"]
    for said in (repr(result), result._repr_html_(), repr(session.log), result.code):
        assert "canary" not in said
        assert "user:" not in said
    assert "canary" not in repr((loaded.spec, loaded.asked, loaded.origin))
    assert any(
        "already loaded" in note
        for note in notes(hf.load("org/model", name="far", endpoint=secret))
    )
    assert "canary" not in shell.error("%hf_save out")
