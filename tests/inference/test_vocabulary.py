"""Tokens as the vocabulary has them, and those that it does not have."""

import pytest
from transformers import AutoTokenizer

import hf_magics as hf
from hf_magics.inference.vocabulary import vocabulary_words


def test_an_id_without_a_word_is_its_number(minilm):
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    assert vocabulary_words(tokenizer, [7592, 30_600]) == ["hello", "<30600>"]


@pytest.mark.parametrize("verb", ["lens", "score", "infer"])
def test_a_head_with_more_rows_than_words_names_no_token_none(session, minilm, verb):
    """As a model has whose embedding is padded to a round number."""
    sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 300_000}
    hf.new("gpt2", name="wide", task="text-generation", tokenizer=minilm, seed=0, **sizes)
    said = repr(getattr(hf, verb)("hello big world", model="wide"))
    assert "<" in said
    assert "None" not in said
