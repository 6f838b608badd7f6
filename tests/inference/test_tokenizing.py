"""Text and token IDs to a batch: limits, what was cut, what was borrowed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import AutoTokenizer, BertTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast

import hf_magics as hf
from hf_magics.errors import InputError
from hf_magics.inference.tokenizing import encode, from_ids
from hf_magics.modeling.limits import limit_words, position_limit, token_limit
from tests.home import run_home
from tests.inference.plain import END, TINY, byte_level, forward, notes, plain, same


def test_the_batch_is_the_tokenizers_own(bert):
    """IDs, types and mask are those of one padded call of the tokenizer."""
    lines = ["Hello!", "A few more words"]
    encoded = encode(bert.loaded, lines)
    plain_batch = bert.tokenizer(lines, padding=True, return_tensors="pt")
    assert same(encoded.inputs, dict(plain_batch))
    assert encoded.lengths == (4, 6)
    assert (encoded.limit, encoded.cuts, encoded.pad_word, encoded.unknown) == (512, (), "", 0)


def test_the_teaching_pages_ids(bert):
    """The three lines of the teaching page have its IDs."""
    encoded = encode(bert.loaded, ["Hello!", "Cool.", "Nice!"])
    assert encoded.inputs["input_ids"].tolist() == [
        [101, 7592, 999, 102],
        [101, 4658, 1012, 102],
        [101, 3835, 999, 102],
    ]


def test_the_line_that_was_cut_is_named_with_what_was_lost(bert):
    """Only the long line is named, with the number of tokens and exactly the text that is gone."""
    text = "one two three four five"
    encoded = encode(bert.loaded, ["short", text], 5)
    assert encoded.inputs["input_ids"].shape == (2, 5)
    (cut,) = encoded.cuts
    assert (cut.line, cut.lost_tokens, cut.limit, cut.lost_text) == (2, 2, 5, "four five")
    assert cut.words() == (
        "line 2 is too long: it was cut to 5 tokens, and 2 were lost: “four five”"
    )


def test_a_line_that_just_fits_is_not_cut(bert):
    """Exactly at the limit nothing is lost and nothing is said."""
    assert encode(bert.loaded, ["one two three"], 5).cuts == ()
    assert encode(bert.loaded, ["one two three"], 4).cuts[0].lost_text == "three"


def test_the_left_side_is_what_is_lost_where_the_tokenizer_cuts_there(bert):
    """With truncation_side left the beginning is gone, and the note shows that."""
    bert.tokenizer.truncation_side = "left"
    (cut,) = encode(bert.loaded, ["one two three four five"], 5).cuts
    assert (cut.lost_tokens, cut.lost_text) == (2, "one two")


def test_both_texts_of_a_pair_are_cut(bert):
    """Of a pair the loss of each text is shown, as the tokenizer shares it out."""
    pair = ("one two three four", "five six seven eight nine ten")
    encoded = encode(bert.loaded, ["\t".join(pair)], 8)
    assert same(
        dict(encoded.inputs),
        dict(
            bert.tokenizer([pair[0]], [pair[1]], truncation=True, max_length=8, return_tensors="pt")
        ),
    )
    (cut,) = encoded.cuts
    kept = bert.tokenizer.decode(encoded.inputs["input_ids"][0])
    assert kept == "[CLS] one two [SEP] five six seven [SEP]"
    assert (cut.lost_tokens, cut.lost_text) == (5, "three four … eight nine ten")


def test_cut_in_the_middle_of_a_word(bert):
    """What is lost begins at the character where the last kept piece ends."""
    words = bert.tokenizer.tokenize("untranslatableness")
    assert len(words) > 2
    (cut,) = encode(bert.loaded, ["untranslatableness"], 3).cuts
    assert words[0] + cut.lost_text == "untranslatableness"


@pytest.mark.parametrize("side", ["right", "left"])
def test_tokenizers_without_offsets_name_the_loss_too(session, side):
    """A slow tokenizer's loss is the text of its lost tokens, without special tokens."""
    tokenizer = ByT5Tokenizer(truncation_side=side)
    hf.new("t5", name="t5", tokenizer=tokenizer, **TINY["t5"])
    (cut,) = encode(session["t5"], ["abcdefgh"], 6).cuts
    lost = "fgh" if side == "right" else "abc"
    assert (cut.lost_tokens, cut.lost_text) == (3, lost)
    (cut,) = encode(session["t5"], ["abcdef\tuvwxyz"], 8).cuts
    kept = tokenizer.decode(encode(session["t5"], ["abcdef\tuvwxyz"], 8).inputs["input_ids"][0])
    first, second, _ = kept.split("</s>")
    lost = cut.lost_text.split(" … ")
    whole = [a + b for a, b in zip((first, second), lost, strict=True)]
    assert (
        whole if side == "right" else [b + a for a, b in zip((first, second), lost, strict=True)]
    ) == [
        "abcdef",
        "uvwxyz",
    ]


