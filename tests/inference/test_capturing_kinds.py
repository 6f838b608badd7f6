"""Captures of many kinds of model: where the tokens are, which are padding, and who is called."""

import pytest
import torch
from transformers import AutoTokenizer

import hf_magics as hf
from tests.home import run_home
from tests.inference.capturing import by_hand, said
from tests.inference.plain import notes, same
from tests.inside.kinds import IDS, KINDS, make

LINES = ["Hello!", "A longer line, of more words than the other.", "Cool."]


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("t5", ["encoder.block.0", "encoder.block.1.layer.1", "decoder.block.1", "decoder"]),
        ("mixtral", ["layers.0.self_attn", "layers.1.mlp", "norm"]),
        ("vit", ["layers.0", "layers.1.mlp", "layernorm"]),
        ("mamba", ["layers.0.mixer", "norm_f"]),
        ("whisper", ["encoder.conv1", "encoder.layers.1", "decoder.layers.0.encoder_attn"]),
        ("gemma3_text", ["layers.1", "layers.0.self_attn.q_norm"]),
    ],
)
def test_every_kind_of_model_gives_what_a_hook_sees(session, kind, paths):
    """Also of modules that return a tuple or a ModelOutput: the first tensor has the path."""
    make(kind)
    inputs, model = KINDS[kind].inputs(), session[kind].model
    paths = [one for one in paths if one in dict(model.named_modules())]
    assert len(paths) > 1
    found = hf.infer(inputs, task="features", capture=paths, keep="all").captured
    seen = by_hand(model, paths, **inputs)
    for path in paths:
        assert torch.equal(found[path], seen[path][0]), path
    for keep in ("mean", "last"):
        small = hf.infer(inputs, task="features", capture=paths, keep=keep).captured
        for path in paths:
            one = found[path]
            wanted = one.mean(dim=1) if keep == "mean" else one[:, -1]
            if path in {"encoder.conv1", "layers.0.self_attn.q_norm"}:
                continue  # channels first, or heads: below
            torch.testing.assert_close(small[path], wanted, msg=path)


def test_channels_are_not_taken_for_tokens(session):
    """Whisper's convolution has them before the frames: it is kept as it is, and that is said."""
    make("whisper")
    result = hf.infer(KINDS["whisper"].inputs(), task="features", capture="encoder.conv1")
    assert result.captured["encoder.conv1"].shape == (1, 32, 40)
    assert "Kept as they are" in repr(result)


