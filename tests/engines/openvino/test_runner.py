"""OpenVINO in the place of torch: the same answers for every head, and what a page says of it."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

from hf_magics.errors import EngineError
from tests.engines.conftest import HEADS, farthest, notes, rows
from tests.home import run_home

EXACT = 1e-4
TEXTS = {
    "fill-mask": ["a red [MASK] is a dog", "[MASK]"],
    "question-answering": ["a b\ta b c red fox", "is\tred dog is a dog"],
    "multiple-choice": ["a b\tred\tdog fox", "is is\ta\tb c d"],
    "next-sentence-prediction": ["a b c\tred", "fox\tdog is a dog"],
}
PLAIN = ["a red fox", "dog", "a b c d e f g h i j is red"]


def both(hf, folder, **options):
    """Load a folder with torch and with OpenVINO."""
    hf.load(folder, name="torch_s", **options)
    return hf.load(folder, name="fast", engine="openvino", **options)


@pytest.mark.parametrize("task", HEADS)
def test_every_head_answers_as_with_torch(hf, tiny, task):
    """Outputs of the same class, names and shapes; the answers that a page shows are the same."""
    loaded = both(hf, tiny(task), task=task)
    texts = TEXTS.get(task, PLAIN)
    torch_s, fast = (hf.infer(texts, model=name) for name in ("torch_s", "fast"))
    assert farthest(fast.outputs, torch_s.outputs) < EXACT
    if task != "multiple-choice":  # it has no features without its pairs
        one, other = (
            hf.infer(texts, model=name, task="features").outputs for name in ("fast", "torch_s")
        )
        assert farthest(one, other) < EXACT
    assert rows(loaded)["engine"].startswith("OpenVINO 20")
    assert rows(loaded)["against torch"].startswith("largest difference ")


def test_minilm_embeds_as_with_torch(hf, minilm):
    """The real model: vectors within 1e-4, and its page names the engine and what lies beside."""
    loaded = both(hf, minilm)
    texts = ["Hello!", "Cool.", "A longer text, with a pair\tof sentences in it."]
    one, other = (hf.infer(texts, model=name) for name in ("fast", "torch_s"))
    hidden = [result.outputs.last_hidden_state for result in (one, other)]
    assert hidden[0].shape == hidden[1].shape
    tokenizer = hf.session["torch_s"].tokenizer
    for row, text in enumerate(texts):  # what stands in the place of padding is nobody's answer
        length = len(tokenizer(*text.split("\t"))["input_ids"])
        mine, theirs = (tensor[row, :length] for tensor in hidden)
        assert (mine - theirs).abs().max() < EXACT
    assert (one.outputs.pooler_output - other.outputs.pooler_output).abs().max() < EXACT
    assert torch.allclose(torch.tensor(one.embeddings), torch.tensor(other.embeddings), atol=EXACT)
    said = rows(loaded)
    assert said["engine"].endswith(", float32")
    assert said["compiled"] == "90.9 MB of weights, beside the torch model"
    assert said["in memory"] == "181.7 MB"  # both
    assert "not exact" not in said["against torch"]


def test_antiberty_fills_masks_as_with_torch(hf, antiberty):
    """The real masked LM: the same words with the same probabilities."""
    folder = str(antiberty / "AntiBERTy_md_smooth")
    vocab = str(antiberty / "vocab.txt")
    both(hf, folder, task="fill-mask", tokenizer=vocab)
    text = "E V Q L V E S G G G L V Q P G G S L R L S [MASK] A A S G"
    one, other = (hf.infer(text, model=name) for name in ("fast", "torch_s"))
    assert farthest(one.outputs, other.outputs) < 1e-3  # logits of up to 15
    assert [row["token"] for row in one.records()] == [row["token"] for row in other.records()]


def test_int8_is_smaller_and_not_called_exact(hf, minilm):
    """A quarter of the bytes of its matrices, vectors of the same direction, and the page says how far they are."""
    hf.load(minilm, name="torch_s")
    loaded = hf.load(minilm, name="small", engine="openvino", quantize="int8")
    one, other = (hf.infer(["Hello!", "Cool."], model=name) for name in ("small", "torch_s"))
    both_s = zip(one.embeddings, other.embeddings, strict=True)
    assert all(0.99 < float(a @ b) < 0.999999 for a, b in both_s)
    said = rows(loaded)
    assert said["engine"].endswith(", int8 weights")
    assert said["compiled"].startswith("58.6 MB")  # 4 bytes a number of the embeddings, else 1
    assert said["against torch"].endswith("not exact")
    assert "least cosine 0.99" in said["against torch"]


def test_nothing_is_printed_and_nothing_is_left_behind(tiny, tmp_path):
    """Compressing in a fresh process says nothing, sends nothing, and leaves loggers and rich be."""
    code = f"""
