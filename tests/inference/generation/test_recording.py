"""What is kept of each token: probabilities against those of transformers and of a forward pass."""

import math

import pytest
import torch

import hf_magics as hf
from tests.inference.plain import END, notes


def forward_probabilities(writer, text, ids):
    """The distribution before each new token, by one pass over the whole text."""
    prompt = writer.tokenizer(text)["input_ids"]
    with torch.inference_mode():
        logits = writer.model(torch.tensor([[*prompt, *ids]])).logits[0]
    return logits.float().softmax(dim=-1)[len(prompt) - 1 : -1]


def test_greedy_probabilities_are_those_of_a_forward_pass(writer):
    """Probability, rank and the five likeliest, raw: nothing changes the scores."""
    result = hf.generate("one t")
    wanted = forward_probabilities(writer, "one t", result.ids[0])
    for row, given in zip(result.records(), wanted, strict=True):
        assert row["prob"] == pytest.approx(given[row["id"]].item(), abs=1e-5)
        assert (row["prob"], row["rank"]) == (row["raw_prob"], row["raw_rank"])
        assert row["rank"] == 1
        best = given.topk(5)
        named = writer.tokenizer.convert_ids_to_tokens(best.indices.tolist())
        assert list(row["top"]) == named
        assert list(row["top"].values()) == pytest.approx(best.values.tolist(), abs=1e-5)
        assert row["top"] == row["raw_top"]


def test_before_and_after_the_processors_are_told_apart(writer):
    """After: the scores that generate draws from. Raw: the model's own, before penalties too."""
    words = {"temperature": 2.0, "top_k": 4, "seed": 2, "max_new_tokens": 12}
    result = hf.generate("one t", set={"repetition_penalty": 1.5}, **words)
    batch = writer.tokenizer("one t", return_tensors="pt")
    torch.manual_seed(2)
    plain = writer.model.generate(
        **batch,
        max_new_tokens=12,
        temperature=2.0,
        top_k=4,
        repetition_penalty=1.5,
        do_sample=True,
        pad_token_id=0,
        output_scores=True,
        output_logits=True,
        return_dict_in_generate=True,
    )
    assert torch.equal(plain.sequences, result.outputs)
    rows = result.records()
    for row, scores, logits in zip(rows, plain.scores, plain.logits, strict=True):
        after, raw = scores[0].softmax(-1), logits[0].softmax(-1)
        assert row["prob"] == pytest.approx(after[row["id"]].item(), abs=1e-5)
        assert row["raw_prob"] == pytest.approx(raw[row["id"]].item(), abs=1e-5)
        assert row["rank"] == int((scores[0] > scores[0][row["id"]]).sum()) + 1
        assert row["raw_rank"] == int((raw > raw[row["id"]]).sum()) + 1
        assert len(row["top"]) <= 4  # what top-k rules out is no alternative
        assert sum(row["top"].values()) == pytest.approx(1, abs=1e-5)
        assert len(row["raw_top"]) == 5
    assert any(row["prob"] != row["raw_prob"] for row in rows)


def test_a_batch_has_the_probabilities_of_each_line_alone(writer):
    """Left padding changes neither the tokens nor, to 1e-5, their probabilities."""
    texts = ["a b", "france: pa", "one two three"]
    together = hf.generate(texts).records()
    alone = [row for text in texts for row in hf.generate(text).records()]
    assert [row["id"] for row in together] == [row["id"] for row in alone]
    assert [row["prob"] for row in together] == pytest.approx(
        [row["prob"] for row in alone], abs=1e-5
    )
    assert [row["line"] for row in together] == sorted(row["line"] for row in together)


def test_several_sequences_are_numbered(writer):
    """``--sequences``: each with its own tokens and probabilities."""
    result = hf.generate(["one", "a"], sequences=2, temperature=2.0, seed=1, max_new_tokens=6)
    rows = result.records()
    assert {(row["line"], row["sequence"]) for row in rows} == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert len(result.text) == 4
    assert [len(texts) for texts in result.values] == [2, 2]
    first = [row for row in rows if (row["line"], row["sequence"]) == (1, 2)]
    wanted = forward_probabilities(writer, "one", result.ids[1])
    for row, given in zip(first, wanted, strict=True):
        assert row["raw_prob"] == pytest.approx(given[row["id"]].item(), abs=1e-5)


def test_beams_are_followed_back(writer):
    """A token's probability is the one in the beam that it was chosen from."""
    words = {"max_new_tokens": 10, "num_beams": 3, "num_return_sequences": 2}
    result = hf.generate(["one t", "x"], beams=3, sequences=2, max_new_tokens=10)
    writer.tokenizer.pad_token = END
    batch = writer.tokenizer(["one t", "x"], padding=True, padding_side="left", return_tensors="pt")
    plain = writer.model.generate(
        **batch, **words, output_scores=True, return_dict_in_generate=True, pad_token_id=0
    )
    assert torch.equal(plain.sequences, result.outputs)
    scores = writer.model.compute_transition_scores(
        plain.sequences, plain.scores, plain.beam_indices, normalize_logits=False
    )
    wanted = [
        math.exp(value)
        for row, beams in zip(scores.tolist(), plain.beam_indices.tolist(), strict=True)
        for value, beam in zip(row, beams, strict=True)
        if beam >= 0
    ]
    assert [row["prob"] for row in result.records()] == pytest.approx(wanted, abs=1e-5)


def test_memory_is_a_few_numbers_a_token(writer):
    """What is kept does not grow with the vocabulary."""
    from hf_magics.inference.generation.recording import Recorder

    recorder = Recorder(lambda _: None)
    for _ in range(4):
        recorder._see_raw(None, scores := torch.randn(2, 50_000))
        recorder._see(None, scores)
        recorder.put(scores.argmax(-1))
    kept = [block for shelf in (recorder._ids, recorder._numbers) for block in shelf._blocks]
    assert sum(block.untyped_storage().nbytes() for block in kept) / 512 < 500
    assert not recorder._waiting


def test_what_is_not_known_is_not_made_up(writer):
    """Assisted generation checks several tokens at once: no probabilities, and a note."""
    result = hf.generate("one two", set={"prompt_lookup_num_tokens": 3})
    assert result.ids == hf.generate("one two").ids
    assert all(math.isnan(row["prob"]) and row["rank"] == 0 for row in result.records())
    assert any("no probabilities" in note for note in notes(result))
