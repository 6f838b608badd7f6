"""What can't be read: one line that names the thing, and the session as it was."""

import sys

import pytest

from hf_magics.errors import (
    ConfigError,
    HeadError,
    HFMagicsError,
    MissingExtraError,
    OptionError,
    SourceError,
)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no config.json; it holds: nothing"),
        ({"config.json": "{"}, r"config\.json of .* is no JSON: "),
        ({"config.json": '{"model_type": "brt"}'}, "of the type 'brt', .*did you mean 'bert'"),
        ({"config.json": '{"model_type": "bert"}'}, "can't be loaded: Error no file named model"),
        (
            {"config.json": '{"model_type": "bert"}', "model.safetensors": "x"},
            r"model\.safetensors of .* is damaged: header too small",
        ),
        (
            {"config.json": '{"model_type": "bert"}', "pytorch_model.bin": "xxxx"},
            r"pytorch_model\.bin of .* is damaged: it holds more than tensors, or is cut off",
        ),
        (
            {"config.json": '{"model_type": "bert"}', "model.safetensors": "version https://git-lfs.github.com/spec/v1\n"},
            r"model\.safetensors of .* is a pointer: git lfs pull, in that folder, downloads",
        ),
        ({"a.gguf": "GGUF", "b.gguf": "GGUF"}, "holds 2 GGUF files: --gguf FILE takes one of a"),
        ({"a.gguf": "GGUFxxxx"}, "a.gguf' is damaged"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_read_is_named(hf, tmp_path, files, message):
    """What is wrong with a folder is one line, and nothing enters the session."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=message) as caught:
        hf.load(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(hf.session) == len(hf.session.log) == 0


def test_damaged_weights_are_refused(hf, own_bert):
    """A file that was cut short is not loaded."""
    path = own_bert / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(
        SourceError, match=r"model\.safetensors of .* is damaged: incomplete metadata"
    ):
        hf.load(str(own_bert))


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ({"hiden_size": "3"}, ConfigError, "no field 'hiden_size'; did you mean 'hidden_size'"),
        ({"hidden_size": "big"}, ConfigError, "hidden_size takes int, not 'big'"),
        ({"num_attention_heads": "5"}, ConfigError, "hidden_size=32 .* num_attention_heads=5"),
        ({"set": {"odd": 1}}, ConfigError, "does not take what --set gave: .*'odd'"),
        ({"set": {"subfolder": "x"}}, SourceError, "no folder 'x' in .*it holds: config.json"),
        ({"task": "image-classification"}, HeadError, "no head for image-classification; its tasks are: .*fill-mask"),
        ({"task": "fil-mask"}, HeadError, "no task 'fil-mask'; did you mean 'fill-mask'"),
        ({"class_": "BertModl"}, HeadError, "no class 'BertModl'; did you mean 'BertModel'"),
        ({"class_": "GPT2Model"}, HeadError, "GPT2Model is no class for a bert checkpoint; it has: BertModel"),
        ({"device": "gpu"}, OptionError, "no device 'gpu'"),
        ({"dtype": "int8"}, OptionError, "no dtype 'int8'"),
        ({"attn": "flash"}, OptionError, 'attn_implementation="flash".*--attn takes eager'),
        ({"gguf": "x.gguf"}, SourceError, "no file 'x.gguf' in .*; GGUF files there: nothing"),
    ],
)  # fmt: skip
def test_wrong_options_are_named(hf, masked_bert, words, kind, message):
    """A wrong field, task, class, device or dtype is one line, and nothing enters the session."""
    with pytest.raises(kind, match=message) as caught:
        hf.load(str(masked_bert), **words)
    assert "\n" not in str(caught.value)
    assert len(hf.session) == len(hf.session.log) == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "no source is given"),
        ("bert", "'bert' is a model type, and no checkpoint of that name was found: %hf_new bert"),
        ("{folder}s", "no folder or file .*; did you mean '.*masked-bert'"),
        ("{folder}/model.safetensors", "is a file: give the folder it is in"),
        ("/no/such/place", "no folder or file '/no/such/place': there is no '/no'"),
        ("what is this", "no folder or file 'what is this'"),
    ],
)
def test_sources_that_are_not_there_are_named(hf, masked_bert, source, message):
    """A source that is no checkpoint says what it is, or which is near."""
    with pytest.raises(SourceError, match=message):
        hf.load(source.format(folder=masked_bert))


def test_a_hub_id_without_a_hub_is_named(hf):
    """Offline, an id that is not cached is refused without asking."""
    with pytest.raises(HFMagicsError, match=r"'some-org/some-model' is neither a folder"):
        hf.load("some-org/some-model", offline=True)


def test_a_tokenizer_that_cannot_be_read_is_named(hf, masked_bert, tmp_path):
    """A damaged tokenizer is an error that says what to type, and no model is loaded."""
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(HFMagicsError, match=r"can't be loaded: .*; --tokenizer SOURCE takes"):
        hf.load(str(masked_bert), tokenizer=str(tmp_path))
    with pytest.raises(HFMagicsError, match="has no tokenizer: none of its files is there"):
        hf.load(str(masked_bert), tokenizer=str(masked_bert))
    assert len(hf.session) == 0


@pytest.mark.parametrize(
    ("name", "option"),
    [("revision", "--revision"), ("torch_dtype", "--dtype"), ("attn_implementation", "--attn")],
)
def test_arguments_that_are_options_are_refused(hf, masked_bert, name, option):
    """What would load other weights than the page says names the option to take."""
    with pytest.raises(OptionError, match=f"--set {name}: that is {option} here"):
        hf.load(str(masked_bert), set={name: "v1"})


def test_a_field_given_as_an_argument_is_named(hf, masked_bert):
    """A config field after --set says how a field is written."""
    with pytest.raises(ConfigError, match="write num_labels=VALUE without --set"):
        hf.load(str(masked_bert), set={"num_labels": 3})


@pytest.mark.parametrize("module", ["gguf", "accelerate"])
def test_a_gguf_file_names_the_extra_that_reads_it(hf, tmp_path, monkeypatch, module):
    """Without the packages of the extra, one line says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "one.gguf").touch()
    with pytest.raises(MissingExtraError, match=r"pip install 'hf-magics\[gguf\]'"):
        hf.load(str(tmp_path / "one.gguf"))
