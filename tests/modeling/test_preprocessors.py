"""Tokenizers and processors: where they come from, and where there is none."""

import numpy as np
import pytest
import transformers

from hf_magics.errors import TokenizerError
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
