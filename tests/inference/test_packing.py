"""Packed weights: the same numbers, and a model that is as it was before."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model
from transformers.pytorch_utils import Conv1D

from hf_magics.inference.packing import can_pack, packed

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in {"AVX2", "AVX512"}, reason="needs an x86 CPU"
)
IDS = torch.arange(5, 69).view(4, 16)


class Called(TorchDispatchMode):
    """The operators that torch is asked for."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(str(func).rpartition(".")[0])
        return func(*args, **(kwargs or {}))


def own_forwards(model):
    return [one for one in model.modules() if "forward" in vars(one)]


def gpt2():
    torch.manual_seed(0)
    config = GPT2Config(n_embd=64, n_layer=2, n_head=2, vocab_size=100)
    return GPT2Model(config).eval()


def bert():
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96,
        vocab_size=100,
    )  # fmt: skip
    return BertModel(config).eval()


@pytest.mark.parametrize(("make", "kind", "count"), [(bert, nn.Linear, 13), (gpt2, Conv1D, 8)])
def test_each_layer_is_packed_and_the_numbers_stay(make, kind, count):
    """All layers of the kind compute by oneDNN in the block; the output is torch's own to 1e-6."""
    model = make()
    with torch.inference_mode():
        expected = model(input_ids=IDS).last_hidden_state
        with packed(model):
            assert len([one for one in own_forwards(model) if isinstance(one, kind)]) == count
            with Called() as called:
                found = model(input_ids=IDS).last_hidden_state
    assert "mkldnn._linear_pointwise" in called.names
    assert not {"aten.addmm", "aten.linear"} & called.names
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-6)
    assert not own_forwards(model)


def test_the_model_is_as_it_was_after_an_error():
    """What fails in the block leaves no packed layer behind, and weights may change after it."""
    model = bert()
    with pytest.raises(KeyError), packed(model):
        raise KeyError
    assert not own_forwards(model)
    with torch.no_grad():
        before = model(input_ids=IDS).last_hidden_state
        model.encoder.layer[0].output.dense.weight.mul_(2)
        with packed(model):
            after = model(input_ids=IDS).last_hidden_state
    assert (after - before).abs().max() > 0.01


def test_what_can_not_be_packed_is_left_alone():
    """Another dtype, a layer of one's own, a layer that has another forward, and gradients."""

    class Own(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    model = nn.Sequential(Own(8, 8), nn.Linear(8, 8).double(), nn.Linear(8, 8))
    model[2].forward = lambda x: x * 0
    with packed(model):
        assert own_forwards(model) == [model[2]]
    assert own_forwards(model) == [model[2]]
    layer = nn.Linear(8, 4)
    with packed(layer):
        layer(torch.ones(2, 8)).sum().backward()
    assert layer.weight.grad is not None
    with packed(layer), torch.no_grad():
        assert layer(torch.ones(0, 8)).shape == (0, 4)


def test_tied_weights_and_a_head_of_a_vocabulary(tiny):
    """The decoder of a masked model is tied to its embeddings: the logits are the same."""
    model = tiny("bert", task="fill-mask").model
    with torch.inference_mode():
        expected = model(input_ids=IDS % 5).logits
        with packed(model):
            assert "forward" in vars(model.get_output_embeddings())
            found = model(input_ids=IDS % 5).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-6)


def test_memory_decides(tiny, monkeypatch):
    """A model whose weights are more than a quarter of the free memory is not copied."""
    loaded = tiny("bert")
    assert can_pack(loaded)
    monkeypatch.setattr("hf_magics.inference.packing.available", lambda _: 1_000)
    assert not can_pack(loaded)


def test_few_numbers_of_rows_reach_onednn():
    """A kernel is kept for each by oneDNN: 4,000 sizes of a batch would take gigabytes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 12))
    seen = set()

    class Rows(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "_linear_pointwise" in str(func):
                seen.add(args[0].shape[0])
            return func(*args, **(kwargs or {}))

    most = 0
    with torch.inference_mode(), packed(model, most=lambda: most), Rows():
        for most in (256, 4_096):
            seen.clear()
            for count in range(1, most, 3):
                given = torch.rand(1, count, 8)
                expected = functional.linear(given, model[0].weight, model[0].bias)
                torch.testing.assert_close(model(given), expected, rtol=0, atol=1e-6)
            assert seen == set(range(step := max(32, most // 16), most + 1, step))
