"""Who keeps the output tensors, and for how long."""

import gc
import pickle
import weakref

import pytest
import torch

import hf_magics as hf
from hf_magics.errors import EvictedError, SessionNameError
from hf_magics.inference.tensors import nbytes_held
from tests.inference.plain import same


def budget(shell, nbytes: int) -> None:
    shell.run(f"%config HFMagics.outputs_bytes = {nbytes}")


def test_shown_results_give_their_outputs(shell, bert):
    """Within the budget a shown result has its tensors."""
    result = shell.run("%hf_infer Hello!")
    assert same(result.outputs, hf.infer("Hello!").outputs)
    assert shell.run("_") is result


def test_the_newest_outputs_are_kept(shell, bert, session):
    """Over the budget the oldest are let go, and say how to keep them."""
    one = nbytes_held(hf.infer("Hello!").outputs)
    budget(shell, 2 * one)
    first, second, third = (shell.run("%hf_infer Hello!") for _ in range(3))
    assert second.outputs.last_hidden_state.shape == third.outputs.last_hidden_state.shape
    assert session.kept.nbytes == 2 * one
    with pytest.raises(EvictedError) as caught:
        _ = first.outputs
    assert "-o NAME" in str(caught.value)
    assert "%config HFMagics.outputs_bytes" in str(caught.value)
    assert "last_hidden_state" in repr(first)


def test_out_does_not_keep_tensors_alive(shell, bert):
    """A result in Out[] and in _ lets its tensors go when the budget says so."""
    result = shell.run("%hf_infer Hello!")
    tensor = weakref.ref(result.outputs.last_hidden_state)
    assert tensor() is not None
    budget(shell, 1)
    shell.run("%hf_infer Hello!")
    gc.collect()
    assert tensor() is None
    assert shell.run("Out[1]") is result


def test_o_keeps_the_tensors(shell, bert):
    """-o binds a result that owns its tensors, whatever the budget."""
    budget(shell, 1)
    shown = shell.run("%hf_infer -o out Hello!")
    out = shell.names["out"]
    assert same(out.outputs, hf.infer("Hello!").outputs)
    assert repr(out) == repr(shown)
    with pytest.raises(EvictedError):
        _ = shown.outputs


def test_o_lets_go_with_its_variable(shell, bert):
    """When the variable is gone, so are the tensors."""
    budget(shell, 1)
    shell.run("%hf_infer -o out Hello!")
    tensor = weakref.ref(shell.names["out"].outputs.last_hidden_state)
    gc.collect()
    assert tensor() is not None
    del shell.names["out"]
    gc.collect()
    assert tensor() is None


def test_a_script_owns_its_tensors(bert, session):
    """hf.infer keeps nothing in the session: the result alone holds the tensors."""
    result = hf.infer("Hello!")
    assert session.kept.nbytes == 0
    tensor = weakref.ref(result.outputs.last_hidden_state)
    assert tensor() is not None
    del result
    gc.collect()
    assert tensor() is None


def test_a_shown_result_is_small(shell, bert):
    """What stays in Out[] is numbers and strings, far smaller than the tensors and the model."""
    result = shell.run("%hf_infer " + "word " * 200)
    held = nbytes_held(result.outputs)
    assert held > 300_000
    assert len(pickle.dumps(result)) < 20_000
    assert "_ipython_display_" not in vars(result)


def test_bytes_are_those_that_are_held(shell, bert, session):
    """The budget counts hidden states and caches as well as the answer."""
    shell.run("%hf_infer --set output_hidden_states=true Hello!")
    tensors = hf.infer("Hello!", set={"output_hidden_states": True}).outputs
    assert session.kept.nbytes == nbytes_held(tensors)
    assert session.kept.nbytes >= 7 * 4 * 384 * 4


def test_a_cache_is_counted(tiny, shell, session):
    """A decoder's cache is part of what the budget counts."""
    tiny("gpt2")
    shell.names["ids"] = [[5, 6, 7]]
    result = shell.run("%hf_infer -i ids")
    hidden = result.outputs.last_hidden_state
    assert session.kept.nbytes == hidden.nbytes + 2 * 2 * (3 * 16 * 4)


def test_the_model_of_a_result(bert, session):
    """A result finds its model by itself, and says when that was dropped; the numbers stay."""
    result = hf.infer("Hello!")
    assert result.model is bert.model
    session.remove("bert")
    with pytest.raises(SessionNameError, match="dropped or replaced"):
        _ = result.model
    assert isinstance(result.outputs.last_hidden_state, torch.Tensor)
    assert "last_hidden_state" in repr(result)