import logging, sys, warnings
import hf_magics as hf
hf.new("bert", name="first", hidden_size=16, num_attention_heads=2, intermediate_size=16, num_hidden_layers=1)
assert not {{"openvino", "nncf"}} & set(sys.modules)
hf.load({tiny()!r}, name="fast", engine="openvino", quantize="int8")
assert {{"openvino", "nncf"}} <= set(sys.modules)
assert not any("telemetry" in name and name.startswith("openvino_") for name in sys.modules)
assert logging.getLoggerClass() is logging.Logger
import rich
assert rich.get_console().file is sys.stdout
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=_env(tmp_path),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _env(folder):
    root = str(Path(__file__).parents[2])
    # with CI, transformers' logger hands all on to the root's, where OpenVINO has a handler
    more = {"HF_MAGICS_CACHE": str(folder / "cache"), "PYTHONPATH": root, "CI": "true"}
    return os.environ | more


def test_a_mask_and_types_that_are_left_out_are_filled(hf, tiny):
    """Token IDs alone give what torch gives for them; a tensor of its own gives more."""
    both(hf, tiny())
    ids = torch.tensor([[2, 6, 7, 3], [2, 8, 3, 0]])
    for given in ({"input_ids": ids}, {"input_ids": ids, "token_type_ids": ids % 2}):
        one, other = (hf.infer(given, model=name).outputs for name in ("fast", "torch_s"))
        assert farthest(one, other) < EXACT


def test_hidden_states_and_attentions_come_where_they_were_converted(hf, tiny):
    """As fields of the config at the load they are in the graph, in their tuples."""
    asked = {"output_hidden_states": True, "output_attentions": True}
    both(hf, tiny(), attn="eager", **asked)
    one, other = (hf.infer(PLAIN, model=name).outputs for name in ("fast", "torch_s"))
    assert len(one.hidden_states) == 3
    assert len(one.attentions) == 2
    assert farthest(one, other) < EXACT


def test_what_the_graph_was_not_made_for_is_refused(hf, tiny):
    """No option is taken and ignored: each is one line."""
    hf.load(tiny(), name="fast", engine="openvino")
    ids = torch.tensor([[2, 6, 7, 3]])
    with pytest.raises(EngineError, match="converted with output_hidden_states=false"):
        hf.infer("a", set={"output_hidden_states": True})
    with pytest.raises(EngineError, match="takes no 'position_ids'"):
        hf.infer({"input_ids": ids, "position_ids": ids})
    with pytest.raises(EngineError, match=r"give input_ids too|takes no 'inputs_embeds'"):
        hf.infer({"inputs_embeds": torch.zeros(1, 3, 32)})
    with pytest.raises(EngineError, match="at most 48 tokens, and a line has 60"):
        hf.infer({"input_ids": torch.full((1, 60), 6)})
    with pytest.raises(EngineError, match="2 token types, and token_type_ids holds 5"):
        hf.infer({"input_ids": ids, "token_type_ids": ids * 0 + 5})


@pytest.mark.parametrize("how", ["optimiser", "data", "config", "train"])
def test_a_model_that_changed_is_refused(hf, tiny, how):
    """The graph has the old weights: they are never taken for the new ones."""
    model = hf.load(tiny("text-classification"), name="fast", engine="openvino").model
    before = hf.infer("a b")
    if how == "optimiser":
        with torch.no_grad():
            model.classifier.weight.add_(1)
    elif how == "data":
        model.classifier.weight.data.mul_(2)
    elif how == "config":
        model.config.output_hidden_states = True
    else:
        model.train()
    with pytest.raises(EngineError, match=r"changed since|in train mode"):
        hf.infer("a b")
    assert before.outputs.logits is not None