def test_rows_and_tokens_in_one_dimension_are_parted(session):
    """The router of a mixture reads tokens of all lines in one row: each line has its own mean."""
    make("mixtral")
    ids = torch.tensor([[5, 6, 7, 0], [8, 9, 10, 11]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    inputs = {"input_ids": ids, "attention_mask": mask}
    path = "layers.0.mlp.gate"
    whole = hf.infer(inputs, task="features", capture=path, keep="all").captured[path]
    mean = hf.infer(inputs, task="features", capture=path)
    wanted = torch.stack([whole[:3].mean(dim=0), whole[4:].mean(dim=0)])
    torch.testing.assert_close(mean.captured[path], wanted)


def test_encoder_and_decoder_have_masks_of_their_own(session):
    """Also where both are as long, and of keys that the decoder reads of the encoder's states."""
    make("t5")
    model = session["t5"].model
    model.encoder.embed_tokens = model.decoder.embed_tokens = model.shared
    inputs = {
        "input_ids": torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
        "decoder_input_ids": torch.tensor([[5, 0, 0, 0], [9, 10, 11, 0]]),
        "decoder_attention_mask": torch.tensor([[1, 0, 0, 0], [1, 1, 1, 0]]),
    }
    cross = "decoder.block.0.layer.1.EncDecAttention"
    sides = {
        "encoder.block.1": [4, 2],
        "decoder.block.1": [1, 3],
        f"{cross}.q": [1, 3],
        f"{cross}.k": [4, 2],
        f"{cross}.v": [4, 2],
    }
    whole = hf.infer(inputs, task="features", capture=list(sides), keep="all").captured
    result = hf.infer(inputs, task="features", capture=[*sides, "shared"])
    for path, lengths in sides.items():
        rows = [one[:length].mean(dim=0) for one, length in zip(whole[path], lengths, strict=True)]
        torch.testing.assert_close(result.captured[path], torch.stack(rows), msg=path)
    for name, ids, lengths in (
        ("shared", inputs["input_ids"], [4, 2]),
        ("shared#2", inputs["decoder_input_ids"], [1, 3]),
    ):
        rows = [
            model.shared(one[:length]).mean(dim=0) for one, length in zip(ids, lengths, strict=True)
        ]
        torch.testing.assert_close(result.captured[name], torch.stack(rows).detach())
    assert "Called several times: shared (2 times)" in said(result)


def test_a_shared_layer_is_numbered_by_its_calls(session):
    """ALBERT has one layer for all."""
    hf.new(
        "albert",
        name="albert",
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        vocab_size=99,
        intermediate_size=64,
        embedding_size=16,
    )
    path = "encoder.albert_layer_groups.0.albert_layers.0"
    inputs = {"input_ids": IDS}
    found = hf.infer(inputs, task="features", capture=path, keep="all").captured
    seen = by_hand(session["albert"].model, [path], **inputs)[path]
    assert list(found) == [path, f"{path}#2", f"{path}#3"]
    assert same(list(found.values()), seen)


def test_a_module_that_is_not_called_is_named(session):
    """Who gives vectors has no need of the embedding."""
    make("bert")
    vectors = {"inputs_embeds": torch.ones(1, 4, 32)}
    paths = ["embeddings.word_embeddings", "pooler"]
    result = hf.infer(vectors, task="features", capture=paths)
    assert list(result.captured) == ["pooler"]
    assert "not called for this input: embeddings.word_embeddings" in notes(result)


def test_writing_captures_every_step(session, minilm):
    """The encoder once, the decoder for each token; any task can be watched."""
    make("t5", task="text2text-generation", vocab_size=30_522)
    session["t5"].tokenizer = AutoTokenizer.from_pretrained(minilm)
    paths = ["encoder.block.1", "decoder.block.1"]
    result = hf.infer(LINES, capture=paths, max_new_tokens=4, set={"min_new_tokens": 4})
    steps = [name for name in result.captured if name.startswith("decoder") and "[" not in name]
    assert steps == ["decoder.block.1", *(f"decoder.block.1#{at}" for at in range(2, 5))]
    assert all(result.captured[name].shape == (3, 32) for name in steps)
    model, batch = (
        session["t5"].model,
        session["t5"].tokenizer(LINES, padding=True, return_tensors="pt"),
    )
    (whole,) = by_hand(
        model.encoder,
        ["block.1"],
        **{name: batch[name] for name in ("input_ids", "attention_mask")},
    )["block.1"]
    mask = batch["attention_mask"].bool()
    wanted = [states[kept].mean(dim=0) for states, kept in zip(whole, mask, strict=True)]
    torch.testing.assert_close(result.captured["encoder.block.1"], torch.stack(wanted))


@pytest.mark.parametrize("keep", ["mean", "last", "all"])
@pytest.mark.parametrize("kind", ["t5", "mixtral", "vit", "whisper", "gemma3_text"])
def test_code_of_every_kind_gives_the_same_tensors(session, tmp_path, kind, keep):
    """Models with several ways of keeping in one capture."""
    make(kind)
    session[kind].model.save_pretrained(tmp_path)
    hf.load(str(tmp_path), name="saved")
    inputs = KINDS[kind].inputs()
    if kind == "t5":
        inputs = {name: one.repeat(2, 1) for name, one in inputs.items()}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        inputs["attention_mask"][1, 7:] = 0
    result = hf.infer(inputs, task="features", capture="**", keep=keep, variable="given")
    made = run_home(result.code, given=inputs)
    assert len(result.captured) > 20
    assert same(made["captured"], result.captured)