def test_ids_are_cut_and_the_loss_is_decoded(bert, tiny):
    """Long lists of IDs lose their end: shown as text, or as numbers without a tokenizer."""
    ids = tuple(bert.tokenizer("one two three four five", add_special_tokens=False)["input_ids"])
    encoded = from_ids(bert.loaded, (ids, ids[:2]), 3)
    assert encoded.inputs["input_ids"].tolist() == [list(ids[:3]), [*ids[:2], 0]]
    assert encoded.inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    (cut,) = encoded.cuts
    assert (cut.line, cut.lost_tokens, cut.lost_text) == (1, 2, "four five")
    (cut,) = from_ids(tiny("gpt2"), (tuple(range(50)),)).cuts
    assert (cut.limit, cut.lost_tokens, cut.lost_text) == (48, 2, "48, 49")


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "word " * 20_000, "🙂" * 100_000, "\n" * 99_999 + "x"]
)
def test_nothing_crashes_on_long_text(bert, text):
    """A hundred thousand characters run like any text, cut to the model's positions."""
    result = hf.infer([text, "short"])
    assert same(result.outputs, plain(bert.model, bert.tokenizer, [text, "short"]))
    assert all(len(note) < 500 for note in notes(result))


def test_robertas_offset_costs_two_positions(tiny):
    """Of 514 positions 512 tokens can be used: one more than that is cut, not an index error."""
    loaded = tiny("roberta")
    assert (position_limit(loaded.model), token_limit(loaded)) == (512, 512)
    ids = [5] * 600
    result = hf.infer([ids])
    kept = torch.full((1, 512), 5)
    assert same(
        result.outputs, forward(loaded.model, input_ids=kept, attention_mask=torch.ones_like(kept))
    )
    with pytest.raises((IndexError, RuntimeError)):
        forward(loaded.model, input_ids=torch.full((1, 513), 5))


def test_a_tokenizer_from_a_vocabulary_has_the_models_limit(session, minilm, tmp_path):
    """A bare vocabulary knows no limit; the model's positions are the limit then."""
    words = AutoTokenizer.from_pretrained(minilm).convert_ids_to_tokens(range(120))
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizer(vocab=str(path))
    assert tokenizer.model_max_length > 10**20
    hf.new("bert", name="b", tokenizer=tokenizer, **TINY["bert"])
    assert token_limit(session["b"]) == 32
    assert encode(session["b"], ["x " * 50]).lengths == (32,)


def test_the_smaller_of_the_two_limits_counts(bert, session):
    """A tokenizer's lower limit wins over the positions; --max-length may go up to these."""
    bert.tokenizer.model_max_length = 10
    assert (token_limit(bert.loaded), limit_words(bert.loaded)) == (10, "at most 10 tokens")
    assert encode(bert.loaded, ["x " * 50]).lengths == (10,)
    assert encode(bert.loaded, ["x " * 50], 20).lengths == (20,)


def test_models_without_positions_cut_nothing(session):
    """T5 has no limit: a long text goes in whole, unless --max-length says otherwise."""
    tokenizer = ByT5Tokenizer(model_max_length=10**30)
    hf.new("t5", name="t5", tokenizer=tokenizer, **TINY["t5"])
    assert token_limit(session["t5"]) is None
    assert limit_words(session["t5"]) == "no limit on length"
    encoded = encode(session["t5"], ["a" * 3000])
    assert (encoded.lengths, encoded.cuts) == ((3001,), ())
    assert encode(session["t5"], ["a" * 3000], 10).lengths == (10,)


def test_a_limit_that_can_not_be_kept_is_refused(bert):
    """Fewer tokens than the special ones, none, or more than the positions: an error, no silent lie."""
    for limit, said in ((0, "at least 1"), (1, "special tokens"), (513, "512 positions of bert")):
        with pytest.raises(InputError, match=said):
            encode(bert.loaded, ["one two"], limit)
    with pytest.raises(InputError, match="special tokens"):
        encode(bert.loaded, ["one\ttwo"], 2)
    assert encode(bert.loaded, ["one two"], 2).inputs["input_ids"].tolist() == [[101, 102]]


def test_a_pad_token_is_borrowed_and_given_back(session):
    """Without a pad token the end token pads under the mask; the tokenizer is as it was."""
    tokenizer = byte_level()
    hf.new("gpt2", name="g", tokenizer=tokenizer, seed=0, **TINY["gpt2"])
    before = dict(tokenizer.special_tokens_map)
    result = hf.infer(["the quick brown fox", "the"])
    assert any(f"'{END}' was borrowed for padding" in note for note in notes(result))
    assert tokenizer.pad_token is None
    assert dict(tokenizer.special_tokens_map) == before
    with pytest.raises(ValueError, match="padding token"):
        tokenizer(["the fox", "a"], padding=True)
    other = byte_level()
    other.pad_token = END
    assert same(
        result.outputs, plain(session["g"].model, other, ["the quick brown fox", "the"], limit=48)
    )


