"""The small pieces of sentences."""

import pytest

from hf_magics.display.words import line_numbers, nearest
from hf_magics.modeling import catalog

BERT = ["hidden_size", "num_hidden_layers", "num_attention_heads", "layer_norm_eps", "_hidden"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("layers", "num_hidden_layers"),
        ("N_Layers", "num_hidden_layers"),
        ("num_layers", "num_hidden_layers"),
        ("heads", "num_attention_heads"),
        ("hidden", "hidden_size"),
        ("dim", "hidden_size"),
        ("hiden_size", "hidden_size"),
    ],
)
def test_another_librarys_name_for_a_field(word, meant):
    """What a name means goes before what looks like it."""
    assert nearest(word, BERT, catalog.MEANT) == f"; did you mean '{meant}'?"


def test_what_is_not_there_is_not_meant():
    """Only a name that is known is suggested, with or without a table of meanings."""
    assert nearest("dim", ["vocab_size"], catalog.MEANT) == ""
    assert nearest("dim", BERT) == ""
    assert nearest("layers", ["n_layers"], catalog.MEANT) == "; did you mean 'n_layers'?"


@pytest.mark.parametrize(("numbers", "said"), [([3], "line 3"), ([1, 12], "lines 1, 12")])
def test_lines_are_named_by_their_numbers(numbers, said):
    assert line_numbers(numbers) == said
