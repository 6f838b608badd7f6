"""A tiny model with a real tokenizer, and rows of many lengths."""

import pytest

import hf_magics as hf
from hf_magics.inference.tasks.classify import Classify
from hf_magics.inference.tasks.embed import Embed
from tests.inference.mapping.rows import TINY


@pytest.fixture
def small(session, minilm):
    """A tiny BERT named ``small``, with all-MiniLM's tokenizer."""
    hf.new("bert", name="small", seed=0, tokenizer=minilm, **TINY)
    return session["small"]


@pytest.fixture
def sorter(session, minilm):
    """A tiny classifier named ``sorter``: three labels."""
    names = {"0": "bad", "1": "good", "2": "so so"}
    hf.new(
        *("bert",),
        name="sorter",
        task="text-classification",
        num_labels=3,
        seed=0,
        tokenizer=minilm,
        id2label=names,
        **TINY,
    )
    return session["sorter"]


@pytest.fixture
def short_windows(monkeypatch):
    """Windows of 16 rows, so that there are several."""
    for task in (Embed, Classify):
        monkeypatch.setattr(task, "window", 16)
