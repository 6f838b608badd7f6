"""What can't be written is one line, before anything is run."""

import pytest

import hf_magics as hf
from hf_magics.errors import (
    HeadError,
    InputError,
    MissingExtraError,
    OptionError,
)
from tests.inference.plain import notes


def test_a_prompt_longer_than_the_positions_is_refused(writer):
    """The line, its tokens and the positions; where only the sum is too long, the limit gives way."""
    with pytest.raises(InputError, match="line 2 has 70 tokens, and writer has 64 positions"):
        hf.generate(["a", "z" * 70])
    with pytest.raises(InputError, match="one has to be left"):
        hf.generate("z" * 64)
    lowered = hf.generate("z" * 60, max_new_tokens=30)
    assert len(lowered.ids[0]) <= 4
    assert "at most 4 tokens are written, not 30" in notes(lowered)[0]


def test_a_package_that_lacks_is_one_line(writer):
    """A quantized cache needs a package: its name, and no traceback of transformers."""
    with pytest.raises(MissingExtraError, match=r"writer can't generate so: .*optimum-quanto"):
        hf.generate("one", set={"cache_implementation": "quantized"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"set": {"repetition_penality": 1.1}}, "did you mean 'repetition_penalty'"),
        ({"set": {"output_scores": True}}, ".df has each token's probability"),
        ({"set": {"num_beams": 2}, "beams": 2}, "--set num_beams and --beams"),
        ({"temperature": 0, "top_p": 0.9}, "temperature 0 always takes the likeliest"),
        ({"temperature": 0, "set": {"do_sample": True}}, "leave out one"),
        ({"temperature": -1}, "--temperature -1"),
        ({"temperature": float("nan")}, "--temperature nan"),
        ({"top_p": 1.5}, "--top-p 1.5"),
        ({"top_p": 0}, "--top-p 0"),
        ({"top_k": -2}, "--top-k -2"),
        ({"beams": 0}, "--beams 0"),
        ({"seed": -1, "temperature": 1.0}, "--seed -1"),
        ({"sequences": 3}, "--temperature 0.8 draws"),
        ({"sequences": 3, "beams": 2}, "--sequences 3"),
        ({"max_new_tokens": 0}, "--max-new-tokens 0"),
        ({"max_new_tokens": 5, "set": {"max_length": 9}}, "leave out one"),
        ({"set": {"do_sample": False}, "top_p": 0.5}, "top_p"),
        ({"set": {"length_penalty": 2.0}}, "num_beams"),
        ({"set": {"penalty_alpha": 0.6, "do_sample": False, "top_k": 4}}, "top_k"),
        ({"set": {"num_beam_groups": 2, "diversity_penalty": 0.5}, "beams": 2}, "no group beam"),
        ({"set": {"cache_implementation": "nonsense"}}, "cache_implementation"),
        ({"stop": ""}, "--stop needs a text"),
        ({"set": {"stop_strings": 5}}, "--set stop_strings needs a text"),
        ({"set": {"num_beams": 0}}, "--set num_beams=0: a whole number from 1 on"),
        ({"set": {"num_beams": -1}}, "--set num_beams=-1: a whole number"),
        ({"set": {"num_beams": "two"}}, "--set num_beams=two: a whole number"),
        ({"set": {"num_return_sequences": 0}}, "--set num_return_sequences=0"),
        ({"set": {"top_p": 5}}, "--set top_p=5: a number above 0 and up to 1"),
        ({"set": {"repetition_penalty": 0}}, "--set repetition_penalty=0: a number above 0"),
        ({"set": {"is_assistant": True}}, "transformers' own"),
    ],
)
def test_options_that_contradict_are_refused_in_one_line(writer, words, said):
    """Before anything is run, naming the option."""
    with pytest.raises(OptionError) as caught:
        hf.generate("one", **words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_head_that_cannot_write_is_named(bert):
    """BertModel can't generate: the line says which head can."""
    with pytest.raises(HeadError, match="BertModel, which can't generate"):
        hf.generate("hello")
