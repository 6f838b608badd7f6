"""Models on a real GPU: made, run, moved, dropped, and refused where there is no room."""

from __future__ import annotations

import gc

import pytest
import torch

import hf_magics as hf
from hf_magics.errors import FitError
from hf_magics.inference.plain_tensors import show_tensor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]

TINY = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
IDS = [[1, 2, 3], [4, 5, 6]]
LITTLE = 512 * 2**20


@pytest.fixture(autouse=True)
def _empty(session):
    """Nothing of another test is on the GPU."""


@pytest.fixture
def little_room():
    """Torch gets 512 MB of the GPU: what needs more is out of memory at once."""
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info()[1]
    torch.cuda.set_per_process_memory_fraction(LITTLE / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def hidden(name: str) -> torch.Tensor:
    return hf.infer(IDS, model=name).outputs.last_hidden_state


def test_a_model_is_made_on_the_gpu_and_gives_what_the_cpu_gives():
    """``auto`` takes the GPU; the weights of a seed and the outputs are those of the CPU."""
    hf.new("bert", name="here", seed=3, **TINY)
    hf.new("bert", name="there", seed=3, device="cpu", **TINY)
    here, there = (hf.session[name].model for name in ("here", "there"))
    assert (here.device.type, there.device.type) == ("cuda", "cpu")
    assert all(
        torch.equal(one.cpu(), other)
        for one, other in zip(here.parameters(), there.parameters(), strict=True)
    )
    on_gpu = hidden("here")
    torch.testing.assert_close(on_gpu.cpu(), hidden("there"), atol=1e-3, rtol=1e-3)


def test_magics_show_what_is_on_the_gpu(shell, minilm):
    """A real model is loaded, cast, moved and run; each page names the device."""
    assert "cuda:0" in repr(shell.run(f"%hf_load {minilm} -n mini"))
    assert "cuda:0" in repr(shell.run("%%hf_infer\none line\nand a longer line"))
    assert shell.run("%hf_use mini --dtype bfloat16").model.dtype is torch.bfloat16
    shell.run("%%hf_infer\none line")
    assert shell.run("%hf_use mini --device cpu").model.device.type == "cpu"
    assert shell.run("%hf_use mini --device cuda").model.device.type == "cuda"


def test_dropping_gives_the_gpu_its_memory_back(shell):
    """The weights and the outputs are gone, and the driver sees it."""
    line = "%hf_new bert hidden_size=1024 num_attention_heads=16 num_hidden_layers=2 -n {} --device cuda"
    shell.run(line.format("warm"))  # the first run on a GPU keeps a workspace
    shell.run("ids = [[1, 2, 3]]")
    shell.run("%hf_infer -m warm -i ids")
    shell.run("%hf_drop warm")
    before, free = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[0]
    shell.run(line.format("big"))
    shell.run("%hf_infer -m big -i ids")
    assert torch.cuda.memory_allocated() - before > 150e6
    dropped = shell.run("%hf_drop big")
    assert dropped.alive == ()
    assert dropped.freed_bytes > 150e6
    assert "GPU memory" in repr(dropped)
    assert torch.cuda.memory_allocated() - before < 1e6
    assert free - torch.cuda.mem_get_info()[0] < 64 * 2**20


def test_a_model_that_is_larger_than_the_gpu_is_refused(session):
    """Before a byte is taken, with both numbers."""
    before = torch.cuda.memory_allocated()
    with pytest.raises(FitError, match=r"needs .* and cuda has .* free"):
        hf.new("bert", name="huge", device="cuda", hidden_size=12 * 40_000, intermediate_size=10**6)
    assert (list(session), torch.cuda.memory_allocated()) == ([], before)


def test_running_out_while_moving_leaves_the_session_usable(session, little_room):
    """The driver says that there is room and the allocator finds none."""
    hf.new("bert", name="small", device="cuda", **TINY)
    with pytest.raises(FitError, match="no room"):
        hf.new("bert", name="large", device="cuda", hidden_size=3072, num_hidden_layers=1)
    assert list(session) == ["small"]
    assert session.current.name == "small"
    hf.new("bert", name="large", device="cpu", hidden_size=3072, num_hidden_layers=1)
    with pytest.raises(FitError, match="no room"):
        hf.use("large", device="cuda")
    assert {one.device.type for one in session["large"].model.parameters()} == {"cpu"}
    assert hidden("small").shape == (2, 3, 32)


def test_running_out_while_running_leaves_the_session_usable(little_room):
    """The line says what to give instead; the same model runs fewer lines right after."""
    hf.new("bert", name="small", device="cuda", intermediate_size=4096, **TINY)
    with pytest.raises(FitError, match="--max-length"):
        hf.infer([[1] * 512] * 256, model="small")
    assert hidden("small").shape == (2, 3, 32)


def test_a_plain_tensor_is_shown_without_a_copy_of_it():
    """Its numbers are computed where it is, and those of a very large one from a sample."""
    tensor = torch.ones(2**31, dtype=torch.bfloat16, device="cuda")
    tensor[-1] = 3
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    text = repr(show_tensor(tensor))
    assert torch.cuda.max_memory_allocated() - before < 2**27
    assert "2147483648 · bfloat16 · cuda:0" in text
    assert "1.0000" in text
