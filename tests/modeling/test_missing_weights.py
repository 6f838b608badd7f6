"""What a load says of a checkpoint that isn't the whole model: weights missing, misshapen or too many."""

import torch
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification, BertModel

from tests.modeling.tiny import bert_folder, note_texts, same


def rewritten(folder, change):
    """Change the tensors of a folder's checkpoint."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    return str(folder)


def table_of(result) -> dict[str, tuple]:
    """The loading report: weight -> (status, what that means)."""
    table = result.report.table()
    return {row[0]: row[1:] for row in table.rows} if table else {}


def test_a_missing_head_is_random_and_said_to_be(hf, tmp_path):
    """A checkpoint without the classifier's weights says what its answers are worth."""
    folder = bert_folder(tmp_path / "base", BertModel)
    loaded = hf.load(str(folder), task="text-classification")
    assert note_texts(loaded) == (
        "the classifier is random: its answers mean nothing until it is trained"
    )
    assert table_of(loaded) == {
        "classifier.bias": ("missing", "random now"),
        "classifier.weight": ("missing", "random now"),
    }
    assert hf.models().records()[0]["random"] == ("classifier",)


def test_a_whole_layer_that_is_missing_is_named(hf, own_bert):
    """A layer that isn't in the checkpoint is random: transformers only logs that."""

    def without_layer_1(tensors):
        for name in [name for name in tensors if ".layer.1." in name]:
            del tensors[name]

    loaded = hf.load(rewritten(own_bert, without_layer_1))
    assert note_texts(loaded).startswith("the encoder.layer.1 is random")
    assert len(loaded.report.missing) == 16


def test_a_weight_of_another_shape_is_named_with_both(hf, own_bert):
    """A tensor of another shape is random, and the table shows the two shapes."""

    def with_wide_query(tensors):
        tensors["bert.encoder.layer.0.attention.self.query.weight"] = torch.zeros(48, 32)

    loaded = hf.load(rewritten(own_bert, with_wide_query))
    row = table_of(loaded)["bert.encoder.layer.0.attention.self.query.weight"]
    assert row == ("another shape", "random now: 48 × 32 in the checkpoint, 32 × 32 in the model")
    name = "encoder.layer.0.attention.self.query.weight"
    assert note_texts(loaded).startswith(f"the {name} is random: its answers mean nothing")


def test_what_the_model_has_no_place_for_is_named(hf, own_bert):
    """A tensor too many is unused, and nothing is random."""

    def with_extra(tensors):
        tensors["adapter.weight"] = torch.zeros(2)

    loaded = hf.load(rewritten(own_bert, with_extra))
    assert table_of(loaded) == {"adapter.weight": ("unused", "the model has no place for it")}
    assert (
        note_texts(loaded) == "every weight of the model came from the checkpoint, which has more"
    )


def test_a_classifier_that_was_saved_is_not_random(hf, tmp_path):
    """A checkpoint with all its weights has no random module, whatever its head."""
    folder = bert_folder(tmp_path / "whole", BertForSequenceClassification)
    loaded = hf.load(str(folder))
    assert same(loaded.model, BertForSequenceClassification.from_pretrained(folder))
    assert hf.models().records()[0]["random"] == ()
