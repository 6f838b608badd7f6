"""What goes to a server and what does not: the token, hub's token, proxies, hub's offline mode."""

import os
import subprocess
import sys
import traceback

import pytest

import hf_magics as hf
from hf_magics.errors import EngineError, HFMagicsError
from tests.engines.conftest import notes
from tests.engines.remote.server import TEXT

CANARY = "canary-7d1f"


def test_the_token_is_sent_and_never_shown(shell, session, server, monkeypatch, capfd):
    """Not on a page, in an error, a traceback, the session or the code; a server may repeat it."""
    server.token = CANARY
    seen = [shell.error(f"%hf_load org/model -n far --endpoint {server.url}")]
    monkeypatch.setenv("HF_MAGICS_ENDPOINT_TOKEN", "wrong-7d1f")
    seen.append(shell.error(f"%hf_load org/model -n far --endpoint {server.url}"))
    assert "refuses the token of HF_MAGICS_ENDPOINT_TOKEN (401)" in seen[-1]
    monkeypatch.setenv("HF_MAGICS_ENDPOINT_TOKEN", f" {CANARY}\n")
    made = shell.run(f"%hf_load org/model -n far --endpoint {server.url}")
    written = shell.run("%hf_generate --max-new-tokens 3 Hi")
    turn = shell.run("%hf_chat --max-new-tokens 3 Hi")
    assert written.text == [TEXT]
    for result in (made, written, turn):
        seen += [repr(result), result._repr_html_(), result.code]
    loaded = session["far"]
    seen += [repr(loaded), repr(vars(loaded)), repr(vars(loaded.writer)), repr(session.log)]
    server.refuses = {"completions": (400, {"error": f"what is {CANARY}?"})}
    seen.append(shell.error("%hf_generate Hi"))
    assert "what is ***?" in seen[-1]
    with pytest.raises(HFMagicsError) as raised:
        hf.generate("Hi")
    chain = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    seen.append("".join(chain.format()))
    shell.run("%xmode Verbose")
    shell.error("%hf_generate Hi")
    seen += list(capfd.readouterr())
    assert not [one for one in seen if "7d1f" in one]
    assert server.signed[-1] == f"Bearer {CANARY}"


@pytest.mark.parametrize("token", ["a\nb", "café", "a\x00b"])
def test_what_is_no_token_is_one_line(session, server, monkeypatch, token):
    """The HTTP library would repeat it."""
    monkeypatch.setattr(os, "environ", {**os.environ, "HF_MAGICS_ENDPOINT_TOKEN": token})
    with pytest.raises(hf.HFMagicsError, match="holds characters that no token has") as raised:
        hf.load("org/model", endpoint=server.url)
    assert token not in "".join(traceback.format_exception(raised.value))
    assert not server.signed


def test_no_token_is_sent_where_none_is_set(session, server, monkeypatch):
    """Least of all that of the hub."""
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    hf.load("org/model", name="far", endpoint=server.url)
    hf.generate("Hi", max_new_tokens=3)
    hf.chat("Hi", max_new_tokens=3)
    assert set(server.signed) == {""}


LOOPBACK = """
import hf_magics as hf
hf.load("org/model", name="far", endpoint={url!r})
written, turn = hf.generate("Hi", max_new_tokens=3), hf.chat("Hi", max_new_tokens=3)
print(written.text[0], turn.text)
for result in (written, turn):
    names = {{}}
    exec(result.code, names)
    print(names["texts"])
"""


@pytest.mark.parametrize(
    "around",
    [
        {"HF_HUB_OFFLINE": "1"},
        {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"},
        {"http_proxy": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"},
        {"all_proxy": "socks5://127.0.0.1:9"},
    ],
)
def test_loopback_is_reached_offline_and_past_a_proxy(server, around):
    """By the plain code too. A process of its own: both are read when the libraries are imported."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOPBACK.format(url=server.url)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **around},
    )
    assert ran.stdout == f"{TEXT} {TEXT}\n{[TEXT]}\n{[TEXT]}\n", ran.stderr


def test_other_hosts_are_reached_by_the_proxy(session, server, monkeypatch):
    """The proxy that the environment names; one that can't be used is one line."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    hf.load("org/model", endpoint="http://far.invalid")
    assert hf.chat("Hi", max_new_tokens=3).text == TEXT
    session.remove("model").close()
    monkeypatch.setenv("HTTP_PROXY", "nonsense://user:canary@127.0.0.1:9")
    with pytest.raises(EngineError, match="the proxy that the environment names") as raised:
        hf.load("org/model", endpoint="http://far.invalid")
    assert "canary" not in str(raised.value)
    assert not session


def test_a_token_over_an_open_network_is_told_of(session, server, monkeypatch):
    """An address without encryption, behind a proxy that answers for it."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HF_MAGICS_ENDPOINT_TOKEN", CANARY)
    result = hf.load("org/model", endpoint="http://far.invalid")
    assert any("unencrypted: an address with https:// hides it" in one for one in notes(result))
    session.remove("model").close()
