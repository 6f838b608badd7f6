"""`drop`: the model is gone, or the page says who holds it."""

import platform
import sys
import weakref

import pytest
import torch
from transformers import BertConfig, BertModel

import hf_magics
from hf_magics.errors import EvictedError, SessionNameError
from hf_magics.modeling.memory import keep_for_the_next
from tests.modeling.tiny import BERT, BERT_LINE, note_texts

LINE = f"%hf_new bert {BERT_LINE} -n m"
TOKENS = "torch.tensor([[1, 2, 3]])"


@pytest.fixture
def made(shell):
    """A shell with a model `m`, the session, torch, and a weak reference to the model."""
    shell.names["hf"], shell.names["torch"] = hf_magics, torch
    shell.run(LINE)
    shell.gone = weakref.ref(hf_magics.session["m"].model)
    return shell


def failed(shell, cell: str) -> None:
    """Run a cell that fails with an ordinary error, which IPython keeps."""
    result = shell.ip.run_cell(cell, store_history=True)
    assert result.error_in_exec is not None


def drop(shell, names: str = "m"):
    result = shell.run(f"%hf_drop {names}")
    return result.alive, result.held_by


def test_a_dropped_model_is_gone(made):
    """Nothing of ours holds a model after the drop: its results, its log, its page."""
    assert drop(made) == ((), ())
    assert made.gone() is None
    assert "m" not in hf_magics.session


@pytest.mark.parametrize(
    "cell",
    [
        "hf.session['m'].model",
        "hf.session['m']",
        "[{'a': hf.session['m'].model}]",
        "hf.session['m'].model.embeddings",
        "hf.session['m'].model.state_dict()",
        f"hf.session['m'].model({TOKENS})",
    ],
)
def test_shown_values_let_go(made, cell):
    """A model, a part of it, or an output with its gradients in Out, _ and _N lets go."""
    made.run(cell)
    made.run("1")
    assert drop(made) == ((), ())
    assert made.gone() is None


def test_the_value_of_the_cell_before_lets_go(made):
    """Also what the very last cell showed, which IPython keeps in one more place."""
    made.run("hf.session['m'].model")
    assert drop(made) == ((), ())
    assert made.gone() is None


def test_other_shown_values_stay(made):
    """Out keeps what holds no model."""
    made.run("[1, 2, 3]")
    count = made.ip.execution_count - 1
    drop(made)
    assert made.names["_oh"][count] == [1, 2, 3]
    assert made.names[f"_{count}"] == [1, 2, 3]


def test_the_last_error_lets_go(made):
    """A traceback whose frames hold the model lets go of it."""
    failed(made, "def f():\n    held = hf.session['m'].model\n    held(input_ids=None)\nf()")
    assert drop(made) == ((), ())
    assert made.gone() is None


def test_an_error_in_another_errors_handling_lets_go(made):
    """The error that another came from has frames too."""
    failed(
        made,
        "def f():\n    held = hf.session['m'].model\n    1 / 0\n"
        "def g():\n    try:\n        f()\n    except ZeroDivisionError as e:\n"
        "        raise ValueError('x') from e\ng()",
    )
    assert drop(made) == ((), ())
    assert made.gone() is None
    assert isinstance(sys.last_value, ValueError)


def test_a_usage_error_after_an_error_does_not_hide_it(made):
    """Our own one-line error comes after the traceback that holds the model: both let go."""
    failed(made, "def f():\n    held = hf.session['m'].model\n    1 / 0\nf()")
    made.error("%hf_use nobody")
    assert drop(made) == ((), ())
    assert made.gone() is None


@pytest.mark.parametrize(
    ("cell", "holder"),
    [
        ("a = hf.session['m'].model", "a"),
        ("b = [1, [hf.session['m'].model]]", "b"),
        ("c = {'deep': {'model': hf.session['m']}}", "c"),
        ("d = (lambda model: lambda: model)(hf.session['m'].model)", "d"),
        ("class K: pass\ne = K()\ne.net = hf.session['m'].model", "e"),
        ("f = hf.session['m'].model.encoder.layer[0]", "f"),
        ("g = torch.optim.AdamW(hf.session['m'].model.parameters())", "g"),
        ("h = hf.session['m'].model.state_dict()", "h"),
        (f"i = hf.session['m'].model({TOKENS}).last_hidden_state.sum()", "i"),
        ("j = hf.session['m'].model.forward", "j"),
    ],
)
def test_variables_that_hold_it_are_named(made, cell, holder):
    """A variable that holds the model or its weights is named, with what to type."""
    made.run(cell + "\nunrelated = [1, 'm', torch.zeros(3)]")
    result = made.run("%hf_drop m")
    assert result.alive == ("m",)
    assert result.held_by == (holder,)
    assert note_texts(result) == f"m is still in memory, held by {holder}: del {holder}"


