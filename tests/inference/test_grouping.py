"""Many lines in one inference: run in groups, with the output of one batch."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import hf_magics as hf
from hf_magics.inference import grouping

TEXTS = ["word " * (1 + row * 37 % 180) for row in range(40)]


@pytest.fixture
def calls(bert, monkeypatch):
    """The shapes and the masks of each forward pass of the real MiniLM."""
    seen = []
    forward = type(bert.model).forward

    def spy(self, *args, **more):
        mask = more.get("attention_mask")
        seen.append((tuple(more["input_ids"].shape), None if mask is None else mask.clone()))
        return forward(self, *args, **more)

    monkeypatch.setattr(type(bert.model), "forward", spy)
    return seen


def plain(bert, **more):
    """What transformers gives for one padded batch."""
    batch = bert.tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        return bert.model(**batch, **more), batch["attention_mask"].bool()


def test_the_output_is_that_of_one_batch(bert):
    """Class, shapes and values to 1e-5 wherever a token stands."""
    found = hf.infer(TEXTS, task="features", set={"output_hidden_states": True}).outputs
    expected, mask = plain(bert, output_hidden_states=True)
    assert type(found) is type(expected)
    assert list(found) == list(expected)
    pairs = [
        (found.last_hidden_state, expected.last_hidden_state),
        *zip(found.hidden_states, expected.hidden_states, strict=True),
    ]
    for one, other in pairs:
        assert one.shape == other.shape
        assert (one - other)[mask].abs().max() < 1e-5
    assert (found.pooler_output - expected.pooler_output).abs().max() < 1e-5


def test_attentions_keep_their_two_token_dimensions(bert):
    """Rows, heads, queries and keys, where only the last two depend on the width."""
    bert.model.set_attn_implementation("eager")
    try:
        found = hf.infer(TEXTS, task="features", set={"output_attentions": True}).outputs
        expected, mask = plain(bert, output_attentions=True)
    finally:
        bert.model.set_attn_implementation("sdpa")
    both = mask[:, None, :, None] & mask[:, None, None, :]
    for one, other in zip(found.attentions, expected.attentions, strict=True):
        assert one.shape == other.shape
        assert ((one - other) * both).abs().max() < 1e-5


def test_groups_are_within_the_budget_and_mask_only_padding(bert, calls):
    """Each batch has at most the budget's tokens; a mask that would hide nothing is left out."""
    texts = [*TEXTS, *(f"{word} word" for word in "abcdefghijklmnopqrstuvwxyz")]
    bert.loaded.batch_tokens = 100
    hf.infer(texts, task="features")
    assert len(calls) > 1
    assert all(rows * width <= 100 or rows == 1 for (rows, width), _ in calls)
    assert sum(rows for (rows, _), _ in calls) == len(texts)
    assert all(mask is None or not mask.all() for _, mask in calls)
    assert any(mask is None for _, mask in calls)


def test_a_few_lines_are_one_batch(bert, calls):
    """A screenful is run as it always was."""
    hf.infer(TEXTS[:8], task="features")
    assert len(calls) == 1


def test_equal_lengths_have_no_mask(bert, calls):
    """Three lines of four tokens: nothing is padded."""
    hf.infer(["Hello!", "Cool.", "Nice!"], task="features")
    assert [mask for _, mask in calls] == [None]


def test_a_pad_token_in_the_text_keeps_the_mask(bert, calls):
    """Transformers warns of such an input without a mask."""
    hf.infer("Hello [PAD]!", task="features")
    assert calls[0][1] is not None


def test_a_decoder_gives_the_logits_of_one_batch(session, tiny, minilm):
    """GPT-2 in groups, without a cache, which would be the keys and values of all rows."""
    loaded = tiny("gpt2", task="text-generation", vocab_size=30_522)
    loaded.tokenizer = AutoTokenizer.from_pretrained(minilm)
    texts = ["word " * (1 + row * 7 % 30) for row in range(200)]
    found = hf.infer(texts, task="features").outputs
    batch = loaded.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = loaded.model(**batch).logits
    mask = batch["attention_mask"].bool()
    assert isinstance(loaded.model, AutoModelForCausalLM._model_mapping[type(loaded.config)])
    assert (found.logits - expected)[mask].abs().max() < 1e-5
    assert not any("cache" in name or "past" in name for name in found)


def test_a_loss_is_that_of_one_batch(session, tiny, minilm):
    """A number for all rows can't be put together from groups: they are run as they are."""
    loaded = tiny("bert", task="text-classification", num_labels=2, vocab_size=30_522)
    loaded.tokenizer = AutoTokenizer.from_pretrained(minilm)
    loaded.batch_tokens = 16
    ids = loaded.tokenizer(["a b c d"] * 12, return_tensors="pt")
    labels = torch.tensor([0, 1] * 6)
    found = hf.infer({**ids, "labels": labels}, task="features").outputs
    with torch.inference_mode():
        expected = loaded.model(**ids, labels=labels)
    assert torch.equal(found.loss, expected.loss)
    assert torch.equal(found.logits, expected.logits)


def test_left_padding_is_left_alone(bert):
    """Rows that begin with padding can't be cut to their lengths."""
    ids = torch.randint(1000, 2000, (20, 30))
    mask = torch.ones_like(ids)
    mask[3, :5] = 0
    assert grouping._lengths(bert.loaded, {"input_ids": ids, "attention_mask": mask}) == []
