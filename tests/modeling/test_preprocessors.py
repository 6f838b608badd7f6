"""Tokenizers and processors: where they come from, and where there is none."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import transformers
from transformers.utils import import_utils as requirements

from hf_magics.errors import TokenizerError
from hf_magics.modeling import checkpoints, preprocessors
from tests.modeling.tiny import BERT, BERT_LINE, note_texts, vocabulary


def test_a_tokenizer_comes_from_a_folder(hf, minilm):
    """--tokenizer FOLDER gives the folder's tokenizer."""
    made = hf.new("bert", tokenizer=minilm, **BERT | {"vocab_size": 30522})
    plain = transformers.AutoTokenizer.from_pretrained(minilm)
    assert made.tokenizer("Hello!").input_ids == plain("Hello!").input_ids == [101, 7592, 999, 102]


def test_a_cased_vocabulary_file_keeps_case(hf, antiberty):
    """AntiBERTy's vocabulary is of capital letters: lower-casing would make every one unknown."""
    path = antiberty / "vocab.txt"
    made = hf.new("bert", tokenizer=str(path), **BERT)
    known = path.read_text().split()
    ids = made.tokenizer("E V Q L").input_ids[1:-1]
    assert ids == [known.index(letter) for letter in "EVQL"]
    assert "text is not lower-cased" in note_texts(made)


def test_an_uncased_vocabulary_file_lowers_case(hf, tmp_path):
    """A vocabulary without capital letters takes text in capital letters too, and no note is made."""
    made = hf.new("bert", tokenizer=str(vocabulary(tmp_path)), **BERT)
    assert made.tokenizer.tokenize("Red FOXES") == ["red", "fox", "##es"]
    assert "lower-cased" not in note_texts(made)


def test_a_tokenizer_can_be_a_variable(shell, minilm):
    """--tokenizer takes the notebook's object, which stays the same object."""
    shell.names["tok"] = transformers.AutoTokenizer.from_pretrained(minilm)
    made = shell.run(f"%hf_new bert {BERT_LINE} --tokenizer tok -n m")
    assert made.tokenizer is shell.names["tok"]
    assert "tokens from 100 on can't be run" in note_texts(made)


def test_what_is_no_tokenizer_is_refused(hf):
    """An object of another kind as tokenizer is named."""
    with pytest.raises(TokenizerError, match="a tokenizer is needed, not ndarray"):
        hf.new("bert", tokenizer=np.zeros(3), **BERT)
    assert len(hf.session) == 0


def test_another_tokenizer_is_another_model(hf, minilm, tmp_path):
    """The same line without the tokenizer object does not give the model that has it."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    made = hf.new("bert", tokenizer=tokenizer, **BERT)
    assert hf.new("bert", tokenizer=tokenizer, **BERT).model is made.model
    assert hf.new("bert", **BERT).tokenizer is None


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_a_processor_whose_package_lacks_says_what_to_install(hf, own_bert):
    """Transformers' paragraph about a package becomes one sentence with the command."""
    (own_bert / "preprocessor_config.json").write_text(
        '{"image_processor_type": "DepthProImageProcessor"}'
    )
    assert note_texts(hf.load(str(own_bert))).endswith(
        "the ImageProcessor was not loaded: it needs torchvision: pip install torchvision"
    )


@pytest.mark.parametrize(
    ("backends", "sentence"),
    [
        (["vision"], "it needs PIL: pip install pillow"),
        (["torchvision", "vision"], "it needs Torchvision, PIL: pip install torchvision pillow"),
        (["torch"], "it needs PyTorch: pip install torch"),
        (["sklearn"], "it needs scikit-learn: pip install scikit-learn"),
        (["sentencepiece"], "it needs SentencePiece: pip install sentencepiece"),
        (["levenshtein"], "it needs python-Levenshtein: pip install python-Levenshtein"),
    ],
)
def test_what_transformers_says_of_a_package_is_one_sentence(backends, sentence):
    """For each of its ways to say it, and for several packages at once."""
    said = "".join(requirements.BACKENDS_MAPPING[name][1].format("X") for name in backends)
    assert preprocessors.why(ImportError(said)) == sentence


def test_another_error_keeps_its_words():
    """What is no missing package is said as it was."""
    assert preprocessors.why(ImportError("libfoo.so: cannot\nopen")) == "libfoo.so: cannot open"
    assert preprocessors.why(ValueError("it requires the X library")) == "it requires the X library"


def test_a_tokenizer_with_its_own_code_is_refused(hf, own_bert):
    """A tokenizer that is code of the checkpoint is not run unasked, and the line says so."""
    settings = {"auto_map": {"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]}}
    (own_bert / "tokenizer_config.json").write_text(
        json.dumps(settings | {"tokenizer_class": "OwnTokenizer"})
    )
    config = own_bert / "config.json"
    config.write_text(config.read_text().replace('"model_type": "bert"', '"model_type": "vit"'))
    with pytest.raises(TokenizerError, match="not run unasked: read it, then --trust-remote-code"):
        preprocessors.load_tokenizer(checkpoints.find(str(own_bert)))


def test_a_processor_in_the_tokenizers_place_is_taken_for_what_it_is(hf, session):
    """A model of the notebook gets its image processor, and code that says where it is from."""
    processor = transformers.ViTImageProcessorPil(size={"height": 16, "width": 16})
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = transformers.ViTModel(
        transformers.ViTConfig(**small, intermediate_size=16, image_size=16, patch_size=8)
    )
    hf.add(model, processor, "v")
    assert session["v"].processor is processor
    assert session["v"].tokenizer is None
    assert "processor = ...  # a ViTImageProcessor" in session.steps[-1].code
