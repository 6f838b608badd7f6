"""Generate: the same tokens as plain ``generate``, and why each text ended."""

import pytest
import torch

import hf_magics as hf
from hf_magics.display.parts import Table
from hf_magics.errors import (
    EvictedError,
    InputError,
    TokenizerError,
)
from tests.home import run_home
from tests.inference.plain import END, byte_level, notes


def plain_ids(model, tokenizer, texts, **words):
    """What a script with transformers alone writes: IDs with prompts and padding."""
    batch = tokenizer(list(texts), padding=len(texts) > 1, padding_side="left", return_tensors="pt")
    with torch.inference_mode():
        return model.generate(**batch, pad_token_id=0, **words)


def rows_of(result) -> list[dict]:
    """The first table of a page, a dict a row."""
    table = next(part for part in result.page().parts if isinstance(part, Table))
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def run_code(result, entry, **names):
    """Execute the lines of ``.code`` behind the model's own, which is given."""
    made = {"writer": entry.model}  # what the notebook calls it
    scope = {"tokenizer": entry.tokenizer, **made, **names}
    return run_home(result.code, **scope)


def test_a_text_that_was_learned_is_written(writer):
    """The trained model goes on as its line does, and stops at the end token."""
    result = hf.generate("france:")
    assert result.text == [" paris 🙂 it is"]
    assert result.ids[0][-1] == writer.tokenizer.eos_token_id
    assert "stopped: end token" in repr(result)


def test_greedy_is_what_generate_gives(writer):
    """The IDs are plain generate's, for one prompt and for a padded batch."""
    writer.tokenizer.pad_token = END
    for texts in (["one two"], ["a b", "france: pa", "xyz and more of it"]):
        expected = plain_ids(writer.model, writer.tokenizer, texts, max_new_tokens=9)
        assert torch.equal(hf.generate(texts, max_new_tokens=9).outputs, expected)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"temperature": 1.4, "seed": 3},
        {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 5, "sequences": 3},
        {"beams": 3},
        {"beams": 4, "sequences": 2},
        {"beams": 2, "temperature": 1.3, "seed": 1},
        {"set": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}},
        {"stop": ["four", "is"]},
        {"set": {"max_length": 20}},
        {"set": {"prompt_lookup_num_tokens": 2}},
    ],
)
def test_the_code_gives_the_same_ids(writer, words):
    """What ``.code`` runs is the same generation, whatever was asked."""
    result = hf.generate(
        ["one two", "france:"][: 1 if "prompt_lookup" in str(words) else 2], **words
    )
    scope = run_code(result, writer)
    assert torch.equal(scope["outputs"], result.outputs)
    assert scope["texts"] == result.text
    assert "hf_magics" not in result.code


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_encoder_decoders_write_too(tiny, minilm, kind):
    """The outputs begin with the decoder's start, and only what is new is told."""
    texts = ["hello there you", "good day"]
    entry = tiny(kind, tokenizer=minilm, vocab_size=31000, task="text2text-generation")
    batch = entry.tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    start = {"decoder_start_token_id": 0}
    result = hf.generate(texts, max_new_tokens=5, set=start)
    expected = entry.model.generate(**batch, max_new_tokens=5, **start)
    assert torch.equal(result.outputs, expected)
    assert result.ids == expected[:, 1:].tolist()
    assert torch.equal(run_code(result, entry)["outputs"], expected)
    beams = hf.generate(texts, max_new_tokens=5, beams=2, set=start)
    plain = entry.model.generate(**batch, max_new_tokens=5, num_beams=2, **start)
    assert torch.equal(beams.outputs, plain)


def test_token_ids_and_tensors_are_prompts_too(writer):
    """Lists of IDs are padded on the left; a dictionary is taken as it is."""
    ids = [writer.tokenizer("one two")["input_ids"], writer.tokenizer("a b a b")["input_ids"]]
    by_text = hf.generate(["one two", "a b a b"])
    by_ids = hf.generate(ids)
    assert by_ids.ids == by_text.ids
    assert torch.equal(run_code(by_ids, writer)["outputs"], by_ids.outputs)
    tensors = {"input_ids": torch.tensor(ids[:1])}
    by_tensor = hf.generate(tensors, variable="given")
    assert by_tensor.ids == by_text.ids[:1]
    assert run_code(by_tensor, writer, given=tensors)["texts"] == by_tensor.text
    with pytest.raises(InputError, match="padded on the right"):
        hf.generate({"input_ids": torch.ones(1, 2).long(), "attention_mask": torch.eye(2)[:1]})


def test_a_model_without_a_tokenizer_writes_ids(tiny):
    """IDs in, IDs out."""
    entry = tiny("gpt2", vocab_size=50, task="text-generation", eos_token_id=0)
    result = hf.generate([[1, 2, 3]], max_new_tokens=4)
    expected = entry.model.generate(
        torch.tensor([[1, 2, 3]]),
        attention_mask=torch.ones(1, 3).long(),
        max_new_tokens=4,
        pad_token_id=0,
    )
    assert torch.equal(result.outputs, expected)
    assert result.text == [" ".join(map(str, result.ids[0]))]
    with pytest.raises(TokenizerError, match="no tokenizer"):
        hf.generate("hello")
    with pytest.raises(TokenizerError, match="--stop compares text"):
        hf.generate([[1]], stop="a")


