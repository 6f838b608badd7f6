"""A server whose answers are known, and its model in the session."""

import pytest

import hf_magics as hf
from tests.engines.remote import server as fake


@pytest.fixture(autouse=True)
def _no_token(monkeypatch):
    monkeypatch.delenv("HF_MAGICS_ENDPOINT_TOKEN", raising=False)


@pytest.fixture
def server():
    """A server of OpenAI's protocol; a test sets what it answers."""
    running, says = fake.start()
    yield says
    running.shutdown()
    running.server_close()


@pytest.fixture
def served(session, server):
    """Its model in the session, what the loading asked forgotten."""
    hf.load("org/model", name="far", endpoint=server.url)
    server.asked.clear()
    server.signed.clear()
    yield session["far"]
    for name in list(session):
        session.remove(name).close()
