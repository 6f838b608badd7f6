"""Where a model lives: device, dtype, what fits, and how `use` moves one."""

import pytest
import torch

from hf_magics.errors import FitError, OptionError
from hf_magics.modeling import placement
from tests.modeling.tiny import BERT, BERT_LINE, bits, note_texts


@pytest.mark.parametrize(
    ("word", "dtype"),
    [
        ("float32", torch.float32),
        ("fp32", torch.float32),
        ("bf16", torch.bfloat16),
        ("half", torch.float16),
        ("double", torch.float64),
        ("auto", None),
        ("", None),
    ],
)
def test_dtypes_have_their_names(word, dtype):
    """A dtype is known by torch's name and by its short ones."""
    assert placement.resolve_dtype(word) is dtype


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("flot32", "no dtype 'flot32': there are float32, .*did you mean 'float32'"),
        ("int8", "no dtype 'int8': there are float32"),
        ("Tensor", "no dtype 'Tensor'"),
    ],
)
def test_what_is_no_dtype_is_named(word, message):
    """A word that is no floating-point dtype says which there are."""
    with pytest.raises(OptionError, match=message):
        placement.resolve_dtype(word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("gpu", "no device 'gpu': there are cpu, cuda, cuda:1, mps"),
        ("cuda:99", "device 'cuda:99' can't be used here: .*; try --device cpu"),
        ("cpu:x", "no device 'cpu:x'"),
    ],
)
def test_what_is_no_device_is_named(word, message):
    """A device that there is not is one line with what to type."""
    with pytest.raises(OptionError, match=message):
        placement.resolve_device(word)


def test_auto_is_a_gpu_where_there_is_one():
    """The device auto is what torch says is there."""
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert placement.resolve_device("auto").type == expected


def test_bytes_count_tied_weights_once(hf):
    """The bytes are those of the tensors that there are, each once, buffers too."""
    model = hf.new("bert", task="fill-mask", **BERT).model
    tensors = {one.data_ptr(): one.nbytes for one in (*model.parameters(), *model.buffers())}
    assert placement.weight_bytes(model) == sum(tensors.values())
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_what_is_available_is_no_more_than_there_is():
    """Free memory is a positive number of bytes below the machine's."""
    free = placement.available(torch.device("cpu"))
    assert 0 < free < 2**50


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    """In a container with less memory than the machine, its own limit is what there is."""
    (tmp_path / "max").write_text("1000000\n")
    (tmp_path / "used").write_text("400000\n")
    monkeypatch.setattr(placement, "_CGROUP_LIMIT", tmp_path / "max")
    monkeypatch.setattr(placement, "_CGROUP_USED", tmp_path / "used")
    assert placement.available(torch.device("cpu")) == 600_000
    with pytest.raises(FitError, match=r"a model needs 700\.0 kB and cpu has 600\.0 kB free"):
        placement.check_fit(700_000, torch.device("cpu"), "a model")
    (tmp_path / "max").write_text("max\n")
    assert placement.available(torch.device("cpu")) > 600_000


def test_use_casts_in_place(shell):
    """%hf_use NAME --dtype casts the model that is there, as .to() does."""
    model = shell.run(f"%hf_new bert {BERT_LINE} -n m --seed 1").model
    expected = {name: bits(one.to(torch.bfloat16)) for name, one in model.named_parameters()}
    result = shell.run("%hf_use m --dtype bfloat16")
    assert result.model is model
    assert {name: bits(one) for name, one in model.named_parameters()} == expected
    assert result.records()[0]["dtype"] == "bfloat16"
    assert "most CPUs compute more slowly" in note_texts(result)


def test_a_wrong_device_changes_nothing(shell):
    """A device that can't be used leaves the model and the choice of the current one alone."""
    shell.run(f"%hf_new bert {BERT_LINE} -n one")
    two = shell.run(f"%hf_new bert {BERT_LINE} -n two").model
    assert "no device 'gpu'" in shell.error("%hf_use one --device gpu --dtype float16")
    assert shell.run("%hf_models").records()[1]["current"]
    assert two.dtype is torch.float32


def test_a_wrong_dtype_is_found_before_the_model_moves(shell):
    """Both words are read before anything is done."""
    one = shell.run(f"%hf_new bert {BERT_LINE} -n one").model
    assert "no dtype 'flat'" in shell.error("%hf_use one --device cpu --dtype flat")
    assert one.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_model_moves_to_the_gpu_and_back(hf):
    """--device cuda and back leave every bit as it was."""
    model = hf.new("bert", device="cpu", **BERT).model
    before = {name: bits(one) for name, one in model.state_dict().items()}
    assert hf.use(device="cuda").model.device.type == "cuda"
    hf.use(device="cpu")
    assert {name: bits(one) for name, one in model.state_dict().items()} == before
