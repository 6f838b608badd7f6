"""Tiny models, made once: checkpoints that see and hear, and models that write."""

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration

import hf_magics as hf
from tests.inference.tasks import hearing, seeing
from tests.inference.tasks.languages import TINY, trained_t5


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """Makes a tiny checkpoint once, and returns its folder."""
    made = {}

    def folder(name: str) -> str:
        if name not in made:
            make = getattr(seeing, name, None) or getattr(hearing, name)
            made[name] = make(tmp_path_factory.mktemp("tiny") / name)
        return made[name]

    return folder


@pytest.fixture
def load_tiny(session, tiny_folder):
    """Loads a tiny checkpoint under its own name, and returns its folder."""

    def load(name: str) -> str:
        hf.load(tiny_folder(name), name=name)
        return tiny_folder(name)

    return load


@pytest.fixture(scope="session")
def t5_model():
    """A T5 that translates counting words, and its tokenizer."""
    return trained_t5()


@pytest.fixture
def t5(session, t5_model):
    """A T5 that knows its tasks, in the session as ``t5``."""
    hf.add(*t5_model, "t5")
    return session["t5"]


@pytest.fixture
def bart(session):
    """A BART with random weights and without a tokenizer."""
    torch.manual_seed(0)
    config = BartConfig(**TINY, vocab_size=60)
    hf.add(BartForConditionalGeneration(config).eval(), None, "bart")
    return session["bart"]
