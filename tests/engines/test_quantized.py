"""Weights of fewer bits with torch: what is smaller, how far the answers are, and the way back.

Where torchao is missing, only the line that names its extra is tested, in test_options; test_apart
runs these tests where it is.
"""

import importlib.util

import pytest
import torch

from hf_magics.errors import EngineError, OptionError
from hf_magics.modeling.placement import weight_bytes
from hf_magics.modeling.weights import changed_since, parameter_count, weights_mark
from tests.engines.conftest import farthest, notes, rows
from tests.home import run_alone

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="needs torchao"),
    pytest.mark.filterwarnings("ignore::UserWarning:torchao"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torchao"),
]


def stored_bytes(model) -> int:
    """The bytes of a model's tensors, counted from the parts of those that torchao made."""
    total = 0
    for one in (*model.parameters(), *model.buffers()):
        names = one.__tensor_flatten__()[0] if hasattr(one, "__tensor_flatten__") else ()
        parts = [getattr(one, name) for name in names] or [one]
        total += sum(part.numel() * part.element_size() for part in parts)
    return total


def test_int8_is_smaller_and_its_page_says_how_far(hf, minilm):
    """Memory before and after, the cosine, and never the word exact but in ``not exact``."""
    hf.load(minilm, name="whole")
    loaded = hf.load(minilm, name="small", quantize="int8", device="cpu")
    assert weight_bytes(loaded.model) == stored_bytes(loaded.model) < 60_000_000
    assert parameter_count(loaded.model) == 22_713_216
    said = rows(loaded)
    assert (said["in memory"], said["before"][:7]) == ("58.7 MB", "90.9 MB")
    assert "int8 weights by torchao" in said["engine"]
    assert said["against those"].endswith("not exact")
    one, other = (hf.infer(["Hello!", "Cool."], model=name) for name in ("small", "whole"))
    pairs = zip(one.embeddings, other.embeddings, strict=True)
    assert all(0.99 < float(a @ b) < 0.999999 for a, b in pairs)


def test_int4_on_the_cpu_says_that_it_is_no_smaller(hf, minilm):
    """A byte a weight, as torchao keeps them here: the page says it, and warns of the distance."""
    loaded = hf.load(minilm, quantize="int4", device="cpu")
    assert weight_bytes(loaded.model) == stored_bytes(loaded.model)
    said = " ".join(notes(loaded))
    assert "a byte each on the CPU" in said
    assert "changes the answers of this model much" in said


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_it_is_saved_and_loaded_and_its_code_does_the_same(hf, tiny, tmp_path, quantize):
    """What is written is compared bit by bit; the folder and the script give the same outputs."""
    loaded = hf.load(tiny(), name="small", quantize=quantize, device="cpu")
    hf.save("small", str(tmp_path / "out"))
    hf.load(str(tmp_path / "out"), name="again")
    one, other = (hf.infer(["a b c"], model=name).outputs for name in ("again", "small"))
    assert farthest(one, other) == 0
    said = "model(torch.tensor([[5, 6, 7]])).last_hidden_state.tolist()"
    wanted = loaded.model(torch.tensor([[5, 6, 7]])).last_hidden_state
    assert torch.equal(torch.tensor(run_alone(loaded.code, said)), wanted)


def test_the_same_line_again_and_a_change(hf, tiny):
    """Quantised weights have a mark too: the line gives what is there until a scale changes."""
    loaded = hf.load(tiny(), quantize="int8", device="cpu")
    assert hf.load(tiny(), quantize="int8", device="cpu").model is loaded.model
    before = weights_mark(loaded.model)
    weight = loaded.model.pooler.dense.weight
    with torch.no_grad():
        weight.scale.mul_(2)
    assert weights_mark(loaded.model) != before
    assert changed_since(loaded.model, before, ("pooler", "embeddings")) == ("pooler",)


def test_what_it_does_not_do_is_one_line(hf, tiny, tmp_path):
    """No move, no second quantisation, no graph of quantised weights."""
    hf.load(tiny(), name="small", quantize="int8", device="cpu")
    with pytest.raises(EngineError, match="stays where it is"):
        hf.use("small", dtype="bfloat16")
    hf.save("small", str(tmp_path / "out"))
    with pytest.raises(OptionError, match="are quantised already"):
        hf.load(str(tmp_path / "out"), quantize="int8", device="cpu")
    with pytest.raises(EngineError, match="not quantised"):
        hf.load(str(tmp_path / "out"), engine="openvino")
