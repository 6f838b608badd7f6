"""`load`: a checkpoint of plain transformers to the model that transformers itself would give."""

import json

import pytest
import torch
import transformers
from transformers import BertForMaskedLM, BertModel, CLIPConfig, CLIPModel

from tests.modeling.test_creating import CLIP_TEXT, CLIP_VISION
from tests.modeling.tiny import (
    BERT,
    bert_folder,
    bits,
    note_texts,
    same,
    state_of,
    states_of_scripts,
)


def test_minilm_is_what_transformers_loads(hf, minilm):
    """The real all-MiniLM-L6-v2: class, parameters and every bit as BertModel.from_pretrained."""
    loaded = hf.load(minilm, name="minilm")
    plain = BertModel.from_pretrained(minilm)
    row = loaded.records()[0]
    assert same(loaded.model, plain)
    assert row["parameters"] == plain.num_parameters() == 22_713_216
    assert row["dtype"] == "float32"
    assert row["kind"] == "folder"
    assert row["source"] == minilm
    assert not loaded.model.training
    assert row["tokenizer"] == "BertTokenizer, 30,522 entries, at most 512 tokens"
    assert "every weight came from the checkpoint" in note_texts(loaded)
    ids = loaded.tokenizer(["Hello!", "Cool.", "Nice!"]).input_ids
    assert ids == [[101, 7592, 999, 102], [101, 4658, 1012, 102], [101, 3835, 999, 102]]


def test_antiberty_falls_back_on_the_base_class(hf, antiberty):
    """A class that transformers doesn't know is named, and its base class is loaded instead."""
    loaded = hf.load(str(antiberty / "AntiBERTy_md_smooth"), name="anti")
    assert type(loaded.model) is BertModel
    assert (
        "transformers does not have for the type 'bert': BertModel was loaded instead"
        in note_texts(loaded)
    )
    assert loaded.tokenizer is None
    assert loaded.report.unexpected


def test_antiberty_has_its_head_and_its_letters(hf, antiberty):
    """--task and a vocabulary file make the real masked LM whole: the weights are transformers' own."""
    folder = str(antiberty / "AntiBERTy_md_smooth")
    loaded = hf.load(folder, task="fill-mask", tokenizer=str(antiberty / "vocab.txt"))
    assert same(loaded.model, BertForMaskedLM.from_pretrained(folder))
    assert loaded.tokenizer.unk_token_id not in loaded.tokenizer("E V Q L").input_ids
    assert loaded.report.missing == ()


def test_the_head_is_the_checkpoints_own(hf, masked_bert):
    """Without task and class the first of the checkpoint's architectures is loaded."""
    loaded = hf.load(str(masked_bert))
    assert same(loaded.model, BertForMaskedLM.from_pretrained(masked_bert))
    assert loaded.report.table() is None


@pytest.mark.parametrize(
    ("words", "class_name"),
    [
        ({"task": "text-classification"}, "BertForSequenceClassification"),
        ({"class_": "BertModel"}, "BertModel"),
        ({"class_": "AutoModelForTokenClassification"}, "BertForTokenClassification"),
    ],
)
def test_the_head_can_be_chosen(hf, masked_bert, words, class_name):
    """A task, a class or an Auto class overrules the checkpoint's own."""
    assert type(hf.load(str(masked_bert), **words).model).__name__ == class_name


def test_fields_change_the_config(hf, masked_bert):
    """FIELD=VALUE reaches the model: fewer layers, other labels in both directions."""
    loaded = hf.load(
        str(masked_bert),
        task="text-classification",
        num_hidden_layers="1",
        id2label='{"0": "no", "1": "yes", "2": "maybe"}',
    )
    config = loaded.model.config
    assert len(loaded.model.bert.encoder.layer) == 1
    assert loaded.model.classifier.out_features == 3
    assert config.id2label == {0: "no", 1: "yes", 2: "maybe"}
    assert config.label2id == {"no": 0, "yes": 1, "maybe": 2}


def test_two_sizes_that_only_fit_together_are_taken(hf, masked_bert):
    """Fields are checked when all of them are set, in whatever order they stand."""
    loaded = hf.load(str(masked_bert), num_attention_heads="3", hidden_size="36")
    assert loaded.model.bert.embeddings.word_embeddings.weight.shape == (100, 36)


def test_set_passes_subfolder_and_variant_on(hf, tmp_path):
    """--set gives from_pretrained its own arguments."""
    plain = BertModel.from_pretrained(bert_folder(tmp_path / "in" / "sub", BertModel))
    plain.save_pretrained(tmp_path / "in" / "sub", variant="other")
    (tmp_path / "in" / "sub" / "model.safetensors").unlink()
    loaded = hf.load(str(tmp_path / "in"), set={"subfolder": "sub", "variant": "other"})
    assert same(loaded.model, plain)
    assert loaded.records()[0]["source"] == str(tmp_path / "in" / "sub")


def test_no_tokenizer_is_invented(hf, masked_bert):
    """Where no tokenizer's file is, there is none: AutoTokenizer would make one of five tokens."""
    assert len(transformers.AutoTokenizer.from_pretrained(masked_bert)) == 5
    loaded = hf.load(str(masked_bert))
    assert loaded.tokenizer is None
    assert loaded.records()[0]["tokenizer"] == ""


