"""Models: the real MiniLM, loaded once, and tiny ones."""

from types import SimpleNamespace

import pytest
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

import hf_magics as hf
from tests.inference.plain import TINY


@pytest.fixture(scope="session")
def minilm_model(minilm):
    return AutoModel.from_pretrained(minilm)


@pytest.fixture
def bert(session, minilm, minilm_model):
    """The real MiniLM in the session as ``bert``, with a tokenizer of its own."""
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    hf.add(minilm_model, tokenizer, "bert")
    return SimpleNamespace(model=minilm_model, tokenizer=tokenizer, loaded=session["bert"])


@pytest.fixture
def tiny(session):
    """Puts a tiny model of a type into the session under the type's name, and returns its entry."""

    def make(model_type: str, **more):
        hf.new(model_type, name=model_type, seed=0, **{**TINY[model_type], **more})
        return session[model_type]

    return make


@pytest.fixture(scope="session")
def smol_model(smollm2):
    """The real SmolLM2 from its GGUF file, loaded once, in the dtype that hf.load gives it."""
    folder, _, file = smollm2.rpartition("/")
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype="float32")
    return model, AutoTokenizer.from_pretrained(folder, gguf_file=file)


@pytest.fixture
def smol(session, smol_model):
    """The real SmolLM2 in the session, nothing said yet."""
    hf.add(*smol_model, "smol")
    return session["smol"]
