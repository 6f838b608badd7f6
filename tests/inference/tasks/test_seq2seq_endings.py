"""Text to text: what ended a text, how long it is, and what was cut off or refused for its length."""

import pytest
import torch

import hf_magics as hf
from hf_magics.errors import OptionError
from tests.inference.plain import notes

SHORT = {"max_new_tokens": 5}


def test_what_reached_the_limit_is_said(t5):
    """A row says how many tokens it has and what ended it; a note names the lines that were cut."""
    whole, cut = hf.infer("summarize: one", **SHORT), hf.infer("summarize: one", max_new_tokens=1)
    assert (whole.records()[0]["tokens"], whole.records()[0]["ended"]) == (2, "end token")
    assert notes(whole) == []
    assert (cut.records()[0]["tokens"], cut.records()[0]["ended"]) == (1, "limit of 1")
    assert notes(cut) == [
        "the output of line 1 was cut off at 1 token: --max-new-tokens 2 gives more"
    ]


def test_a_stop_string_is_said(t5):
    """A text that a stop string ended says so, and its padding is not counted."""
    asked = {"stop_strings": ["one"], "min_new_tokens": 3}
    result = hf.infer(["summarize: one", "summarize: two"], set=asked, **SHORT)
    first, second = result.records()
    assert (first["tokens"], first["ended"]) == (1, "stop string")
    assert second["tokens"] > 1
    assert not any("line 1 " in note for note in notes(result))


def test_a_stop_string_of_the_checkpoint_ends_the_text_too(t5):
    """It needs the tokenizer in generate, and in the code."""
    own = t5.model.generation_config
    own.stop_strings, own.min_new_tokens = ["one"], 3
    try:
        result = hf.infer(["summarize: one", "summarize: two"], **SHORT)
        assert result.records()[0]["ended"] == "stop string"
        assert "tokenizer=tokenizer" in result.code
    finally:
        own.stop_strings = own.min_new_tokens = None


def test_lengths_that_contradict_each_other_are_noted(t5):
    """Transformers' own warning becomes a note, and is no warning of Python's."""
    result = hf.infer("summarize: two", set={"min_new_tokens": 9}, **SHORT)
    assert any("Unfeasible length constraints" in note for note in notes(result))


def test_a_text_that_the_encoder_cut_is_noted(t5):
    """What the encoder did not read is said, the prefix counted with it."""
    result = hf.infer("one two three four", to="fr", max_length=8, **SHORT)
    assert any("cut to 8 tokens" in note and "four" in note for note in notes(result))


def test_an_end_that_the_limit_forced_is_a_cut(bart):
    """BART is made to end at the limit: that counts as the limit, and not as an end."""
    bart.model.generation_config.forced_eos_token_id = 2
    bart.model.generation_config.eos_token_id = 2
    result = hf.infer([[0, 5, 6, 2]], max_new_tokens=4)
    assert result.outputs.sequences[0, -1] == 2
    assert result.records()[0]["ended"] == "limit of 4"


@pytest.mark.parametrize(("begun", "length"), [([2, 7], 5), ([7, 8], 6)])
def test_the_decoders_own_tokens_are_not_counted(bart, begun, length):
    """Only what was written after decoder_input_ids counts; generate may add a start token."""
    batch = {"input_ids": torch.tensor([[0, 5, 2]]), "decoder_input_ids": torch.tensor([begun])}
    result = hf.infer(batch, set={"min_new_tokens": 3}, max_new_tokens=3)
    assert result.outputs.sequences.shape == (1, length)
    assert result.records()[0]["tokens"] == 3


def test_more_tokens_than_positions_are_refused(bart):
    """A limit over the decoder's positions is an error before anything runs; the default fits."""
    with pytest.raises(OptionError, match=r"40 new tokens are more than the 40 positions of bart"):
        hf.infer([[0, 5, 2]], max_new_tokens=40)
    result = hf.infer([[0, 5, 2]], set={"min_new_tokens": 39})
    assert result.records()[0]["tokens"] == 39
    assert any("no more positions" in note for note in notes(result))


def test_an_output_without_text_is_said(t5):
    """What decodes to nothing is shown as nothing, and is an empty text."""
    end = t5.tokenizer.eos_token_id
    result = hf.infer("one", set={"forced_bos_token_id": end}, **SHORT)
    assert result.text == [""]
    assert result.page().parts[0].rows[0][1] == "(nothing)"