def test_the_pad_token_is_given_back_after_an_error(session, monkeypatch):
    """Even when tokenising fails the tokenizer is as it was."""
    tokenizer = byte_level()
    hf.new("gpt2", name="g", tokenizer=tokenizer, **TINY["gpt2"])
    monkeypatch.setattr("hf_magics.inference.tokenizing._batch", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        encode(session["g"], ["a", "b c"])
    assert tokenizer.pad_token is None
    with ThreadPoolExecutor() as pool:  # another thread: the lock is this one's to take again
        assert pool.submit(session["g"].lock.acquire, blocking=False).result()


def test_nothing_is_said_where_nothing_is_padded(session):
    """Lines of one length need no pad token, and there is no note about it."""
    hf.new("gpt2", name="g", tokenizer=byte_level(), **TINY["gpt2"])
    assert not any("borrowed" in note for note in notes(hf.infer(["ab", "cd"])))


def test_unknown_tokens_are_counted(bert):
    """Words that the vocabulary does not have are said to be unknown, with both numbers."""
    result = hf.infer(["hello 𓀀 world 𓀁", "fine"])
    assert notes(result) == ["2 of 9 tokens are unknown to the tokenizer"]
    assert notes(hf.infer("hello")) == []


def test_an_unknown_token_that_also_ends_is_not_counted(session):
    """Where the end token doubles as the unknown one nothing can be said, and nothing is."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level().backend_tokenizer, eos_token=END, unk_token=END
    )
    hf.new("gpt2", name="g", tokenizer=tokenizer, **TINY["gpt2"])
    assert encode(session["g"], [f"the fox{END}"]).unknown == 0


@pytest.mark.parametrize("lines", [["ab", "the quick brown fox"], ["ab", "the quick\tbrown fox"]])
def test_a_line_among_others_is_what_it_is_alone(session, lines):
    """A tokenizer that pads on the left moves no position, nor does it in the code."""
    tokenizer = byte_level()
    tokenizer.padding_side = "left"
    model = hf.new("gpt2", name="g", seed=0, tokenizer=tokenizer, **TINY["gpt2"]).model
    result = hf.infer(lines, task="features")
    assert result.outputs.last_hidden_state.shape[0] == 2
    for line, states in zip(lines, result.outputs.last_hidden_state, strict=True):
        alone = hf.infer(line, task="features").outputs.last_hidden_state[0]
        assert torch.allclose(states[: len(alone)], alone, atol=1e-5)
    names = run_home(result.code, g=model, tokenizer=tokenizer)
    assert same(names["outputs"], result.outputs)
    assert (tokenizer.padding_side, 'padding_side="right"' in result.code) == ("left", True)


def test_a_model_that_reads_the_last_column_is_padded_as_its_tokenizer_does(session):
    """XLNet's head takes the last column, and its positions are relative: padding stays left."""
    tokenizer = byte_level()
    tokenizer.padding_side = "left"
    size = {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16, "vocab_size": 300}
    hf.new("xlnet", name="x", class_="XLNetForSequenceClassification", tokenizer=tokenizer, **size)
    lines = ["ab", "the quick brown fox"]
    alone = torch.cat([hf.infer(line).outputs.logits for line in lines])
    assert torch.allclose(hf.infer(lines).outputs.logits, alone, atol=1e-5)


@pytest.mark.parametrize("lines", [["one", "one two"], ["one", "one\ttwo"]])
@pytest.mark.parametrize("kind", ["t5", "distilbert", "fnet"])
def test_what_the_model_has_no_parameter_for_is_left_out(session, bert, kind, lines):
    """Token types do not reach T5 and DistilBERT, a mask not FNet; the code leaves them out too."""
    size = {"t5": TINY["t5"] | {"vocab_size": 30522}, "fnet": {"hidden_size": 16}}
    small = {"distilbert": {"dim": 16, "n_heads": 2, "n_layers": 1, "hidden_dim": 16}}
    hf.new(kind, name="m", seed=0, tokenizer=bert.tokenizer, **(size | small)[kind])
    result = hf.infer(lines, task="features")
    beside = "token_type_ids" if kind == "fnet" else "attention_mask"
    assert set(encode(session["m"], lines).inputs) == {"input_ids", beside}
    names = run_home(result.code, m=session["m"].model, tokenizer=bert.tokenizer)
    assert same(names["outputs"], result.outputs)
