"""What can't be looked into says so in one line: no torch weights, or an engine in their place."""

import pytest

import hf_magics as hf

VERBS = ("hf_layers", "hf_attention", "hf_lens", "hf_score", "hf_infer --capture **")


@pytest.mark.parametrize("magic", VERBS)
def test_a_model_without_torch_weights_is_refused(shell, smollm2, magic):
    """llama.cpp has the weights: each line names what has them for torch."""
    pytest.importorskip("llama_cpp")
    hf.load(smollm2, name="quick", engine="llamacpp")
    line = "%hf_layers quick" if magic == "hf_layers" else f"%{magic} -m quick some text"
    said = shell.error(line)
    assert "quick" in said
    assert "llama.cpp" in said


@pytest.mark.parametrize("magic", VERBS)
def test_a_model_that_an_engine_computes_is_refused(shell, minilm, magic):
    """OpenVINO gives neither attention nor activations; the tree of its torch model is shown."""
    pytest.importorskip("openvino")
    hf.load(minilm, name="quick", task="fill-mask", engine="openvino")
    if magic == "hf_layers":
        assert "BertLayer" in repr(shell.run("%hf_layers quick"))
        assert "load it without --engine" in shell.error("%%hf_layers quick\nsome text")
        return
    assert "without --engine" in shell.error(f"%{magic} -m quick some text")
