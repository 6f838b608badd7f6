"""A real masked model, AntiBERTy, through everything that looks inside."""

import math

import pytest
import torch
from torchinfo import summary

import hf_magics as hf

TEXT = "E V Q L V E S G G G L V Q P G G S L R L S [MASK] A A S G"


@pytest.fixture
def antibody(session, antiberty):
    """The model, with its tokenizer made from the vocabulary."""
    folder, vocabulary = antiberty / "AntiBERTy_md_smooth", antiberty / "vocab.txt"
    hf.load(str(folder), class_="BertForMaskedLM", tokenizer=str(vocabulary), name="antibody")
    return session["antibody"]


def test_its_layers_are_those_that_torchinfo_counts(antibody):
    """And nothing in it is random, NaN or all zero."""
    rows = hf.layers("antibody").rows
    assert rows[0].parameters == sum(one.numel() for one in antibody.model.parameters())
    encoder = next(row for row in rows if row.path == "bert.encoder")
    assert encoder.parameters == summary(antibody.model.bert.encoder, verbose=0).total_params
    assert [row.path for row in rows if row.verdict] == []


def test_its_attention_is_eager_attention(antibody):
    """Bit by bit."""
    result = hf.attention(TEXT)
    model = antibody.model
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        outputs = model(**antibody.tokenizer(TEXT, return_tensors="pt"), output_attentions=True)
    assert torch.equal(result.attention, torch.stack([one[0] for one in outputs.attentions]))


def test_its_lens_ends_in_its_answer(antibody):
    """A cysteine, as in any antibody; the logits are the model's own."""
    result = hf.lens(TEXT, target="C")
    with torch.inference_mode():
        logits = antibody.model(**antibody.tokenizer(TEXT, return_tensors="pt")).logits[0]
    first = result.df["position"].min()
    shown = logits[first : first + result.logits.shape[1]]
    assert torch.allclose(result.logits[-1], shown, atol=1e-4)
    assert result.ranks[-1] == 1
    assert result.chances[-1] > 0.9


def test_its_scores_are_those_of_a_mask_in_each_place(antibody):
    """By hand, one token at a time."""
    text = TEXT.replace("[MASK] ", "")
    ids = antibody.tokenizer(text, return_tensors="pt")["input_ids"]
    found = []
    for at in range(1, ids.shape[1] - 1):
        masked = ids.clone()
        masked[0, at] = antibody.tokenizer.mask_token_id
        with torch.inference_mode():
            logits = antibody.model(input_ids=masked).logits[0, at]
        found.append(float(logits.log_softmax(-1)[ids[0, at]]))
    result = hf.score(text)
    assert result.df["log_prob"].dropna().tolist() == pytest.approx(found, abs=1e-4)
    assert result.perplexity[0] == pytest.approx(math.exp(-sum(found) / len(found)), rel=1e-4)
