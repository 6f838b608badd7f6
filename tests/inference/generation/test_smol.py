"""The real SmolLM2: it answers, streams and is what transformers alone writes."""

import pytest
import torch

import hf_magics as hf

pytestmark = pytest.mark.slow

QUESTION = "What is the capital of France?"


def test_the_real_model_answers_a_question(smol):
    """Through its chat template, greedy: Paris, with its probability, and the same from plain code."""
    prompt = smol.tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}], tokenize=False, add_generation_prompt=True
    )
    pieces = []
    result = hf.generate(prompt, max_new_tokens=20, on_text=pieces.append)
    assert "Paris" in result.text[0]
    assert "".join(pieces) == result.text[0]
    paris = next(row for row in result.records() if "Paris" in row["token"])
    assert paris["prob"] > 0.5
    batch = smol.tokenizer(prompt, return_tensors="pt")
    plain = smol.model.generate(**batch, max_new_tokens=20, do_sample=False, pad_token_id=2)
    assert torch.equal(result.outputs, plain)


def test_tokens_read_as_text_on_the_page(smol):
    """A byte-level vocabulary's own letters are for the data: the page has the text of each."""
    result = hf.generate("The capital of Italy is", max_new_tokens=2)
    assert result.records()[0]["token"] == "ĠRome"
    assert "␣Rome" in repr(result)
    assert "Ġ" not in repr(result)
