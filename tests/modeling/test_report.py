"""The loading report's verdict: what is random, by its own name, in a sentence that is English."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from hf_magics.modeling.verdicts import random_verdict
from tests.modeling.tiny import bert_folder, note_texts

ONE = "is random: its answers mean nothing until it is trained"
SEVERAL = "are random: what they give means nothing until they are trained"


@pytest.mark.parametrize(
    ("modules", "sentence"),
    [
        (("classifier",), f"the classifier {ONE}"),
        (("whole model",), f"the whole model {ONE}"),
        (("embeddings",), f"the embeddings {SEVERAL}"),
        (("qa_outputs",), f"the qa_outputs {SEVERAL}"),
        (("cls",), f"the cls {ONE}"),
        (("predictions.bias",), f"the predictions.bias {ONE}"),
        (("pooler", "classifier"), f"pooler, classifier {SEVERAL}"),
        (("a", "b", "c", "d", "e", "f"), f"a, b, c, d and 2 more {SEVERAL}"),
    ],
)
def test_the_sentence_is_singular_or_plural(modules, sentence):
    """One part is random, several or a plural are."""
    assert random_verdict(modules) == sentence


@pytest.mark.parametrize(
    ("lost", "random"),
    [
        (["embeddings.word_embeddings."], ("embeddings.word_embeddings",)),
        (["embeddings."], ("embeddings",)),
        (["encoder.layer.0."], ("encoder.layer.0",)),
        (["pooler.dense.bias"], ("pooler.dense.bias",)),
        (["pooler.", "embeddings.word_embeddings."], ("embeddings.word_embeddings", "pooler")),
        ([""], ("whole model",)),
    ],
)
def test_the_part_that_is_random_is_named(hf, tmp_path, lost, random):
    """The name is that of the largest part which holds nothing of the checkpoint."""
    folder = bert_folder(tmp_path / "bert", BertModel)
    path = folder / "model.safetensors"
    tensors = {
        name: one
        for name, one in load_file(path).items()
        if not any(name.startswith(prefix) for prefix in lost)
    }
    save_file(tensors or {"other": torch.zeros(1)}, path, metadata={"format": "pt"})
    loaded = hf.load(str(folder))
    assert loaded.report.random_modules == random
    assert note_texts(loaded).startswith(random_verdict(random))


def test_many_parts_are_named_by_their_blocks(hf, tmp_path):
    """Other sizes make nearly every weight random: the blocks are named, not each weight."""
    folder = bert_folder(tmp_path / "bert", BertModel)
    loaded = hf.load(str(folder), hidden_size="36")
    assert loaded.report.random_modules == (
        "embeddings",
        "encoder.layer.0",
        "encoder.layer.1",
        "pooler",
    )


def test_a_head_whose_tied_weights_are_in_no_file_is_random_and_nothing_else(hf, minilm):
    """Transformers calls such a checkpoint corrupted: a masked head over a plain encoder is not."""
    loaded = hf.load(minilm, task="fill-mask")
    assert {"cls.predictions.bias", "cls.predictions.decoder.bias"} <= set(loaded.report.missing)
    assert note_texts(loaded) == random_verdict(("cls",))
