"""What a magic gives: shown, bound, quiet, kept."""

import gc
import pickle
import weakref

import pytest
import torch

from hf_magics.display.shown import Shown
from hf_magics.errors import EvictedError
from tests.magics.words import page_of, tiny_line


def test_a_result_is_the_value_of_its_line(tiny):
    """``x = %hf_infer …`` binds what the line alone would show."""
    tiny.run("x = %hf_infer hello")
    assert isinstance(tiny.names["x"], Shown)
    assert page_of(tiny.names["x"]) == page_of(tiny.run("%hf_infer hello"))


def test_every_magic_gives_a_result(tiny, tmp_path):
    """Each can be assigned, shown again, and has code."""
    tiny.names["folder"] = str(tmp_path / "saved")
    for line in (
        *("%hf", "%hf_models", "%hf_config", "%hf_use tiny", "%hf_tokens a", "%hf_infer a"),
        *("%hf_save $folder", "%hf_load $folder -n two", "%hf_new bert --help", "%hf_drop two"),
    ):
        result = tiny.run(f"x = {line}") or tiny.names["x"]
        assert isinstance(result, Shown), line
        assert isinstance(result.code, str)
        assert result._repr_html_().startswith("<div")


def test_a_shown_result_pickles_small_and_is_shown_the_same(tiny):
    """Without the tensors, which the session keeps: those of `-o NAME` go along."""
    text = "hello there " * 40
    for line in (
        *("%hf", "%hf_models", "%hf_config", "%hf_use tiny", "%hf_code", "%hf_layers"),
        *(f"%hf_tokens {text}", f"%hf_infer {text}", f"%hf_attention {text}"),
        f"%hf_infer --capture encoder.layer.*.output {text}",
    ):
        result = tiny.run(line)
        data = pickle.dumps(result)
        assert len(data) <= 100_000, line
        assert page_of(pickle.loads(data)) == page_of(result)
    bound = tiny.run(f"%hf_infer -o bound {text}") and tiny.names["bound"]
    again = pickle.loads(pickle.dumps(bound))
    assert torch.equal(again.outputs.last_hidden_state, bound.outputs.last_hidden_state)


def test_output_binds_the_result_with_its_tensors(tiny):
    """``-o NAME`` keeps them, whatever the budget of shown results is."""
    tiny.run("%config HFMagics.outputs_bytes = 0")
    shown = tiny.run("%hf_infer -o kept hello")
    assert tiny.names["kept"].outputs.last_hidden_state.shape == (1, 3, 32)
    assert page_of(shown) == page_of(tiny.names["kept"])
    with pytest.raises(EvictedError, match="-o NAME"):
        _ = shown.outputs


def test_output_binds_tokens_too(tiny):
    """``%hf_tokens -o`` gives the IDs."""
    tiny.run("%%hf_tokens -o ids\nhello\ncool\n")
    assert tiny.names["ids"].ids == [[101, 7592, 102], [101, 4658, 102]]


def test_a_failed_line_binds_nothing(tiny):
    """The variable keeps its value from before."""
    tiny.names["kept"] = "mine"
    tiny.error("%hf_infer -o kept -m nobody hello")
    assert tiny.names["kept"] == "mine"


def test_quiet_shows_nothing(tiny, capsys):
    """``-q`` shows nothing but IPython's own prompt, and the value is there all the same."""
    capsys.readouterr()
    result = tiny.run("%hf_infer -q hello")
    tiny.run("%hf_tokens -q -o ids hello")
    assert capsys.readouterr().out.split() == ["Out[2]:", "Out[3]:"]
    assert result.outputs.last_hidden_state.shape == (1, 3, 32)
    assert tiny.names["ids"].ids == [[101, 7592, 102]]


def test_a_quiet_result_is_shown_when_it_is_asked_for(tiny, capsys):
    """``-q`` is about one cell: the variable in a later cell is shown."""
    tiny.run("x = %hf_tokens -q -o y hello")
    capsys.readouterr()
    for name in ("x", "y", "_"):
        tiny.run(name)
        assert "7592" in capsys.readouterr().out


