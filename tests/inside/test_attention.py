"""Attention: the weights are those of an eager model, and the page says in words what it draws."""

import copy
import math

import pytest
import torch
import transformers

import hf_magics as hf
from tests.home import run_home
from tests.inside.kinds import BERT, DECODER, IDS, KINDS, make

LOOKING = [kind for kind in KINDS if kind != "mamba"]


def eager(model, **inputs):
    """What a copy of the model gives that was made with eager attention."""
    config = copy.deepcopy(model.config)
    config._attn_implementation = "eager"
    other = type(model)(config).eval()
    other.load_state_dict(model.state_dict())
    with torch.inference_mode():
        return other(**inputs, output_attentions=True)


@pytest.mark.parametrize("kind", LOOKING)
def test_the_weights_are_those_of_an_eager_model(session, kind):
    """Of every kind of attention that a model has, and the model is back at what it had."""
    make(kind)
    model, inputs = session[kind].model, KINDS[kind].inputs()
    before = model.config._attn_implementation
    outputs = eager(model, **inputs)
    names = {
        "self": "attentions",
        "encoder": "encoder_attentions",
        "decoder": "decoder_attentions",
        "cross": "cross_attentions",
    }
    found = [one for one, name in names.items() if outputs.get(name)]
    assert found
    for one in found:
        wanted = torch.stack([layer[0] for layer in outputs[names[one]]])
        assert torch.equal(hf.attention(inputs, model=kind, kind=one).attention, wanted)
    assert model.config._attn_implementation == before


def test_a_model_of_two_parts_is_back_at_what_each_had(session):
    """A vision-language model whose language part has another implementation."""
    text = DECODER | {"vocab_size": 120, "model_type": "llama"}
    vision = {name: BERT[name] for name in BERT if name != "vocab_size"}
    hf.new(
        "llava",
        name="llava",
        text_config=text,
        vision_config=vision
        | {"model_type": "clip_vision_model", "image_size": 28, "patch_size": 14},
        image_token_index=5,
        image_seq_length=4,
    )
    model = session["llava"].model
    model.config.text_config._attn_implementation = "eager"
    torch.manual_seed(0)
    inputs = {
        "input_ids": torch.tensor([[1, 5, 5, 5, 5, 7, 8]]),
        "pixel_values": torch.randn(1, 3, 28, 28),
    }
    wanted = eager(model, **inputs)
    result = hf.attention(inputs, model="llava")
    assert torch.equal(result.attention, torch.stack([one[0] for one in wanted.attentions]))
    assert model.config._attn_implementation == "sdpa"
    assert model.config.vision_config._attn_implementation == "sdpa"
    assert model.config.text_config._attn_implementation == "eager"


def test_an_image_is_looked_at_in_pieces(shell, tmp_path):
    """By the model's own image processor; its code gives the same."""
    make("vit", num_channels=3)
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    hf.save(str(tmp_path), name="vit", overwrite=True)
    processor.save_pretrained(tmp_path)
    hf.load(str(tmp_path), name="saved")
    torch.manual_seed(0)
    shell.names["image"] = torch.randint(0, 255, (40, 50, 3), dtype=torch.uint8).numpy()
    result = shell.run("%hf_attention -m saved -i image -o kept")
    inputs = processor(images=[shell.names["image"]], return_tensors="pt")
    outputs = eager(hf.session["saved"].model, **inputs)
    wanted = torch.stack([one[0] for one in outputs.attentions])
    assert wanted.shape == (2, 4, 17, 17)
    assert torch.equal(shell.names["kept"].attention, wanted)
    made = run_home(result.code, image=shell.names["image"])
    assert torch.equal(made["attention"], wanted)
    assert hf.layers("saved", shell.names["image"]).df["flops"][0] > 0


