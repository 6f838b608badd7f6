"""What two models give of a text: the numbers are those of plain torch, where a token stands."""

import importlib.util

import pytest
import torch

import hf_magics as hf
from tests.home import run_home
from tests.inside.twins import CHANGED, TEXTS, WORDS, answer, printed, put_twins, shift


def test_outputs_differ_from_the_layer_that_changed(session):
    """Layer by layer, and the numbers at real tokens are those of plain torch."""
    put_twins(words=WORDS, vocab_size=len(WORDS))
    shift("encoder.layer.1.output.dense")
    result = hf.compare("one", "other", TEXTS)
    one, other = (session[name].model for name in ("one", "other"))
    inputs = session["one"].tokenizer(TEXTS, padding=True, return_tensors="pt")
    real = inputs["attention_mask"].bool()
    with torch.inference_mode():
        a, b = (model(**inputs, output_hidden_states=True) for model in (one, other))
    far = result.outputs_apart
    for name, x, y in (
        ("last_hidden_state", a.last_hidden_state[real], b.last_hidden_state[real]),
        ("pooler_output", a.pooler_output, b.pooler_output),
        ("hidden_states[2]", a.hidden_states[2][real], b.hidden_states[2][real]),
    ):
        assert far[name].largest == pytest.approx((x - y).abs().max().item(), abs=1e-5)
        cosine = torch.cosine_similarity(x.flatten(), y.flatten(), dim=0).item()
        assert far[name].cosine == pytest.approx(cosine, abs=1e-5)
        assert far[name].count == x.numel()
    assert [far[f"hidden_states[{layer}]"].differs for layer in range(3)] == [False, False, True]
    assert "Hidden states differ from hidden_states[2] on." in printed(result)
    assert "last_hidden_state differs by at most" in answer(result)
    gap = (a.last_hidden_state - b.last_hidden_state).abs().amax(-1).masked_fill(~real, 0)
    line, position = divmod(int(gap.argmax()), gap.shape[1])
    place, most = result.compared.outputs.largest
    assert (place.line, place.position) == (line, position)
    assert most == pytest.approx(float(gap.max()), abs=1e-5)
    token = session["one"].tokenizer.convert_ids_to_tokens(int(inputs["input_ids"][line, position]))
    assert place.token == token


@pytest.mark.parametrize(("kind", "task"), [("bert", "fill-mask"), ("gpt2", "text-generation")])
def test_the_first_top_token_that_differs_is_named(session, kind, task):
    """Of masked and of causal models: position and both tokens, as argmax of plain torch has them."""
    put_twins(kind, WORDS, task=task, vocab_size=len(WORDS))
    with torch.no_grad():
        for one in session["other"].model.parameters():
            one.add_(0.02 * torch.randn(one.shape, generator=torch.Generator().manual_seed(1)))
    result = hf.compare("one", "other", TEXTS)
    tokens = session["one"].tokenizer
    inputs = tokens(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        tops = [session[name].model(**inputs).logits.argmax(-1) for name in ("one", "other")]
    wanted = [
        (line, position, *(tokens.convert_ids_to_tokens(int(top[line, position])) for top in tops))
        for line, position in torch.nonzero(tops[0] != tops[1]).tolist()
        if inputs["attention_mask"][line, position]
    ]
    found = [
        (top.place.line, top.place.position, top.one.split(" ")[0], top.other.split(" ")[0])
        for top in result.tops
    ]
    assert wanted
    assert found == wanted
    places = int(inputs["attention_mask"].sum())
    line, position = wanted[0][:2]
    said = f"another at {len(wanted)} of {places} places, first at line {line + 1}, position"
    assert f"{said} {position}" in answer(result)


def test_a_note_is_said_once(session, minilm):
    """That a head is random is true of the model and of its run."""
    for name in ("one", "other"):
        hf.load(minilm, name=name, task="text-classification")
    notes = [note.text for note in hf.compare("one", "other", TEXTS).page().notes]
    assert [note for note in notes if "is random" in note] == [
        f"{name}: the classifier is random: its answers mean nothing until it is trained"
        for name in ("one", "other")
    ]


def test_labels_are_named_of_a_classifier(session):
    """A whole line has one top entry: a label."""
    put_twins("bert", WORDS, task="text-classification", vocab_size=len(WORDS), num_labels=2)
    head = session["other"].model.classifier
    with torch.no_grad():
        head.weight.neg_()
        head.bias.neg_()
    pairs = hf.compare("one", "other", TEXTS).compared.outputs.pairs
    assert pairs.judged == len(TEXTS)
    assert len(pairs.tops) == len(TEXTS)
    assert pairs.tops[0].one.startswith("LABEL_")
    assert pairs.tops[0].place.position == -1


@pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="needs OpenVINO")
@pytest.mark.parametrize(("quantize", "cosine"), [("", 1 - 1e-6), ("int8", 0.995)])
def test_an_engine_is_compared_with_torch(
    session, minilm, tmp_path_factory, monkeypatch, quantize, cosine
):
    """The weights are those of its torch model; the outputs are its own."""
    if quantize:
        pytest.importorskip("nncf")
    monkeypatch.setenv("HF_MAGICS_CACHE", str(tmp_path_factory.mktemp("cache")))
    hf.load(minilm, name="mini")
    hf.load(minilm, name="fast", engine="openvino", quantize=quantize)
    result = hf.compare("mini", "fast", ["A cat sleeps.", "The dog barks at nine."])
    assert "all 53 modules are the same bit by bit" in answer(result)
    assert cosine < result.outputs_apart["last_hidden_state"].cosine <= 1
    assert result.outputs_apart["last_hidden_state"].differs
    assert "those of its torch model" in printed(result)


