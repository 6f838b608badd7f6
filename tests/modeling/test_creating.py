"""`new`: a model with random weights from a config."""

from pathlib import Path

import pytest
import torch
import transformers

from hf_magics.errors import FitError, SessionNameError
from hf_magics.modeling import creating
from tests.modeling.tiny import (
    BERT,
    DECODER,
    bits,
    note_texts,
    same,
    states_of_scripts,
)

ENCODER_DECODER = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "vocab_size": 100,
}
VIT = {name: value for name, value in BERT.items() if name != "vocab_size"} | {
    "image_size": 32,
    "patch_size": 16,
}
CLIP_TEXT = BERT | {"num_hidden_layers": 1}
CLIP_VISION = VIT | {"num_hidden_layers": 1}
TYPES = {
    "bert": ("BertModel", BERT),
    "gpt2": ("GPT2Model", {"n_embd": 32, "n_layer": 1, "n_head": 2, "vocab_size": 100}),
    "t5": (
        "T5Model",
        {
            "d_model": 32,
            "d_kv": 16,
            "d_ff": 64,
            "num_layers": 1,
            "num_heads": 2,
            "vocab_size": 100,
        },
    ),
    "modernbert": ("ModernBertModel", BERT | {"pad_token_id": 0}),
    "vit": ("ViTModel", VIT),
    "whisper": ("WhisperModel", ENCODER_DECODER | {"pad_token_id": 0}),
    "llama": ("LlamaModel", DECODER),
    "clip": (
        "CLIPModel",
        {"text_config": CLIP_TEXT, "vision_config": CLIP_VISION, "projection_dim": 16},
    ),
}


def plainly(class_name: str, sizes: dict, seed: int):
    """The same model as a user of transformers makes it."""
    model_class = getattr(transformers, class_name)
    torch.manual_seed(seed)
    return model_class(model_class.config_class(**sizes)).eval()


def as_words(sizes: dict, prefix: str = "") -> dict[str, str]:
    """Fields as they stand on a magic's line: text, sub-configs under dotted names."""
    found = {}
    for name, value in sizes.items():
        if isinstance(value, dict):
            found |= as_words(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = str(value)
    return found


@pytest.mark.parametrize("model_type", TYPES)
def test_weights_are_those_of_plain_transformers(hf, model_type):
    """With a seed, the weights equal those of the plain class after torch.manual_seed, bit by bit."""
    class_name, sizes = TYPES[model_type]
    made = hf.new(model_type, seed=7, **as_words(sizes))
    assert same(made.model, plainly(class_name, sizes, 7))
    assert not same(made.model, plainly(class_name, sizes, 8))


@pytest.mark.slow
def test_code_makes_the_same_weights_in_a_fresh_process(hf, tmp_path):
    """The plain code of each type runs without hf_magics and gives the same weights."""
    made = {name: hf.new(name, seed=3, **as_words(sizes)) for name, (_, sizes) in TYPES.items()}
    made["half"] = hf.new("bert", seed=3, dtype="bfloat16", task="fill-mask", name="half", **BERT)
    states = states_of_scripts({name: one.code for name, one in made.items()}, tmp_path)
    for name, one in made.items():
        here = one.model.state_dict()
        assert {key: bits(value) for key, value in states[name].items()} == {
            key: bits(value) for key, value in here.items()
        }, name


def test_a_tokenizer_is_found_by_its_path_too(hf, minilm):
    """A folder goes in as a Path or as its name, as it does for a checkpoint."""
    made = hf.new("bert", tokenizer=Path(minilm), **BERT)
    assert made.tokenizer("Hello!").input_ids == [101, 7592, 999, 102]
    assert minilm in made.code


def test_the_random_state_of_the_notebook_is_untouched(hf):
    """A seed is for this model alone: the notebook's next random number is what it would have been."""
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    hf.new("bert", seed=5, **BERT)
    assert torch.equal(torch.rand(3), expected)


def test_a_seed_that_was_not_given_is_the_notebooks(hf):
    """Without --seed the weights follow torch.manual_seed, as the plain class does."""
    torch.manual_seed(21)
    made = hf.new("bert", **BERT)
    assert same(made.model, plainly("BertModel", BERT, 21))


def test_it_is_in_eval_mode_and_marked_as_random(hf):
    """Dropout is off, and every page says that the weights are random."""
    made = hf.new("bert", **BERT)
    assert not made.model.training
    assert "is random: its answers mean nothing until it is trained" in note_texts(made)
    assert hf.models().records()[0]["random"] == ("whole model",)


def test_counts_are_transformers_own(hf):
    """Parameters are what num_parameters says, bytes are four for each of float32."""
    made = hf.new("bert", task="fill-mask", **BERT)
    row = made.records()[0]
    assert row["parameters"] == made.model.num_parameters()
    buffers = sum(one.nbytes for one in made.model.buffers())
    assert row["memory_bytes"] == 4 * row["parameters"] + buffers


def test_what_cannot_fit_is_refused_with_both_numbers(hf, monkeypatch):
    """5.9 TB of weights are refused in an instant, with what is needed and what is there."""
    monkeypatch.setattr(creating, "_seeded", None)  # the real building would start here
    with pytest.raises(FitError, match=r"needs 5\.9 TB and cpu has [\d.]+ [GM]B free"):
        hf.new("bert", hidden_size=122880, num_hidden_layers=24, num_attention_heads=12)


def test_the_same_line_gives_the_model_that_is_there(hf):
    """Asked again, the same line makes nothing; after an optimiser's step it says so."""
    made = hf.new("bert", name="m", seed=1, **BERT)
    model = made.model
    assert hf.new("bert", name="m", seed=1, **BERT).model is model
    next(model.parameters()).data.add_(1)
    with pytest.raises(SessionNameError, match="its weights have changed since"):
        hf.new("bert", name="m", seed=1, **BERT)
    assert hf.new("bert", name="m", seed=1, replace=True, **BERT).model is not model