def test_layers_of_a_hybrid_model_have_the_models_numbers(session, tmp_path):
    """Those that look at tokens are the second and the fourth."""
    types = ["conv", "full_attention", "conv", "full_attention"]
    hf.new("lfm2", name="mixed", layer_types=types, **DECODER | {"num_hidden_layers": 4})
    hf.save(str(tmp_path), name="mixed", overwrite=True)
    hf.load(str(tmp_path), name="saved")
    outputs = eager(session["saved"].model, input_ids=IDS)
    result = hf.attention(IDS.tolist()[0], layer=3)
    assert torch.equal(result.attention, outputs.attentions[1][0])
    assert {one.layer for one in hf.attention(IDS.tolist()[0]).links} == {1, 3}
    made = run_home(result.code)
    assert torch.equal(made["attention"], result.attention)
    with pytest.raises(hf.HFMagicsError, match="saved has layers 1, 3 with weights"):
        hf.attention(IDS.tolist()[0], layer=0)


def test_a_sliding_window_hides_what_is_farther_away(session):
    """In the layers that have one."""
    make("gemma3_text", layer_types=["sliding_attention", "full_attention"])
    weights = hf.attention(KINDS["gemma3_text"].inputs(), model="gemma3_text").attention
    assert weights[0, :, -1, :-4].abs().max() == 0
    assert weights[1, :, -1, :-4].abs().min() > 0


def test_an_axis_that_is_chosen_is_gone(session, minilm):
    """And rows add up to 1."""
    hf.load(minilm, name="mini")
    text = "The quick brown fox."
    whole = hf.attention(text).attention
    assert whole.shape == (6, 12, 7, 7)
    assert torch.allclose(whole.sum(-1), torch.ones(6, 12, 7), atol=1e-5)
    assert torch.equal(hf.attention(text, layer=2).attention, whole[2])
    assert torch.equal(hf.attention(text, head=3).attention, whole[:, 3])
    assert torch.equal(hf.attention(text, layer=2, head=3).attention, whole[2, 3])


def test_the_strongest_link_of_each_head_is_named(session, minilm):
    """By hand: the largest weight without special tokens and a token's look at itself."""
    hf.load(minilm, name="mini")
    result = hf.attention("The quick brown fox.")
    words = ["[CLS]", "the", "quick", "brown", "fox", ".", "[SEP]"]
    assert result.tokens == words
    weights = result.attention.clone()
    for token in (0, 6):
        weights[..., token, :] = weights[..., token] = -1
    weights.diagonal(dim1=-2, dim2=-1).fill_(-1)
    assert len(result.links) == 72
    for link in result.links:
        own = weights[link.layer, link.head]
        assert own[link.query.at, link.key.at] == own.max() == pytest.approx(link.weight)
        assert (words[link.query.at], words[link.key.at]) == (link.query.text, link.key.text)
    focus = result.attention.amax(-1).mean(-1).flatten()
    assert result.df["focus"].tolist() == pytest.approx(focus.tolist())
    best = max(result.links, key=lambda one: one.weight)
    assert f"{best.weight:.3f}" in repr(result)


def test_the_captions_are_sentences_and_say_what_a_colour_means(session, minilm):
    """Small maps have no legend of their own."""
    hf.load(minilm, name="mini")
    links, maps = hf.attention("The quick brown fox.").page().parts
    assert links.caption.endswith("without special tokens and tokens that look at themselves")
    assert "; 0 is clear, 1 is full" in maps.caption
    (layer,) = hf.attention("A cat\tA dog", layer=0).page().parts
    assert "0 is clear, 1 is full" in layer.caption
    assert layer.caption.endswith(
        "without special tokens, tokens that look at themselves and links within one of the two texts"
    )


def test_of_a_pair_what_one_says_of_the_other_is_kept(session, minilm):
    """From one line to another."""
    hf.load(minilm, name="mini")
    links = hf.attention("A cat\tA dog").links
    assert {(link.query.part, link.key.part) for link in links} == {(0, 1), (1, 0)}


def test_a_decoder_takes_the_second_of_a_pair(session, minilm):
    """Of an encoder-decoder the cross attention comes first, from the target to the source."""
    make("t5", tokenizer=minilm, vocab_size=30_522)
    result = hf.attention("one two three\tfour five")
    assert result.attention.shape == (2, 4, 4, 5)
    assert result.tokens == ["[CLS]", "four", "five", "[SEP]"]
    assert "cross attention" in repr(result)
    assert hf.attention("one two\tthree", kind="encoder").tokens == ["[CLS]", "one", "two", "[SEP]"]
    assert hf.attention("one two").attention.shape == (2, 4, 4, 4)  # without one: the encoder's


