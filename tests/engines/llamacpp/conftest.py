"""llama.cpp itself, called plainly: what our pages are compared with."""

import os

import pytest

import hf_magics as hf

PROMPT = "The capital of Italy is"


@pytest.fixture(scope="session")
def llama_cpp():
    """llama-cpp-python; where it need not be there, the tests that need it are skipped."""
    if os.environ.get("HF_MAGICS_REQUIRE_ENGINES"):
        import llama_cpp
    else:
        llama_cpp = pytest.importorskip(
            "llama_cpp", reason="pip install 'hf-magics[llamacpp]' brings llama.cpp"
        )
    return llama_cpp


@pytest.fixture(scope="session")
def plain(llama_cpp, smollm2):
    """A ``Llama`` of one's own."""
    llama = llama_cpp.Llama(
        smollm2, n_ctx=1024, n_threads=2, verbose=False, chat_format="chat_template.default"
    )
    yield llama
    llama.close()


@pytest.fixture
def smol(llama_cpp, session, smollm2):
    """SmolLM2 in the session, by llama.cpp."""
    hf.load(smollm2, name="smol", engine="llamacpp", set={"n_ctx": 1024, "n_threads": 2})
    yield session["smol"]
    for name in list(session):
        session.remove(name).close()


def plain_text(plain, prompt, **words) -> str:
    """What llama-cpp-python writes on from a prompt, greedy unless told."""
    words = {"temperature": 0.0, "max_tokens": 12, **words}
    plain.reset()
    return plain.create_completion(prompt, **words)["choices"][0]["text"]
