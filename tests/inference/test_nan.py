"""Logits that are NaN: a label is made of them as of any number, so the page has to say it."""

import pytest
import torch

import hf_magics as hf

WORD = 7592  # "hello", whose embedding is NaN here
LINES = {
    "text-classification": ["Hello!", "Cool."],
    "token-classification": ["Hello!", "Cool."],
    "multiple-choice": ["Hello!\ta\tb", "Cool.\ta\tb"],
}


@pytest.fixture
def broken(session, minilm, request):
    model = hf.load(minilm, name="broken", task=request.param).model
    with torch.no_grad():
        model.base_model.embeddings.word_embeddings.weight[WORD] = float("nan")
    return request.param


@pytest.mark.parametrize("broken", LINES, indirect=True)
def test_the_page_says_in_how_many_rows_the_logits_are_nan(broken):
    """Of those that are numbers it says nothing."""
    result = hf.infer(LINES[broken])
    assert result.outputs.logits.isnan().flatten(1).any(dim=1).tolist() == [True, False]
    assert "NaN in the logits of 1 of 2 rows: no answer there" in repr(result)
    assert "NaN in the logits" not in repr(hf.infer(LINES[broken][1:]))


@pytest.mark.parametrize("broken", ["question-answering"], indirect=True)
def test_each_kind_of_logits_is_named(broken):
    """A span has two."""
    drawn = repr(hf.infer("Hello?\tCool."))
    assert "NaN in the start_logits of 1 of 1 row" in drawn
    assert "NaN in the end_logits of 1 of 1 row" in drawn


def test_what_counts_them_itself_says_it_once(session, minilm):
    """The tensors of features each have their own count."""
    model = hf.load(minilm, name="broken", task="text-classification").model
    with torch.no_grad():
        model.classifier.weight.fill_(float("nan"))
    assert repr(hf.infer("Hello!", task="features")).count("Warning: logits holds 2 NaN") == 1