def test_a_long_text_of_a_large_model_fits_on_a_page(session):
    """512 tokens, 32 layers of 32 heads: in blocks, which is said."""
    sizes = {"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 64}
    hf.new("bert", name="large", **BERT | sizes, seed=0)
    ids = torch.randint(0, 120, (1, 512), generator=torch.Generator().manual_seed(0))
    for words in ({}, {"layer": 3}, {"head": 3}, {"layer": 3, "head": 3}):
        result = hf.attention({"input_ids": ids}, model="large", **words)
        assert len(result._repr_html_().encode()) < 65_536, words
        assert "block" in result._repr_html_()
        assert "more" not in result._repr_html_()  # nothing was cut
    assert math.prod(result.attention.shape) == 512 * 512


def test_what_was_kept_is_let_go_of(shell):
    """Within the budget of outputs, in Out[] too; -o keeps it."""
    make("bert", tokenizer=None)
    shell.names["ids"] = [3, 4, 5]
    shell.run("%config HFMagics.outputs_bytes = 1")
    shown = shell.run("%hf_attention -m bert -i ids -o mine")
    with pytest.raises(hf.HFMagicsError, match="-o"):
        _ = shown.attention
    assert shell.names["mine"].attention.shape == (2, 4, 3, 3)


@pytest.mark.parametrize("words", [{}, {"layer": 1}, {"head": 1}, {"layer": 1, "head": 2}])
def test_code_gives_the_same_weights(session, minilm, words):
    """Bit by bit, without hf_magics."""
    hf.load(minilm, name="mini")
    for text in ("The quick brown fox.", "A cat\tA dog"):
        result = hf.attention(text, **words)
        made = run_home(result.code)
        assert torch.equal(made["attention"], result.attention)


def test_code_of_an_encoder_decoder_gives_the_same_weights(session, minilm, tmp_path):
    """With the decoder's input written down."""
    make("t5", tokenizer=minilm, vocab_size=30_522)
    hf.save(str(tmp_path), name="t5", overwrite=True)
    hf.load(str(tmp_path), name="saved")
    for text in ("one two\tthree", "one two"):
        result = hf.attention(text, kind="encoder")
        made = run_home(result.code)
        assert torch.equal(made["attention"], result.attention)


def test_a_model_without_attention_says_so(session):
    """Mamba has none."""
    make("mamba")
    with pytest.raises(hf.HFMagicsError, match="gives no attention weights"):
        hf.attention({"input_ids": torch.tensor([[1, 2, 3]])})


def test_attention_that_is_no_map_is_refused(session):
    """Longformer's is a window around each token."""
    hf.new("longformer", name="long", attention_window=[4, 4], pad_token_id=0, **BERT)
    with pytest.raises(hf.HFMagicsError, match="no map of tokens"):
        hf.attention({"input_ids": torch.arange(3, 15)[None]})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_attention --layer 2 -i ids", "bert has layers 0 to 1"),
        ("%hf_attention --head -1 -i ids", "bert has heads 0 to 3"),
        ("%hf_attention --kind cross -i ids", "bert has self"),
        ("%hf_attention --kind crss -i ids", "bert has self"),
        ("%hf_attention -i many", "drawn for one line, and there are 2"),
        ("%hf_attention some text", "no tokenizer"),
        ("%hf_attention", "there is no text"),
    ],
)
def test_bad_input_is_answered_in_one_line(shell, line, said):
    """That says what there is."""
    make("bert")
    shell.names["ids"], shell.names["many"] = [3, 4, 5], [[3, 4], [5, 6]]
    assert said in shell.error(line)


def test_an_interrupted_pass_leaves_the_model_as_it_was(session):
    """Back at sdpa, whatever comes up in between."""
    make("bert")
    model = session["bert"].model

    def stop(*_):
        raise KeyboardInterrupt

    handle = model.encoder.layer[1].register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        hf.attention({"input_ids": torch.tensor([[3, 4]])})
    handle.remove()
    assert model.config._attn_implementation == "sdpa"
    assert isinstance(model, transformers.BertModel)
