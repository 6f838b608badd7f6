"""One batch through a model: what is completed, what is refused."""

import pytest
import torch
from transformers import BertConfig, BertModel

import hf_magics as hf
from hf_magics.errors import FitError, InputError
from hf_magics.inference.running import run
from tests.inference.plain import forward, notes, same

IDS = torch.tensor([[5, 6, 1], [7, 1, 0]])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])
STARTED = "the decoder was started with its start token"


def test_a_decoder_is_started_with_its_start_token(tiny):
    """T5, which starts with its pad token, gives what transformers gives from there; a note says so."""
    model = tiny("t5").model
    result = hf.infer([[5, 6, 1], [7, 1]])
    start = torch.full((2, 1), model.config.pad_token_id)
    expected = forward(model, input_ids=IDS, attention_mask=MASK, decoder_input_ids=start)
    assert same(result.outputs, expected)
    assert result.outputs.last_hidden_state.shape == (2, 1, 16)
    assert sum(STARTED in note for note in notes(result)) == 1


@pytest.mark.parametrize("where", ["config", "generation_config"])
def test_the_start_token_is_the_models_own(tiny, where):
    """A start token in the config, or in the generation config, is the one that is used."""
    model = tiny("t5", class_="T5ForConditionalGeneration").model
    getattr(model, where).decoder_start_token_id = 9
    start = torch.full((1, 1), 9)
    expected = forward(model, input_ids=IDS[:1], attention_mask=MASK[:1], decoder_input_ids=start)
    assert same(hf.infer([[5, 6, 1]], task="features").outputs, expected)


def test_a_decoder_that_starts_itself_is_left_alone(tiny):
    """BART makes its decoder's input from the text: no note, and plain transformers' outputs."""
    model = tiny("bart").model
    result = hf.infer([[5, 6, 2]])
    ids = torch.tensor([[5, 6, 2]])
    assert same(result.outputs, forward(model, input_ids=ids, attention_mask=torch.ones_like(ids)))
    assert not any(STARTED in note for note in notes(result))


def test_a_decoder_input_that_is_given_is_kept(tiny):
    """What the user gives as decoder_input_ids is what the decoder gets."""
    loaded = tiny("t5")
    given = {"input_ids": IDS, "decoder_input_ids": torch.tensor([[0, 3], [0, 4]])}
    outputs, added = run(loaded, given, {})
    assert added == {}
    assert same(outputs, forward(loaded.model, **given))
    assert not any(STARTED in note for note in notes(hf.infer(given)))


def test_another_value_error_is_not_taken_for_a_missing_start(tiny):
    """A model without a decoder keeps its own error, in one line."""
    tiny("vit")
    with pytest.raises(InputError, match="vit does not take this input: "):
        hf.infer({"pixel_values": torch.zeros(1, 3, 8, 8)})


@pytest.mark.parametrize(
    "given",
    [
        {"input_ids": torch.zeros(1, 40, dtype=torch.long)},
        {"input_ids": torch.zeros(2, 3, 4, dtype=torch.long)},
        {"inputs_embeds": torch.zeros(1, 3, 7)},
    ],
    ids=" ".join,
)
def test_what_forward_refuses_is_one_line(tiny, given):
    """Wrong names and shapes are an error that names the model, with torch's own reason."""
    tiny("bert")
    with pytest.raises(InputError, match=r"bert does not take this input: .") as caught:
        hf.infer(given)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_full_device_is_said_to_be_full(tiny, monkeypatch, device):
    """Out of memory names the way out: fewer lines, shorter lines, --max-length."""
    loaded = tiny("bert")

    def exhaust(*args, **kwargs):
        if device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")
        torch.empty(2**60, dtype=torch.uint8)

    monkeypatch.setattr(loaded.model.encoder, "forward", exhaust)
    with pytest.raises(FitError, match="fewer or shorter lines, or --max-length N"):
        hf.infer([[5, 6]])


def test_the_users_dictionary_stays_as_it_was(tiny):
    """Running a dictionary of tensors changes neither it nor them."""
    tiny("t5")
    given = {"input_ids": IDS.clone()}
    hf.infer(given)
    assert list(given) == ["input_ids"]
    assert torch.equal(given["input_ids"], IDS)


def test_arguments_of_set_arrive_at_forward(tiny):
    """Arguments of --set reach the model with their values."""
    model = tiny("gpt2").model
    result = hf.infer([[5, 6]], set={"use_cache": False})
    assert result.outputs.past_key_values is None
    expected = forward(
        model,
        input_ids=torch.tensor([[5, 6]]),
        attention_mask=torch.ones(1, 2, dtype=torch.long),
        use_cache=False,
    )
    assert same(result.outputs, expected)


def test_the_model_is_as_it_was(tiny):
    """A run leaves mode, weights, gradients and inference mode alone."""
    model = tiny("bert").model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    hf.infer([[5, 6]])
    assert same(dict(model.state_dict()), before)
    assert not model.training
    assert not torch.is_inference_mode_enabled()
    model(input_ids=torch.tensor([[5, 6]])).last_hidden_state.sum().backward()
    assert model.embeddings.word_embeddings.weight.grad is not None


@pytest.mark.parametrize("name", ["pixel_values", "atention_mask"])
def test_a_name_that_forward_ignores_is_refused(tiny, name):
    """A misspelt or foreign name in a dictionary is an error: forward would pass it on, unseen."""
    tiny("bert")
    ids = torch.zeros(1, 3, dtype=torch.long)
    with pytest.raises(InputError, match=f"BertModel takes no '{name}'"):
        hf.infer({"input_ids": ids, name: ids})


def test_writing_begins_with_the_pad_token_where_nothing_is_named(tiny):
    """A T5 made from a config names no start: text2text and generate write from its pad token."""
    loaded = tiny("t5", class_="T5ForConditionalGeneration")
    loaded.model.generation_config.decoder_start_token_id = None
    loaded.model.config.decoder_start_token_id = None
    pad = loaded.config.pad_token_id
    with torch.inference_mode():
        expected = loaded.model.generate(
            torch.tensor([[5, 6, 1]]), max_new_tokens=4, decoder_start_token_id=pad
        )
    assert torch.equal(hf.infer([[5, 6, 1]], max_new_tokens=4).outputs["sequences"], expected)
    assert torch.equal(hf.generate([[5, 6, 1]], max_new_tokens=4).outputs, expected)


def test_a_forward_that_passes_everything_on_is_given_everything(session):
    """A wrapper that names no input is run: what is in it says what it takes."""

    class Wrapper(BertModel):
        def forward(self, **kwargs):
            return super().forward(**kwargs)

    size = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = Wrapper(BertConfig(hidden_size=16, vocab_size=120, **size)).eval()
    hf.add(model, None, "wrapped")
    result = hf.infer([[5, 6, 1], [7, 1]])
    assert same(result.outputs, forward(model, input_ids=IDS, attention_mask=MASK))


def test_a_dictionary_of_tensors_is_not_cut(tiny):
    """--max-length has nothing to cut there: it is refused, not ignored."""
    tiny("bert")
    with pytest.raises(InputError, match="not a dictionary of tensors"):
        hf.infer({"input_ids": IDS}, max_length=2)