def test_the_tokenizer_and_the_random_numbers_are_as_before(writer):
    """Neither the padding nor the seed of a generation is left behind."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    side = writer.tokenizer.padding_side
    hf.generate(["one", "france: paris"], temperature=1.0, seed=4, max_new_tokens=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert (writer.tokenizer.padding_side, writer.tokenizer.pad_token) == (side, None)


def test_what_is_drawn_can_be_drawn_again(writer):
    """Without --seed one is chosen and said, and it gives the same text."""
    torch.manual_seed(7)
    first = hf.generate("x", temperature=1.5)
    assert notes(first) == []  # it was asked for
    said = first.page().parts[-1].text
    seed = int(said.partition("--seed ")[2].split()[0])
    assert hf.generate("x", temperature=1.5, seed=seed).ids == first.ids
    assert "temperature 1.5" in said
    torch.manual_seed(7)
    assert hf.generate("x", temperature=1.5).ids == first.ids


def test_nothing_is_drawn_unless_it_is_asked(writer):
    """Greedy by default; where the checkpoint samples, the page says so."""
    assert notes(hf.generate("one two")) == []
    writer.model.generation_config.do_sample = True
    try:
        assert any("drawn" in note for note in notes(hf.generate("one two")))
        greedy = hf.generate("one two", temperature=0)
        assert notes(greedy) == []
        assert "do_sample=False" in greedy.code
    finally:
        writer.model.generation_config.do_sample = None


def test_why_it_stopped(writer):
    """The end token, a stop string, the limit: in words, and what never came is said."""
    assert "stopped: limit of 3 tokens" in repr(hf.generate("france:", max_new_tokens=3))
    stopped = hf.generate("one", stop=["four", "nine"])
    assert stopped.text == [" two three four"]
    assert "stopped: stop string 'four'" in repr(stopped)
    assert notes(stopped) == ["--stop 'nine' never came"]
    both = hf.generate(["a b a b", "france:"], max_new_tokens=9)
    assert [row["stopped"] for row in rows_of(both)] == ["end token", "limit of 9 tokens"]
    assert "1 × end token, 1 × limit of 9 tokens" in both.page().parts[-1].text


def test_outputs_go_with_their_model(writer, learned):
    """Dropping a model lets go of the IDs of its texts, though others are loaded."""
    hf.add(learned, byte_level(), "other")
    shown = hf.generate("one", model="writer").kept_in(hf.session.kept, 10**6)
    kept = hf.generate("one", model="other").kept_in(hf.session.kept, 10**6)
    assert shown.outputs is not None
    hf.drop("writer")
    with pytest.raises(EvictedError, match="model was dropped"):
        _ = shown.outputs
    assert kept.outputs is not None


def test_the_checkpoints_own_settings_are_counted_in(writer, capfd):
    """With its beams a length penalty has a use; its stop strings end a text that is recorded."""
    own = writer.model.generation_config
    own.num_beams = 4
    try:
        beamed = hf.generate("one", set={"length_penalty": 2.0})
    finally:
        own.num_beams = None
    assert any("with --beams 1 the text comes" in note for note in notes(beamed))
    own.stop_strings = ["four"]
    try:
        pieces = []
        stopped = hf.generate("one", on_text=pieces.append)
        scope = run_code(stopped, writer)
    finally:
        own.stop_strings = None
    assert "".join(pieces) == stopped.text[0] == " two three four"
    assert all(row["prob"] > 0 for row in stopped.records())
    assert notes(stopped) == []
    assert torch.equal(scope["outputs"], stopped.outputs)
    assert capfd.readouterr().err == ""


def test_a_special_token_as_stop_string_came(writer):
    """It is not in the text, and still it ended it."""
    for words in ({}, {"beams": 2}, {"set": {"eos_token_id": 5}}):
        result = hf.generate("one", stop=END, max_new_tokens=40, **words)
        assert result.text == [" two three four five six"]
        assert not any("never came" in note for note in notes(result))


def test_pieces_are_told_as_they_come(writer):
    """The pieces make the text; a character of four bytes comes whole."""
    pieces = []
    result = hf.generate("france:", on_text=pieces.append)
    assert "".join(pieces) == result.text[0]
    assert "🙂" in pieces
    assert len(pieces) > 8
    several = hf.generate(["one", "france:"], on_text=pieces.append)
    assert any("not streamed" in note for note in notes(several))
    assert any("nothing was streamed" in note for note in notes(hf.generate("one", beams=2)))


def test_an_error_of_the_listener_is_its_own(writer):
    """What ``on_text`` raises comes out as it is."""

    def fail(_):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        hf.generate("one", on_text=fail)


def test_the_log_has_what_was_used(writer, session):
    """The resolved spec: the model, the limit, the seed."""
    hf.generate("one", temperature=1.0, seed=3)
    spec = session.log[-1]
    assert (spec.name, spec.max_new_tokens, spec.seed) == (
        "writer",
        63,
        3,
    ) or spec.max_new_tokens < 64
    hash(spec)


@pytest.mark.parametrize("field", ["max_length", "max_new_tokens"])
def test_the_log_can_be_replayed(writer, session, field):
    """A length of ``--set`` is resolved to the limit, and stands there once."""
    first = hf.generate("one", set={field: 9, "no_repeat_ngram_size": 4})
    spec = session.log[-1]
    assert spec.extra == (("no_repeat_ngram_size", 4),)
    again = hf.generate("one", max_new_tokens=spec.max_new_tokens, set=dict(spec.extra))
    assert again.ids == first.ids
