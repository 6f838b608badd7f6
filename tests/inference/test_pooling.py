"""Poolings and dense layers: what their names say, and their code gives the same bit by bit."""

import shutil

import numpy as np
import pytest
import torch

import hf_magics as hf
from hf_magics.errors import OptionError
from hf_magics.inference.pooling import pool
from hf_magics.modeling.sentence import POOLINGS, SentenceConfig
from tests.home import run_home
from tests.modeling.sentences import dense, describe, tiny_encoder

TINY_LINES = ["the cat sat on the mat !", "a dog", "hello"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "encoder")


@pytest.fixture
def folder(session, encoder, tmp_path):
    """A headless tiny BERT that a test may describe."""
    return shutil.copytree(encoder, tmp_path / "encoder")


def load(folder) -> None:
    hf.load(str(folder), name="tiny", replace=True)


def ran_code(result) -> torch.Tensor:
    """Run the result's code, and return its embeddings."""
    made = run_home(result.code)
    return made["embeddings"]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", POOLINGS)
def test_each_pooling_is_what_its_name_says(mode, side):
    """On unpadded tokens, whichever side the padding is on; and so is its code."""
    states = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    mask = mask if side == "right" else mask.flip(1)
    made = pool(states, mask, SentenceConfig((mode,)))
    for row, kept in zip(made, mask.bool(), strict=True):
        tokens = states[len(made) - 1 if kept.sum() == 2 else 0][kept]
        assert torch.allclose(row, PLAIN[mode](tokens), atol=1e-6)


PLAIN = {
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(dim=0).values,
    "mean": lambda tokens: tokens.mean(dim=0),
    "mean_sqrt_len": lambda tokens: tokens.sum(dim=0) / len(tokens) ** 0.5,
    "weighted_mean": lambda tokens: (
        sum(at * one for at, one in enumerate(tokens, 1)) / sum(range(1, len(tokens) + 1))
    ),
    "last": lambda tokens: tokens[-1],
}


@pytest.mark.parametrize("mode", POOLINGS)
def test_pooling_by_option(folder, mode):
    """--pooling goes before the checkpoint's own, is normalised as that, and so is its code."""
    load(describe(folder, "Pooling", "Normalize"))
    result = hf.infer(TINY_LINES, pooling=mode)
    expected = pool(
        result.outputs.last_hidden_state, _mask(TINY_LINES), SentenceConfig((mode,))
    ).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(result.embeddings - expected).max() < 1e-6
    assert torch.equal(ran_code(result), torch.tensor(result.embeddings))


def _mask(lines) -> torch.Tensor:
    tokenizer = hf.session.current.tokenizer
    return tokenizer(lines, padding=True, return_tensors="pt")["attention_mask"]


def test_several_poolings_are_joined(folder):
    """Their vectors stand one after the other, in the order of the file."""
    load(describe(folder, "Pooling", pooling={"pooling_mode": ["max", "cls"]}))
    result = hf.infer(TINY_LINES)
    states = result.outputs.last_hidden_state
    assert result.embeddings.shape == (3, 64)
    assert np.array_equal(result.embeddings[:, 32:], states[:, 0].numpy())
    assert np.array_equal(result.embeddings[0, :32], states[0].max(dim=0).values.numpy())
    assert torch.equal(ran_code(result), torch.tensor(result.embeddings))


@pytest.mark.parametrize("pickled", [False, True])
def test_a_dense_layer_is_applied(folder, pickled):
    """A tanh of the linear layer on the mean; its code reads the same file."""
    describe(folder, "Pooling", "Dense")
    dense(folder / "2_Dense", size=(8, 32), pickled=pickled)
    load(folder)
    result = hf.infer(TINY_LINES)
    layer = hf.session["tiny"].sentence.steps[0]
    mean = pool(result.outputs.last_hidden_state, _mask(TINY_LINES), SentenceConfig())
    expected = torch.tanh(mean @ layer.weight.T + layer.bias)
    assert np.abs(result.embeddings - expected.numpy()).max() < 1e-6
    assert torch.equal(ran_code(result), torch.tensor(result.embeddings))


def test_a_dense_layer_of_another_length_is_refused(folder):
    """--pooling that the dense layer can't take is one line."""
    describe(folder, "Pooling", "Dense", pooling={"pooling_mode": ["max", "cls"]})
    dense(folder / "2_Dense", size=(8, 64))
    load(folder)
    assert hf.infer(TINY_LINES).embeddings.shape == (3, 8)
    with pytest.raises(OptionError, match=r"gives 32 numbers .* takes 64: leave --pooling out"):
        hf.infer(TINY_LINES, pooling="max")


def test_an_encoder_decoder_gives_its_encoders(tiny):
    """T5's vectors are means over the encoder's tokens, and so are those of its code."""
    entry = tiny("t5")
    ids = [[5, 6, 7], [8, 9, 10]]
    result = hf.infer(ids, task="embed")
    with torch.inference_mode():
        states = entry.model.get_encoder()(input_ids=torch.tensor(ids)).last_hidden_state
    assert np.abs(result.embeddings - states.mean(dim=1).numpy()).max() < 1e-6
    assert torch.equal(ran_code(result), torch.tensor(result.embeddings))


def test_half_precision_is_pooled_in_float32(session, minilm):
    """A bfloat16 model gives float32 vectors near those of the float32 one."""
    hf.load(minilm, name="whole")
    expected = hf.infer(TINY_LINES).embeddings
    hf.load(minilm, name="half", dtype="bfloat16")
    made = hf.infer(TINY_LINES, model="half").embeddings
    assert made.dtype == np.float32
    assert (made * expected).sum(axis=1).min() > 0.995
    assert np.abs(np.linalg.norm(made, axis=1) - 1).max() < 1e-6
