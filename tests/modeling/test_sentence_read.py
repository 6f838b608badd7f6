"""What ``%hf_save`` writes of a sentence encoder, as sentence-transformers reads it."""

import numpy as np
import pytest
from torch import nn

TEXTS = ["Hello!", "The ship sank.", "unbelievable " * 400]


@pytest.fixture
def encode():
    """What sentence-transformers gives of a folder and texts; its import takes seconds."""
    from sentence_transformers import SentenceTransformer

    return lambda folder, texts: SentenceTransformer(str(folder), device="cpu").encode(texts)


def test_a_saved_encoder_gives_the_same_vectors_there(hf, minilm, encode, tmp_path):
    """Pooling, normalising and the length are saved beside the weights: cosine and size agree."""
    hf.load(minilm, name="bert")
    hf.save("bert", tmp_path / "saved")
    ours = hf.infer(TEXTS, model="bert").embeddings
    theirs = encode(tmp_path / "saved", TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_trained_encoder_is_what_is_read(hf, minilm, encode, tmp_path):
    """Weights that were changed in the session are those that it finds, and not the old ones."""
    model = hf.load(minilm, name="bert").model
    before = hf.infer(TEXTS, model="bert").embeddings
    nn.init.constant_(model.embeddings.token_type_embeddings.weight, 0.5)
    hf.save("bert", tmp_path / "saved")
    ours = hf.infer(TEXTS, model="bert").embeddings
    theirs = encode(tmp_path / "saved", TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not np.allclose(before, theirs, atol=1e-3)


@pytest.mark.parametrize("text", [".", " . ", "🙂", "\x00.", "naïve café"])
def test_an_awkward_text_has_its_vector(hf, minilm, encode, text):
    """One text, as it is."""
    hf.load(minilm, name="bert")
    theirs = encode(minilm, [text])
    np.testing.assert_allclose(hf.infer([text], model="bert").embeddings, theirs, atol=1e-5)
