"""The next token: what a causal language model expects after each text."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import hf_magics as hf
from tests.inference.tasks.training import train, word_tokenizer

WORDS = ("one", "two", "three", "four", "five", "six")


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A GPT-2 that counts, and its tokenizer."""
    tokenizer = word_tokenizer(tmp_path_factory.mktemp("words"), WORDS)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=1,
        n_head=2,
        n_positions=16,
        initializer_range=0.2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    ids = torch.tensor([tokenizer(" ".join(WORDS), add_special_tokens=False)["input_ids"]])
    torch.manual_seed(0)
    return train(GPT2LMHeadModel(config), {"input_ids": ids, "labels": ids}, steps=40), tokenizer


@pytest.fixture
def model(session, counter):
    hf.add(*counter, "counter")
    return counter[0]


def bare(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_the_next_word_is_the_one_that_was_learnt(model, counter):
    """Lines of different lengths are read at their own last token, not at the padding."""
    ids = [bare(counter[1], text) for text in ("one two three", "one two three four five", "one")]
    result = hf.infer(ids)
    assert result.task == "text-generation"
    assert result.values == ("four", "six", "two")


def test_the_probabilities_are_the_softmax_of_the_last_logits(model, counter):
    """Each row is the softmax of the model's own logits, to the last bit."""
    ids = bare(counter[1], "one two")
    rows = hf.infer([ids], top_k=3).records()
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0, -1].softmax(dim=-1)
    assert [row["rank"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["prob"] == pytest.approx(expected[row["id"]].item(), abs=1e-6)
    assert rows[0]["prob"] == pytest.approx(expected.max().item(), abs=1e-6)


def test_the_page_says_how_to_go_on(model, counter):
    """It is one step, and the page names the magic that writes."""
    assert "%%hf_generate writes on" in repr(hf.infer([bare(counter[1], "one")]))


def test_the_code_gives_the_same(model, counter):
    """The tokens of the plain code are those of the result."""
    result = hf.infer(["one two", "one two three"])
    lines = result.code.split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("texts ="))
    space = {"model": model, "tokenizer": counter[1], "torch": torch}
    exec("\n".join(lines[start:]), space)
    assert space["tokens"] == list(result.values)
