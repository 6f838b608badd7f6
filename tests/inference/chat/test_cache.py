"""The cache of earlier turns: never other tokens than without it, and only what can roll back."""

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM
from transformers.cache_utils import DynamicCache, DynamicLayer

import hf_magics as hf
from hf_magics.inference.chat.cache import Memory, held, trimmed
from hf_magics.inference.told import CACHE
from tests.inference.chat.conftest import plain_reply, talking_model, talking_tokenizer


def read(model, ids, cache=None):
    """The cache after a model has read these tokens."""
    cache = DynamicCache(config=model.config) if cache is None else cache
    with torch.no_grad():
        model(torch.tensor([ids]), **{CACHE: cache})
    return cache


def remembered(model, ids) -> Memory:
    memory = Memory()
    cache, known = memory.begin(model, [*ids, 0])
    assert known == 0
    memory.settle(read(model, ids, cache), ids)
    return memory


def test_the_common_beginning_is_lent_and_one_token_is_left_to_read():
    """What differs is cut off; a prompt that is wholly known leaves its last token."""
    model = talking_model()
    for prompt, known in (([5, 6, 7, 8, 9], 4), ([5, 6, 9], 2), ([5, 6, 7, 8], 3), ([9, 5], 0)):
        memory = remembered(model, [5, 6, 7, 8])
        cache, reused = memory.begin(model, prompt)
        assert (reused, held(cache)) == (known, known)
        assert memory.ids == ()


def test_a_trimmed_cache_is_what_the_beginning_alone_gives():
    """Keys and values, number by number."""
    model = talking_model()
    cache = read(model, [5, 6, 7, 8])
    assert trimmed(cache, 2)
    for one, other in zip(cache.layers, read(model, [5, 6]).layers, strict=True):
        torch.testing.assert_close(one.keys, other.keys)
        torch.testing.assert_close(one.values, other.values)


def test_a_cache_that_was_interrupted_between_layers_is_cut_to_what_all_have():
    """One layer is a token ahead, another has a key without its value."""
    model = talking_model()
    cache = read(model, [5, 6, 7, 8])
    cache.layers[1].keys = cache.layers[1].keys[..., :3, :]
    cache.layers[1].values = cache.layers[1].values[..., :2, :]
    assert held(cache) == 2
    assert not trimmed(cache, 3)
    assert trimmed(cache, 2)
    assert {one.keys.shape[-2] for one in cache.layers} == {2}
    assert {one.values.shape[-2] for one in cache.layers} == {2}


@pytest.mark.parametrize("change", ["weights", "dtype"])
def test_a_cache_of_other_weights_is_not_used(change):
    """A step of training and a cast make what was read worthless."""
    model = talking_model()
    memory = remembered(model, [5, 6, 7, 8])
    if change == "dtype":
        model.to(torch.bfloat16)
    else:
        with torch.no_grad():
            model.lm_head.weight.mul_(1.5)
    cache, reused = memory.begin(model, [5, 6, 7, 8, 9])
    assert (reused, held(cache)) == (0, 0)


def sliding(window):
    torch.manual_seed(2)
    return MistralForCausalLM(
        MistralConfig(
            vocab_size=300,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            sliding_window=window,
            initializer_range=0.5,
            max_position_embeddings=256,
        )
    ).eval()


def test_a_window_that_has_slid_goes_on_but_never_back():
    """Below the window it is cut; above, only its own end goes on."""
    ids = [5, 6, 7, 8, 9, 10]
    assert remembered(sliding(16), ids).begin(sliding(16), [5, 6, 7, 1])[1] == 0  # other weights
    model = sliding(16)
    assert remembered(model, ids).begin(model, [5, 6, 7, 1])[1] == 3
    model = sliding(4)
    assert remembered(model, ids).begin(model, [5, 6, 7, 1])[1] == 0
    cache, reused = remembered(model, ids).begin(model, [*ids, 1, 2])
    assert reused == 6
    with torch.no_grad():
        after = model(torch.tensor([[1, 2]]), **{CACHE: cache}).logits
        fresh = model(torch.tensor([[*ids, 1, 2]])).logits[:, -2:]
    torch.testing.assert_close(after, fresh, atol=1e-4, rtol=1e-4)


def test_a_model_whose_layers_keep_a_state_is_given_no_cache():
    """A state can't be cut: such a model reads everything again."""
    config = MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, state_size=4)
    model = MambaForCausalLM(config).eval()
    assert Memory().begin(model, [1, 2, 3]) == (None, 0)


def test_what_is_never_settled_is_forgotten():
    """After a failure in between, the next turn reads from its first token."""
    model = talking_model()
    memory = remembered(model, [5, 6, 7])
    memory.begin(model, [5, 6, 7, 8])
    assert memory.begin(model, [5, 6, 7, 8])[1] == 0
    memory.settle(None, [5, 6])
    memory.settle(DynamicCache(config=model.config), [])
    assert memory.ids == ()


TURNS = ("the quick fox", "and?", "more\nlines of it", "why", "jumps over", "the end")


@pytest.mark.parametrize("window", [None, 8, 64])
def test_every_turn_writes_the_same_tokens_as_without_the_cache(session, window):
    """Greedy in fp32, six turns, each against transformers' own run of the whole conversation."""
    model = sliding(window) if window else talking_model()
    hf.add(model, talking_tokenizer(), "talker")
    reused = 0
    for text in TURNS:
        before = hf.chat().messages
        turn = hf.chat(text, max_new_tokens=10)
        asked = [*before, {"role": "user", "content": text}]
        assert turn.ids == plain_reply(session["talker"], asked, 10)
        reused += turn.read.reused
    assert (reused > 0) == (window != 8)  # replies like these are no text that reads back alike


def test_drawn_tokens_are_the_same_too(talker):
    """With a seed."""
    for text in TURNS[:4]:
        before = hf.chat().messages
        turn = hf.chat(text, max_new_tokens=10, temperature=1.5, seed=7)
        torch.manual_seed(7)
        asked = [*before, {"role": "user", "content": text}]
        assert turn.ids == plain_reply(talker, asked, 10, do_sample=True, temperature=1.5)


def test_the_layers_that_are_cut_are_transformers_own():
    """A new kind of layer is not cut by guess."""

    class Other(DynamicLayer):
        pass

    cache = read(talking_model(), [5, 6, 7])
    cache.layers[0].__class__ = Other
    assert not trimmed(cache, 2)