def test_quiet_sends_nothing_to_a_notebook(kernel):
    """In a kernel there is no prompt either: the cell has no output at all."""
    kernel.run(tiny_line("quiet"))
    kernel.run("ids = [[101, 102]]")
    assert kernel.run("%hf_infer -q -m quiet -i ids") == []
    assert [kind for kind, _ in kernel.run("_ = %hf_infer -q -m quiet -i ids\n_")] == []
    assert "BertModel" in kernel.text("x = %hf_infer -m quiet -i ids\nx")


def test_a_semicolon_is_text(tiny, session):
    """It hides nothing, and it arrives."""
    tiny.run("x = %hf_tokens hello;")
    assert session.log[-1].texts == ("hello;",)
    assert isinstance(tiny.names["x"], Shown)


def test_out_pins_no_tensor(tiny):
    """Shown results hold theirs within the budget alone: without it, nothing does."""
    result = tiny.run("%hf_infer hello")
    alive = weakref.ref(result.outputs.last_hidden_state)
    tiny.run("%config HFMagics.outputs_bytes = 1")
    tiny.run("%hf_infer cool")
    gc.collect()
    assert alive() is None
    assert "hello" in tiny.names["In"][-3]
    assert result in tiny.names["Out"].values()


def test_the_newest_outputs_are_kept(tiny, session):
    """Of those that fit the budget together, the oldest goes first."""
    first = tiny.run("%hf_infer hello")
    size = session.kept.nbytes
    tiny.run(f"%config HFMagics.outputs_bytes = {2 * size}")
    second, third = tiny.run("%hf_infer cool"), tiny.run("%hf_infer nice")
    assert session.kept.nbytes == 2 * size
    with pytest.raises(EvictedError):
        _ = first.outputs
    assert all(one.outputs.last_hidden_state.shape[1] == 3 for one in (second, third))


def test_input_takes_what_the_notebook_has(tiny):
    """A string, a list, a Series, lists of IDs, tensors; the answer is the same."""
    import pandas as pd

    ids = [[101, 7592, 102]]
    tiny.names.update(
        word="hello",
        words=["hello"],
        column=pd.Series(["hello"], index=[7]),
        ids=ids,
        tensor=torch.tensor(ids),
        batch={"input_ids": torch.tensor(ids)},
        table=pd.DataFrame({"x": ["hello"]}),
        inner={"deep": ["hello"]},
    )
    expected = tiny.run("%hf_infer hello").outputs.last_hidden_state
    for name in ("word", "words", "column", "ids", "tensor", "batch", "table.x", "inner.deep"):
        outputs = tiny.run(f"%hf_infer -i {name}").outputs
        torch.testing.assert_close(outputs.last_hidden_state, expected, rtol=0, atol=0)


def test_ids_decode(tiny):
    """``%hf_tokens -i ids`` shows the text of the IDs."""
    tiny.names["ids"] = [[101, 7592, 999, 102]]
    result = tiny.run("%hf_tokens -i ids")
    assert result.ids == [[101, 7592, 999, 102]]
    assert "hello" in repr(result)


def test_several_tokenizers_stand_side_by_side(tiny):
    """Each ``-m`` is a column with its count."""
    tiny.run("%hf_new gpt2 n_embd=32 n_layer=1 n_head=2 -n two --tokenizer tiny")
    shown = repr(tiny.run("%hf_tokens -m tiny -m two hello there"))
    assert "tiny" in shown
    assert "two" in shown


def test_a_model_of_the_notebook_is_taken_in(tiny, session):
    """``%hf_load -i model`` puts in the very object, with its tokenizer."""
    tiny.run(
        "import hf_magics as hf\nmodel = hf.session['tiny'].model\ntok = hf.session['tiny'].tokenizer"
    )
    tiny.run("%hf_drop tiny")
    tiny.run("%hf_load -i model --tokenizer tok -n mine")
    assert session["mine"].model is tiny.names["model"]
    assert session["mine"].tokenizer is tiny.names["tok"]


def test_an_object_of_the_notebook_is_a_tokenizer(tiny, session):
    """``--tokenizer VAR`` gives the very object to a new model."""
    tiny.names["tok"] = session["tiny"].tokenizer
    tiny.run("%hf_new bert hidden_size=12 num_hidden_layers=1 -n other --tokenizer tok")
    assert session["other"].tokenizer is tiny.names["tok"]