def test_settings_without_a_vocabulary_are_no_tokenizer(hf, own_bert):
    """A tokenizer_config.json alone gives no tokenizer, and a note says why."""
    (own_bert / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    loaded = hf.load(str(own_bert))
    assert loaded.tokenizer is None
    assert "there is no vocabulary among its files" in note_texts(loaded)


def test_dtype_and_attention_are_those_asked_for(hf, masked_bert):
    """--dtype and --attn reach from_pretrained; half precision on a CPU has a note."""
    loaded = hf.load(str(masked_bert), dtype="bf16", attn="eager", device="cpu")
    plain = BertForMaskedLM.from_pretrained(masked_bert, dtype=torch.bfloat16)
    assert same(loaded.model, plain)
    assert loaded.model.config._attn_implementation == "eager"
    assert "the weights are bfloat16" in note_texts(loaded)


def test_a_checkpoint_keeps_its_own_dtype(hf, tmp_path):
    """Without --dtype a bfloat16 checkpoint stays bfloat16."""
    folder = bert_folder(tmp_path / "half", BertModel)
    BertModel.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    loaded = hf.load(str(folder))
    assert loaded.model.dtype is torch.bfloat16
    assert "dtype=torch.bfloat16" in loaded.code


def test_an_image_processor_is_loaded(hf, tmp_path):
    """A ViT comes with its image processor, and no tokenizer is made up."""
    sizes = {key: value for key, value in BERT.items() if key != "vocab_size"}
    config = transformers.ViTConfig(**sizes, image_size=32, patch_size=16)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessor(size=size).save_pretrained(tmp_path / "vit")
    loaded = hf.load(str(tmp_path / "vit"))
    processor = hf.session["vit"].processor
    assert processor.size == size or dict(processor.size) == size
    assert loaded.tokenizer is None
    assert "ImageProcessor" in loaded.records()[0]["processor"]


@pytest.mark.slow
def test_code_loads_the_same_in_a_fresh_process(hf, minilm, antiberty, masked_bert, tmp_path):
    """The plain code of a load runs without hf_magics and gives the same weights."""
    made = {
        "minilm": hf.load(minilm, dtype="float16"),
        "anti": hf.load(
            str(antiberty / "AntiBERTy_md_smooth"),
            task="fill-mask",
            tokenizer=str(antiberty / "vocab.txt"),
        ),
        "fields": hf.load(str(masked_bert), num_hidden_layers="1", hidden_act="relu"),
    }
    states = states_of_scripts({name: one.code for name, one in made.items()}, tmp_path)
    for name, one in made.items():
        assert {key: bits(value) for key, value in states[name].items()} == state_of(one.model)


def test_sharded_checkpoints_are_loaded_whole(hf, masked_bert, tmp_path):
    """A checkpoint in several files is the model that it was."""
    plain = BertForMaskedLM.from_pretrained(masked_bert)
    plain.save_pretrained(tmp_path / "shards", max_shard_size="40KB")
    index = json.loads((tmp_path / "shards" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert same(hf.load(str(tmp_path / "shards")).model, plain)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ({"num_labels": "3"}, "num_labels changes no weights of BertModel"),
        ({"problem_type": "regression"}, "problem_type changes no weights of BertModel"),
        ({"id2label": '{"0": "a"}'}, "id2label, label2id change no weights of BertModel"),
    ],
)
def test_labels_without_a_head_are_said_to_have_no_effect(hf, tmp_path, words, note):
    """Labels on a model that has no head for them come with the task that adds one."""
    folder = str(bert_folder(tmp_path / "base", BertModel))
    loaded = hf.load(folder, **words)
    assert f"{note}: --task text-classification adds the head" in note_texts(loaded)


def test_labels_with_a_head_need_no_note(hf, tmp_path):
    """Where the head follows the labels there is nothing to say; nor for another field."""
    folder = str(bert_folder(tmp_path / "base", BertModel))
    loaded = hf.load(folder, task="token-classification", num_labels="3", name="head")
    assert "no weights of" not in note_texts(loaded)
    assert "no weights of" not in note_texts(hf.load(folder, hidden_act="relu", name="other"))


def test_code_sets_dotted_and_plain_fields_together(hf, tmp_path):
    """Fields of a sub-config beside fields of the config itself: the plain code takes both."""
    sizes = {"text_config": CLIP_TEXT, "vision_config": CLIP_VISION, "projection_dim": 16}
    CLIPModel(CLIPConfig(**sizes)).save_pretrained(tmp_path / "clip")
    words = {"text_config.hidden_act": "relu", "projection_dim": "8"}
    loaded = hf.load(str(tmp_path / "clip"), **words)
    made = {}
    exec(loaded.code, made)
    assert made["model"].config.text_config.hidden_act == "relu"
    assert made["model"].text_projection.out_features == 8
    kept = [name for name in state_of(loaded.model) if "projection" not in name]
    assert all(state_of(made["model"])[name] == state_of(loaded.model)[name] for name in kept)
