"""Writers: a tiny decoder that knows three lines by heart, encoder-decoders, the real SmolLM2."""

from types import SimpleNamespace

import pytest
from transformers import GPT2Config, GPT2LMHeadModel

import hf_magics as hf
from tests.inference.plain import END, byte_level
from tests.inference.tasks.training import train

LINES = (
    "france: paris 🙂 it is",
    "one two three four five six",
    "a b a b a c",
)


@pytest.fixture(scope="session")
def learned():
    """A GPT-2 that was trained on `LINES` until it knows them, with a byte-level tokenizer."""
    tokenizer = byte_level()
    end = tokenizer.convert_tokens_to_ids(END)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=64,
        n_layer=2,
        n_head=2,
        eos_token_id=end,
        bos_token_id=end,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    tokenizer.pad_token = END
    batch = tokenizer([line + END for line in LINES], padding=True, return_tensors="pt")
    labels = batch["input_ids"].clone()
    # the pad token is the end token: its first one is learned, the others are not
    labels[batch["attention_mask"] == 0] = -100
    model = GPT2LMHeadModel(config)
    return train(model, {**batch, "labels": labels}, steps=120, rate=3e-3)


@pytest.fixture
def writer(session, learned):
    """The trained GPT-2 in the session, its tokenizer without a pad token."""
    hf.add(learned, byte_level(), "writer")
    loaded = session["writer"]
    return SimpleNamespace(model=learned, tokenizer=loaded.tokenizer, loaded=loaded)
