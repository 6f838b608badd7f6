"""Infer: what comes out is what transformers gives."""

import numpy as np
import pandas as pd
import pytest
import torch

import hf_magics as hf
from hf_magics.errors import HeadError, InputError, SessionNameError, TokenizerError
from hf_magics.specs import InferSpec
from tests.inference.plain import TINY, byte_level, forward, notes, plain, same

LINES = [
    "A longer line, with more words than any of the others here.",
    "Hello!",
    "Café naïve 東京 🙂",
    "x",
]
IDS = [[101, 7592, 999, 102], [101, 4658, 1012, 102], [101, 3835, 999, 102]]


def test_outputs_are_those_of_one_plain_batch(bert):
    """Values, order and padding equal the plain call of transformers, bit by bit."""
    result = hf.infer(LINES)
    assert same(result.outputs, plain(bert.model, bert.tokenizer, LINES))
    assert type(result.outputs).__name__ == "BaseModelOutputWithPoolingAndCrossAttentions"
    assert result.model is bert.model
    assert result.tokenizer is bert.tokenizer


def test_one_line_is_not_padded(bert):
    """A text alone gives what the tokenizer and the model give for it alone."""
    assert same(hf.infer(LINES[0]).outputs, plain(bert.model, bert.tokenizer, LINES[0]))


def test_outputs_were_made_without_gradients(bert):
    """The outputs are inference tensors, as under torch.inference_mode."""
    assert hf.infer("Hello!").outputs.last_hidden_state.is_inference()