def test_an_encoder_decoder_is_compared(session):
    """T5: hidden states of encoder and decoder, by layer; a start token for the decoder."""
    put_twins("t5", WORDS, task="text2text-generation", vocab_size=len(WORDS))
    shift("decoder.block.1.layer.2.layer_norm")
    result = hf.compare("one", "other", TEXTS)
    far = result.outputs_apart
    assert not far["encoder_last_hidden_state"].differs
    assert far["decoder_hidden_states[2]"].differs
    assert far["logits"].differs
    shared = result.df[result.df["module"] == "encoder.embed_tokens"]
    assert shared.empty, "a weight that is tied stands once"
    assert "Hidden states differ from decoder_hidden_states[2] on." in printed(result)


def test_a_model_without_a_tokenizer_takes_the_tokens_of_the_other(session):
    """And the code has them as numbers."""
    put_twins(words=WORDS, vocab_size=len(WORDS))
    session["other"].tokenizer = None
    for pair in (("one", "other"), ("other", "one")):
        result = hf.compare(*pair, TEXTS)
        assert "last_hidden_state is the same bit by bit" in answer(result)
        assert "other has no tokenizer: it was given the tokens that one takes" in printed(result)


def test_ids_and_tensors_are_run_as_they_are(session):
    """Without any tokenizer."""
    put_twins()
    shift(CHANGED)
    by_ids = hf.compare("one", "other", [[3, 4, 5], [6, 7]]).outputs_apart["last_hidden_state"]
    assert by_ids.count == 5 * 32
    rows = {"input_ids": torch.tensor([[3, 4, 5]])}
    assert hf.compare("one", "other", rows).outputs_apart["last_hidden_state"].count == 3 * 32


def test_many_lines_are_run_some_at_a_time(session, monkeypatch):
    """With the same numbers as all at once."""
    put_twins(words=WORDS, vocab_size=len(WORDS))
    shift(CHANGED)
    whole = hf.compare("one", "other", TEXTS)
    monkeypatch.setattr("hf_magics.inside.running_both._TOKENS", 1)
    parts = hf.compare("one", "other", TEXTS)
    for name, far in whole.outputs_apart.items():
        assert parts.outputs_apart[name].count == far.count
        assert parts.outputs_apart[name].largest == pytest.approx(far.largest, abs=1e-5)
    assert parts.compared.outputs.largest[0] == whole.compared.outputs.largest[0]


def test_the_result_keeps_no_tensor(session):
    """Nothing but numbers and strings: what is shown stays in Out."""
    put_twins(words=WORDS, vocab_size=len(WORDS))
    result = hf.compare("one", "other", TEXTS)
    left, seen = [result], set()
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        assert not isinstance(value, torch.Tensor | torch.nn.Module)
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
        elif type(value).__module__.startswith("hf_magics"):
            left += vars(value).values() if hasattr(value, "__dict__") else ()


def test_code_of_an_encoder_decoder_starts_it(session, tmp_path, monkeypatch):
    """Each line with its start token, also where they were run some at a time."""
    monkeypatch.setattr("hf_magics.inside.running_both._TOKENS", 1)
    put_twins("t5", WORDS, task="text2text-generation", vocab_size=len(WORDS))
    shift("decoder.block.1.layer.2.DenseReluDense.wo")
    for name in ("one", "other"):
        hf.save(name, str(tmp_path / name))
        hf.load(str(tmp_path / name), name=name, replace=True)
    result = hf.compare("one", "other", TEXTS)
    made = run_home(result.code)
    assert made["largest"] == pytest.approx(result.outputs_apart["logits"].largest, abs=1e-5)