def test_it_does_not_write_and_is_not_moved(hf, session, tmp_path):
    """A decoder runs forward; writing, moving and casting are one line each."""
    hf.new("gpt2", name="made", task="text-generation", seed=0, n_embd=16, n_layer=1, n_head=2,
           vocab_size=60, n_positions=40)  # fmt: skip
    hf.save("made", str(tmp_path / "gpt2"))
    options = {"task": "text-generation", "engine": "openvino"}
    loaded = hf.load(str(tmp_path / "gpt2"), name="fast", **options)
    assert any("OpenVINO gives no " in note for note in notes(loaded))
    ids = [[5, 6, 7], [8, 9]]
    one, other = (
        hf.infer(ids, model=name, set={"use_cache": False}).outputs for name in ("fast", "made")
    )
    assert farthest(one, other) < EXACT
    with pytest.raises(EngineError, match="writing needs torch, and fast is computed by OpenVINO"):
        hf.generate([[5, 6]], model="fast")
    hf.use("fast", device="cpu", dtype="float32")  # where and as it is
    with pytest.raises(EngineError, match=r"stays where it is.*without --engine"):
        hf.use("fast", dtype="bfloat16")
    assert session["fast"].model.dtype is torch.float32


def test_a_graph_that_answers_otherwise_is_refused(hf, session, tmp_path):
    """Longformer pads to windows in Python, which a trace does not see: torch's answers differ."""
    hf.new("longformer", name="made", seed=0, hidden_size=16, num_hidden_layers=1,
           num_attention_heads=2, intermediate_size=16, vocab_size=60, attention_window=4,
           max_position_embeddings=60)  # fmt: skip
    hf.save("made", str(tmp_path / "long"))
    with pytest.raises(EngineError, match="does not answer as torch"):
        hf.load(str(tmp_path / "long"), name="fast", engine="openvino")
    assert list(session) == ["made"]


def test_the_same_line_again_gives_what_is_there(hf, tiny):
    """Nothing is converted twice, and another engine or weight is another model."""
    first = hf.load(tiny(), engine="openvino").model
    again = hf.load(tiny(), engine="openvino")
    assert again.model is first
    assert "already loaded" in notes(again)[0]
    assert rows(again)["engine"].startswith("OpenVINO")
    assert hf.load(tiny()).model is not first


def test_the_plain_code_does_the_same(hf, tiny):
    """``.code`` runs without this package, and its outputs are those of the page."""
    hf.load(tiny("token-classification"), name="fast", task="token-classification",
            engine="openvino", quantize="int8")  # fmt: skip
    result = hf.infer(PLAIN)
    found = run_home(result.code)["outputs"]
    assert (found["logits"] - result.outputs.logits).abs().max() < EXACT


def test_it_is_saved_as_the_torch_model(hf, tiny, tmp_path):
    """The folder has the whole weights, and the page says whose they are."""
    hf.load(tiny(), name="fast", engine="openvino", quantize="int8")
    saved = hf.save("fast", str(tmp_path / "out"))
    assert any("weights of the torch model" in note for note in notes(saved))
    hf.load(str(tmp_path / "out"), name="again")
    hf.load(tiny(), name="torch_s")
    one, other = (hf.infer(PLAIN, model=name).outputs for name in ("again", "torch_s"))
    assert farthest(one, other) == 0


def test_the_list_shows_engines_where_there_are_some(hf, tiny):
    """A column for the engine, torch where there is none; nothing where all are torch's."""
    hf.load(tiny(), name="torch_s")
    assert "engine" not in str(hf.models())
    hf.load(tiny(), name="fast", engine="openvino")
    page = str(hf.models())
    assert "engine" in page
    assert "OpenVINO" in page
    assert [bool(row["engine"]) for row in hf.models().records()] == [False, True]


def test_a_model_that_is_dropped_lets_go(hf, tiny, session):
    """Neither the torch model nor the compiled graph outlives its name."""
    result = hf.load(tiny(), name="fast", engine="openvino")
    hf.infer("a b c")
    runner = session["fast"].runner
    held = [weakref.ref(one) for one in (result.model, runner)]
    del runner
    hf.drop("fast")
    gc.collect()
    assert [one() for one in held] == [None, None]