@pytest.mark.parametrize(
    "value",
    [
        ["Hello!", "Cool.", "Nice!"],
        ("Hello!", "Cool.", "Nice!"),
        pd.Series(["Hello!", "Cool.", "Nice!"], index=[7, 8, 9]),
        np.array(["Hello!", "Cool.", "Nice!"]),
        IDS,
        np.array(IDS),
        torch.tensor(IDS),
        pd.Series(IDS),
        [np.array(line) for line in IDS],
        {"input_ids": torch.tensor(IDS)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_form_of_the_teaching_page_gives_the_same(bert, value):
    """Texts and token IDs in any container give the outputs of the three plain lines."""
    expected = forward(bert.model, input_ids=torch.tensor(IDS))
    assert same(hf.infer(value).outputs, expected)


def test_a_batch_encoding_is_run_as_it_is(bert):
    """What the user's own tokenizer call gave goes to the model unchanged."""
    batch = bert.tokenizer(LINES, LINES[::-1], padding=True, return_tensors="pt")
    assert same(hf.infer(batch).outputs, forward(bert.model, **batch))


def test_ids_of_different_lengths_are_padded_under_a_mask(bert):
    """Short lists of IDs give the outputs of a padded batch with its attention mask."""
    ids = [[101, 7592, 999, 2088, 102], [101, 102]]
    expected = forward(
        bert.model,
        input_ids=torch.tensor([ids[0], [101, 102, 0, 0, 0]]),
        attention_mask=torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]),
    )
    assert same(hf.infer(ids).outputs, expected)


def test_pads_among_the_ids_are_said_to_be_read_as_text(bert):
    """Padded IDs come without their mask: the answer is another one, and the page says why."""
    tokens = hf.tokens(LINES, padding="longest")
    padded = tokens.ids
    result = hf.infer(padded)
    count = sum(line.count(bert.tokenizer.pad_token_id) for line in padded)
    (note,) = notes(result)
    assert note.startswith(f"{count} pad tokens in the IDs, which no mask hides: the model reads")
    assert not same(result.outputs, plain(bert.model, bert.tokenizer, LINES))
    assert "give the mask too: the result of %hf_tokens whole" in note
    assert same(hf.infer(tokens).outputs, plain(bert.model, bert.tokenizer, LINES))
    assert notes(hf.infer([[101, 7592, 0, 102], [101, 102]])) == []


def test_a_pad_that_also_ends_is_no_padding(session):
    """Where the end token doubles as the pad token nothing is said of it."""
    tokenizer = byte_level()
    tokenizer.pad_token = tokenizer.eos_token
    hf.new("gpt2", name="g", tokenizer=tokenizer, seed=0, **TINY["gpt2"])
    assert not any("pad" in note for note in notes(hf.infer([[5, 6, tokenizer.eos_token_id]])))


def test_ids_are_padded_with_the_models_own_pad(tiny):
    """Without a tokenizer the config's pad token fills up: RoBERTa's positions depend on it."""
    model = tiny("roberta").model
    expected = forward(
        model,
        input_ids=torch.tensor([[0, 5, 6, 2], [0, 2, 1, 1]]),
        attention_mask=torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    )
    assert same(hf.infer([[0, 5, 6, 2], [0, 2]]).outputs, expected)


def test_a_tab_parts_a_pair(bert):
    """The two sides of a tab are the tokenizer's text and text_pair."""
    result = hf.infer(["How old?\tVery old.", "Where?\tHere, in the middle of nowhere."])
    pairs = ["Very old.", "Here, in the middle of nowhere."]
    assert same(result.outputs, plain(bert.model, bert.tokenizer, ["How old?", "Where?"], pairs))


def test_pairs_and_single_lines_mix(bert):
    """Each line of a mixed cell gives what it gives alone, padded under its mask."""
    outputs = hf.infer(["One\ttwo three", "Only this one line here"]).outputs
    each = [
        bert.tokenizer("One", "two three"),
        bert.tokenizer("Only this one line here"),
    ]
    batch = bert.tokenizer.pad(each, return_tensors="pt")
    assert same(outputs, forward(bert.model, **batch))


def test_cells_are_lines(shell, bert):
    """A cell is one input a line, blank ones skipped; --whole takes it as one."""
    by_line = shell.run("%%hf_infer\nHello!\n\nCool.\n").outputs
    whole = shell.run("%%hf_infer --whole\nHello!\n\nCool.\n").outputs
    assert same(by_line, plain(bert.model, bert.tokenizer, ["Hello!", "Cool."]))
    assert same(whole, plain(bert.model, bert.tokenizer, "Hello!\n\nCool."))


def test_a_line_is_text_with_its_quotes(shell, bert):
    """The rest of a line is the text as typed."""
    result = shell.run('%hf_infer say "hi  there" = 5')
    assert same(result.outputs, plain(bert.model, bert.tokenizer, 'say "hi  there" = 5'))


def test_forward_takes_what_set_gives(shell, bert):
    """--set passes arguments on to forward; nested outputs have a row each."""
    result = shell.run("%hf_infer --set output_hidden_states=true Hello!")
    expected = plain(bert.model, bert.tokenizer, "Hello!", output_hidden_states=True)
    assert same(result.outputs, expected)
    names = [row["tensor"] for row in result.records()]
    assert names == [
        "last_hidden_state",
        "pooler_output",
        *(f"hidden_states[{number}]" for number in range(7)),
    ]


def test_attentions_that_are_empty_are_explained(bert, minilm):
    """Under sdpa a note says that there are none and how to have them; under eager there is none."""
    asked = {"output_attentions": True}
    assert bert.loaded.config._attn_implementation == "sdpa"
    assert any("--attn eager" in note for note in notes(hf.infer("Hi", set=asked)))
    assert notes(hf.infer("Hi")) == []
    hf.load(minilm, name="eager", attn="eager")
    result = hf.infer("Hi", task="features", set=asked)
    assert notes(result) == []
    assert [row["tensor"] for row in result.records()][-1] == "attentions[5]"


def test_attentions_of_a_decoder_are_explained_too(tiny):
    """The note is there for an encoder-decoder, whose attentions have other names."""
    tiny("bart")
    result = hf.infer([[5, 6, 2]], set={"output_attentions": True})
    assert result.outputs.decoder_attentions == ()
    assert any("the attentions are empty" in note for note in notes(result))


def test_train_mode_is_said(tiny):
    """A model that was put in train mode gives random outputs, and a note says so."""
    model = tiny("bert").model
    assert not any("train mode" in note for note in notes(hf.infer([[5, 6]])))
    model.train()
    assert any("train mode" in note for note in notes(hf.infer([[5, 6]])))


def test_random_weights_are_said(tiny, bert):
    """A model made from a config is said to be random; a pretrained one is not."""
    tiny("gpt2")
    assert notes(hf.infer([[5, 6]], model="bert")) == []
    assert notes(hf.infer([[5, 6]], model="gpt2")) == [
        "the whole model is random: its answers mean nothing until it is trained"
    ]


def test_not_a_number_is_said(tiny):
    """NaN in an output is named at the top of the page, tensor by tensor."""
    model = tiny("bert").model
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[7] = float("nan")
    result = hf.infer([[5, 7]])
    assert any(note.startswith("last_hidden_state holds") for note in notes(result))
    assert not any("holds" in note for note in notes(hf.infer([[5, 6]])))


def test_pictures_go_in_as_tensors(tiny):
    """A model without a tokenizer takes a dictionary of what its forward takes."""
    model = tiny("vit").model
    pixels = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = hf.infer({"pixel_values": pixels})
    assert same(result.outputs, forward(model, pixel_values=pixels))
    assert "tensors; the model took" in repr(result)


def test_a_variable_of_the_notebook(shell, bert):
    """-i takes a value by its dotted name."""
    shell.names["frame"] = pd.DataFrame({"text": ["Hello!", "Cool."]})
    result = shell.run("%hf_infer -i frame.text")
    assert same(result.outputs, plain(bert.model, bert.tokenizer, ["Hello!", "Cool."]))


def test_the_log_holds_what_was_run(bert, session):
    """A run appends its resolved spec; a refused one leaves the log as it was."""
    hf.infer("Hello!", max_length=8)
    assert session.log[-1] == InferSpec(
        name="bert", texts=("Hello!",), task="features", max_length=8
    )
    before = list(session.log)
    with pytest.raises(InputError):
        hf.infer([[10**6]])
    assert session.log == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_infer -m brt Hello", "no model named 'brt'; loaded: bert; did you mean 'bert'?"),
        ("%hf_infer --task feature Hello", "no task 'feature'"),
        ("%hf_infer --max-length 0 Hello", "at least 1 token"),
        ("%hf_infer --max-length 513 Hello", "more than the 512 positions"),
        ("%hf_infer --max-length 1 Hello", "less than the special tokens"),
        ("%hf_infer", "there is no text"),
        ("%hf_infer -i gone", "there is no variable 'gone'"),
    ],
)
def test_errors_are_one_line(shell, bert, line, said):
    """What can't be run is refused in one line that says what to type."""
    assert said in shell.error(line)