def test_an_error_that_the_user_keeps_is_named(made):
    """An exception in a variable holds its frames, and so the model."""
    made.run(
        "def f():\n    held = hf.session['m'].model\n    1 / 0\n"
        "try:\n    f()\nexcept ZeroDivisionError as error:\n    kept = error"
    )
    assert drop(made) == (("m",), ("kept",))


def test_outputs_without_gradients_hold_nothing(made):
    """An output that was computed without gradients is no reason to keep the weights."""
    made.run(f"with torch.no_grad():\n    out = hf.session['m'].model({TOKENS})")
    assert drop(made) == ((), ())


def test_weights_that_another_model_shares_are_not_counted(made):
    """Weights that stay in the session under another name are no remains."""
    made.run(
        "from transformers import BertModel\nother = BertModel(hf.session['m'].config).eval()\n"
        "other.embeddings = hf.session['m'].model.embeddings"
    )
    made.run("%hf_load -i other -n other")
    assert drop(made) == ((), ())
    assert made.gone() is None


def test_a_model_that_failed_in_the_making_is_gone(shell, monkeypatch):
    """A model that was built when %hf_new failed is held by nobody after the line."""
    gone = []

    def full(model, *_):
        gone.append(weakref.ref(model))
        raise hf_magics.errors.FitError("cuda has no room for it")

    hf_magics.new("bert", name="warm", **BERT)
    monkeypatch.setattr("hf_magics.modeling.placement.move", full)
    assert "has no room" in shell.error(LINE)
    shell.run("%hf_drop --all")
    assert gone[0]() is None


def test_an_unexpected_error_in_the_making_lets_go_at_the_next_drop(shell, monkeypatch):
    """A traceback of %hf_new itself holds the half-made model until a drop."""
    gone = []

    def broken(model, *_):
        gone.append(weakref.ref(model))
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        hf_magics.new("bert", name="warm", **BERT)
        patch.setattr("hf_magics.modeling.placement.move", broken)
        failed(shell, LINE)
    shell.run("%hf_drop warm")
    assert gone[0]() is None


def test_the_bytes_come_back(hf):
    """The process shrinks by about the weights, and the page has the numbers."""
    hf.new("bert", name="warm", **BERT)
    hf.new("bert", name="big", **BERT | {"vocab_size": 1_000_000})
    nbytes = hf.models().records()[1]["memory_bytes"]
    assert nbytes > 128_000_000
    result = hf.drop("big")
    assert result.freed_bytes > 0.9 * nbytes
    assert result.records() == [{"name": "big", "class": "BertModel", "bytes": nbytes}]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do otherwise")
def test_the_bytes_come_back_where_others_were_before(hf):
    """The C library had room for the weights in the middle of what it holds, and keeps it there."""
    keep_for_the_next()
    before = [torch.ones(4_000_000) for _ in range(12)]
    stays = torch.ones(4_000_000)
    before.clear()
    test_the_bytes_come_back(hf)
    assert stays.all()


def test_without_a_notebook_it_says_that_something_holds_it(hf):
    """In a script the verb can't look at variables: it says that the model is still there."""
    model = BertModel(BertConfig(**BERT))
    hf.add(model, None, "m")
    assert "m is still in memory" in note_texts(hf.drop("m"))


def test_an_unknown_name_drops_nothing(hf):
    """One wrong name among several, and none is dropped."""
    hf.new("bert", name="m", **BERT)
    with pytest.raises(SessionNameError, match="no model named 'x'"):
        hf.drop("m", "x")
    assert "m" in hf.session


def test_a_name_given_twice_is_dropped_once(hf):
    """The same name twice is no error."""
    hf.new("bert", name="m", **BERT)
    assert len(hf.drop("m", "m").records()) == 1


def test_the_outputs_of_a_dropped_model_are_let_go(hf):
    """Outputs that are kept for shown results go with their model; the page has their bytes."""
    kept = hf.session.kept
    numbers = {}
    for name in ("m", "n", "o"):
        hf.new("bert", name=name, **BERT)
        numbers[name] = hf.session[name].number
    tickets = {name: kept.put(name, 1000, 10_000, number) for name, number in numbers.items()}
    result = hf.drop("m")
    assert result.outputs_bytes == 1000
    assert "1.0 kB let go" in repr(result)
    with pytest.raises(EvictedError, match="its model was dropped"):
        kept.get(tickets["m"])
    assert kept.get(tickets["n"]) == "n"
    kept.put("of no model", 500, 10_000)
    assert hf.drop(all=True).outputs_bytes == 2500
    assert kept.nbytes == 0


def test_an_empty_session_has_nothing_to_drop(session):
    """It is no error; the page says so, and the log has nothing."""
    result = hf_magics.drop(all=True)
    assert "The session was empty already." in repr(result)
    assert session.log == []
