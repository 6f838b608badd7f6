"""Any value of a notebook as inputs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from transformers import BatchEncoding, BertTokenizer

import hf_magics as hf
from hf_magics.errors import InputError
from hf_magics.inference.inputs import Inputs, read_inputs, texts_or_ids, texts_or_rows
from hf_magics.inference.things import as_image
from tests.inference.plain import byte_level, forward

LINE = (101, 7592, 102)


@pytest.mark.parametrize(
    "value",
    [
        list(LINE),
        LINE,
        np.array(LINE),
        np.array(LINE, dtype=np.int32),
        torch.tensor(LINE),
        pd.Series(LINE),
        [np.int64(one) for one in LINE],
        [torch.tensor(one) for one in LINE],
        range(101, 104),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_list_of_ids_is_one_line(value):
    """IDs in any container are one line of Python integers."""
    read = read_inputs(value)
    expected = (101, 102, 103) if isinstance(value, range) else LINE
    assert read == Inputs(ids=(expected,))
    assert all(type(one) is int for one in read.ids[0])


@pytest.mark.parametrize(
    "value",
    [
        [list(LINE), [101, 102]],
        ([np.int64(one) for one in LINE], (101, 102)),
        [torch.tensor(LINE), torch.tensor([101, 102])],
        [np.array(LINE), [101, 102]],
        pd.Series([list(LINE), [101, 102]]),
        pd.Series([np.array(LINE), np.array([101, 102])]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_lists_of_ids_are_lines(value):
    """A list of lists is a line each, of any lengths."""
    read = read_inputs(value)
    assert read == Inputs(ids=(LINE, (101, 102)))
    assert all(type(one) is int for line in read.ids for one in line)


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Series, iter])
def test_texts_keep_their_order(make):
    """Texts in any container are a line each."""
    assert read_inputs(make(["b", "a", "b"])) == Inputs(texts=("b", "a", "b"))


def test_a_string_is_one_text():
    """A string is not taken apart, not even at its line ends."""
    assert read_inputs("two\nlines") == Inputs(texts=("two\nlines",))
    assert read_inputs(np.str_("text")) == Inputs(texts=("text",))


def test_dictionaries_and_encodings_are_tensors():
    """What has names goes to forward by them."""
    ids = torch.tensor([[1]])
    assert read_inputs({"pixel_values": ids}).tensors == {"pixel_values": ids}
    assert read_inputs(BatchEncoding({"input_ids": ids})).tensors == {"input_ids": ids}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "not int"),
        (None, "not NoneType"),
        (torch.tensor(3), "not Tensor"),
        (b"abc", "not bytes"),
        ([[1, "a"]], "line 1 holds 'a', which is no token ID"),
        ([[1, 2], [3, 4.5]], "line 2 holds 4.5"),
        (torch.tensor([[1.5]]), "line 1 holds 1.5"),
        (torch.zeros(1, 1, 1, dtype=torch.long), "line 1 holds [0]"),
        ([[True]], "line 1 holds True"),
    ],
    ids=str,
)
def test_what_is_neither_is_refused(value, said):
    """The message names what it is, and where it stands."""
    with pytest.raises(InputError) as caught:
        read_inputs(value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "there is no text"),
        (["a", 3], "line 2 is int, not text: '3'"),
        (["a", [101]], "line 2 is list, not text"),
        (pd.Series(["a", None]), "line 2 is"),
        ([""], "line 1 is empty"),
        (["a", " \n"], "line 2 is empty"),
        ([[]], "there are no token IDs"),
        ([[101], []], "there are no token IDs"),
        ([[30522]], "token ID 30522 in line 1 is outside the vocabulary of 30,522 entries"),
        ([[101], [5, -1]], "token ID -1 in line 2"),
        ({}, "a dictionary of tensors is needed"),
        ({"input_ids": "abc"}, "a dictionary of tensors is needed; input_ids is none"),
        ({"input_ids": [["a"]]}, "a dictionary of tensors is needed; input_ids is none"),
        ({"input_ids": [[101], [5, 6]]}, "the lines of 'input_ids' have different lengths"),
    ],
    ids=str,
)
def test_what_can_not_be_run_is_refused(bert, value, said):
    """A wrong line is named by its number before anything is run."""
    import hf_magics as hf

    with pytest.raises(InputError) as caught:
        hf.infer(value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


PICTURE = Image.new("RGB", (4, 3))
PIXELS = np.zeros((3, 4, 3), dtype=np.uint8)
SOUND = np.zeros(8, dtype=np.float32)


@pytest.mark.parametrize(
    "value",
    [
        PICTURE,
        PIXELS,
        np.zeros((3, 4), dtype=np.uint8),
        torch.from_numpy(PIXELS),
        SOUND,
        torch.zeros(8),
        {"array": SOUND, "sampling_rate": 16_000},
        Path("cat.png"),
        pd.DataFrame({"city": ["Rome"]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_image_a_sound_a_table_or_a_path_is_one_thing(value):
    """What a task may read that is no text is taken as it is."""
    read = read_inputs(value)
    assert (read.kind, read.count, read.alone) == ("things", 1, True)
    assert read.things[0] is value


def test_lists_of_things_are_things():
    """In a list of things a text is a path, and a tuple is a thing with a question."""
    assert read_inputs([PICTURE, "cat.png"]).things == (PICTURE, Path("cat.png"))
    pair = (PICTURE, "how much?")
    assert read_inputs([pair]).things == (pair,)
    assert read_inputs(np.stack([PIXELS, PIXELS])).count == 2
    assert read_inputs(pd.Series([PICTURE, PICTURE])).count == 2
    assert not read_inputs([PICTURE]).alone
    with pytest.raises(InputError, match="item 2 is int, no image"):
        read_inputs([PICTURE, 3])


def test_things_are_no_texts():
    """A verb that reads texts names what it was given; of a table it takes a column."""
    with pytest.raises(InputError, match="not an image"):
        texts_or_ids(PIXELS)
    with pytest.raises(InputError, match="not a sound"):
        texts_or_ids(SOUND)
    with pytest.raises(InputError, match="a Series, such as"):
        texts_or_ids(pd.DataFrame({"text": ["a"]}))


def test_an_image_in_memory_stands_upright_too():
    """What a photo says of its orientation counts as it does for a file."""
    photo = Image.new("RGB", (4, 2))
    photo.getexif()[0x0112] = 6  # turned by a quarter
    assert as_image(photo).size == (2, 4)


def test_pairs_go_in_as_a_list_of_pairs():
    """Two texts in a list or tuple are what a tab parts in a cell; one with a tab is refused."""
    assert read_inputs([("a", "b"), ["c", "d"]]).texts == ("a\tb", "c\td")
    with pytest.raises(InputError, match="pair 2 has a tab"):
        read_inputs([("a", "b"), ("c\t", "d")])


def test_a_missing_value_of_a_column_is_named(tiny):
    """NaN and None are what pandas has where nothing is: the line says how to leave them out."""
    tiny("bert").tokenizer = BertTokenizer(vocab={"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3})
    for missing in (float("nan"), None):
        with pytest.raises(InputError, match=r"line 2 is .*dropna"):
            hf.infer(["a", missing])


PADDED = ["Hello!", "A text of some more words than that."]


@pytest.mark.parametrize("padding", ["longest", "max_length"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_mask_that_came_along_hides_the_padding(bert, padding, side):
    """A result of hf.tokens with padding on either side gives what its texts give, unwarned."""
    bert.tokenizer.padding_side = side
    tokens = hf.tokens(PADDED, padding=padding, max_length=12)
    assert tokens.ids[0].count(bert.tokenizer.pad_token_id) > 5
    assert tokens.mask == bert.tokenizer(PADDED, padding=padding, max_length=12)["attention_mask"]
    found = hf.infer(tokens, task="features")
    bert.tokenizer.padding_side = "right"
    expected = hf.infer(PADDED, task="features").outputs.last_hidden_state
    for row, length in enumerate(sum(mask) for mask in tokens.mask):
        ours = found.outputs.last_hidden_state[row, :length]
        assert (ours - expected[row, :length]).abs().max() < 1e-5
    assert not any("mask hides" in note.text for note in found.page().notes)
    assert hf.tokens(tokens).ids == tokens.ids  # where they are read they are all there


@pytest.mark.parametrize("kind", ["pt", "np", None])
def test_a_tokenizers_batch_of_any_kind_is_run_with_its_mask(bert, kind):
    """Tensors, arrays or lists: the outputs are those of the batch as tensors, bit by bit."""
    batch = bert.tokenizer(PADDED, padding=True, return_tensors=kind)
    wanted = forward(bert.model, **bert.tokenizer(PADDED, padding=True, return_tensors="pt"))
    found = hf.infer(batch, task="features")
    assert torch.equal(found.outputs.last_hidden_state, wanted.last_hidden_state)
    single = bert.tokenizer(PADDED[0], return_tensors=kind)
    assert hf.infer(single, task="features").outputs.last_hidden_state.shape == (1, 4, 384)
    assert len(hf.tokens(bert.tokenizer(PADDED)).ids) == 2  # lines of any lengths can be read


def test_what_looks_at_each_token_leaves_padding_out(tiny):
    """A lens and a score see the tokens that the mask shows; what reads IDs sees all."""
    entry = tiny("gpt2", task="text-generation")
    entry.tokenizer = byte_level()
    entry.tokenizer.pad_token = entry.tokenizer.eos_token
    batch = entry.tokenizer(["ab", "abcdef"], padding=True)
    lines = tuple(tuple(line) for line in entry.tokenizer(["ab", "abcdef"])["input_ids"])
    for value in (batch, hf.tokens(["ab", "abcdef"], padding="longest")):
        assert texts_or_rows(value) == Inputs(ids=lines)
        assert max(map(len, texts_or_ids(value).ids)) == min(map(len, texts_or_ids(value).ids))