def test_verbs_raise_their_own_errors(session, tiny):
    """Scripts get a class for each kind of failure."""
    with pytest.raises(SessionNameError, match="no model is loaded"):
        hf.infer("Hello")
    tiny("bert")
    with pytest.raises(TokenizerError, match="--tokenizer SOURCE, or give token IDs with -i"):
        hf.infer("Hello")
    with pytest.raises(HeadError):
        hf.infer([[5]], task="x")


def test_a_tokenizer_that_is_larger_than_the_model_is_found_out(tiny):
    """A text whose token has no row in the embedding is refused with both numbers."""
    tiny("gpt2", vocab_size=100, tokenizer=byte_level())
    with pytest.raises(InputError, match="embedding has 100 rows"):
        hf.infer("the fox")
    with pytest.raises(InputError, match=r"token ID 150 .* 100 rows"):
        hf.infer({"input_ids": torch.tensor([[150]])})


def test_a_head_that_was_trained_since_is_not_called_random(session, minilm):
    """Loaded with a new head, the page warns; after a step of training it does not."""
    hf.load(minilm, name="c", task="text-classification", num_labels=2)
    assert "the classifier is random" in repr(hf.infer("Hello!"))
    model = session["c"].model
    optimiser = torch.optim.SGD(model.classifier.parameters(), lr=0.1)
    batch = session["c"].tokenizer("Hello!", return_tensors="pt")
    model(**batch, labels=torch.tensor([1])).loss.backward()
    optimiser.step()
    assert "random" not in repr(hf.infer("Hello!"))
    assert "random" not in repr(hf.models())


def test_training_elsewhere_leaves_the_head_random(session, minilm):
    """A step that changes the encoder alone says nothing of the head."""
    hf.load(minilm, name="c", task="text-classification", num_labels=2)
    with torch.no_grad():
        session["c"].model.bert.pooler.dense.bias.add_(1.0)
    assert "the classifier is random" in repr(hf.infer("Hello!"))


def test_a_cast_does_not_train_a_head(session, minilm):
    """Moved to another dtype, by the magic or by hand, a random head is as random as before."""
    hf.load(minilm, name="c", task="text-classification", num_labels=2)
    hf.use("c", dtype="float64")
    assert "the classifier is random" in repr(hf.infer("Hello!"))
    session["c"].model.to(torch.bfloat16)
    assert "the classifier is random" in repr(hf.infer("Hello!"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"context": 5}, "--context takes texts, and '5' is int"),
        ({"labels": [1, 2]}, "--labels takes texts, and '1' is int"),
    ],
)
def test_options_that_are_no_texts_are_named(bert, words, said):
    """One line, no traceback out of the middle."""
    with pytest.raises(InputError, match=said):
        hf.infer("Hello!", **words)
