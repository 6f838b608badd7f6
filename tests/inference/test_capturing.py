"""Captures: a hand-written hook's tensors, what is kept of them by hand, and no hook left."""

import gc
import weakref

import pytest
import torch

import hf_magics as hf
from hf_magics.errors import EvictedError, InputError, OptionError
from hf_magics.inference.tensors import nbytes_held
from tests.home import run_home
from tests.inference.capturing import by_hand, hooks_on, said
from tests.inference.plain import notes, same

LINES = ["Hello!", "A longer line, of more words than the other.", "Cool."]
LAYERS = [f"encoder.layer.{at}.output" for at in range(6)]
OUTPUTS = "encoder.layer.*.output"


HOOKS_LEFT = "sum(len(one._forward_hooks) for one in model.modules())"


@pytest.fixture
def hand(bert):
    """What a hook gives for LINES at the layers of the real MiniLM, and the mask."""
    batch = bert.tokenizer(LINES, padding=True, return_tensors="pt")
    seen = by_hand(bert.model, LAYERS, **batch)
    return {path: one for path, (one,) in seen.items()}, batch["attention_mask"].bool()


def test_all_is_what_a_hook_sees(bert, hand):
    """Bit by bit, of the real MiniLM; the hooks are gone."""
    found = hf.infer(LINES, capture=OUTPUTS, keep="all").captured
    assert same(found, hand[0])
    assert hooks_on(bert.model) == 0


def test_the_mean_leaves_padding_out(bert, hand):
    """It is what is kept unasked: a vector a line."""
    found = hf.infer(LINES, capture=OUTPUTS)
    assert same(found.captured, hf.infer(LINES, capture=OUTPUTS, keep="mean").captured)
    whole, mask = hand
    for path, states in whole.items():
        rows = [states[row][mask[row]].mean(dim=0) for row in range(3)]
        torch.testing.assert_close(found.captured[path], torch.stack(rows))
    assert "the mean over the tokens of each line, padding left out" in repr(found)
    assert "Without --keep it is the mean" in said(found)


def test_the_last_token_is_none_of_padding(bert, hand):
    """Each line's own, bit by bit; the same where tensors are padded on the left."""
    whole, mask = hand
    found = hf.infer(LINES, capture=OUTPUTS, keep="last").captured
    last = mask.sum(dim=1) - 1
    assert same(found, {path: one[torch.arange(3), last] for path, one in whole.items()})
    batch = bert.tokenizer(LINES, padding=True, padding_side="left", return_tensors="pt")
    found = hf.infer(dict(batch), task="features", capture=OUTPUTS, keep="last").captured
    seen = by_hand(bert.model, LAYERS, **batch)
    assert same(found, {path: one[:, -1] for path, (one,) in seen.items()})


def test_padding_that_is_no_number_is_left_out(bert):
    """A hook that is there already may make it so."""
    batch = bert.tokenizer(LINES, padding=True, return_tensors="pt")
    padding = ~batch["attention_mask"].bool()
    layer = bert.model.encoder.layer[5].output
    handle = layer.register_forward_hook(
        lambda *gave: gave[2].masked_fill(padding[..., None], torch.nan)
    )
    try:
        found = hf.infer(dict(batch), task="features", capture=LAYERS[5])
    finally:
        handle.remove()
    assert found.captured[LAYERS[5]].isfinite().all()


@pytest.mark.parametrize("keep", ["mean", "last", "all"])
def test_rows_of_many_lines_are_in_their_order(bert, keep):
    """Run in groups; each row as it is by itself, to rounding."""
    texts = ["word " * (1 + row * 37 % 180) for row in range(30)]
    found = hf.infer(texts, capture=[OUTPUTS, "pooler"], keep=keep)
    assert hooks_on(bert.model) == 0
    for row in (0, 7, 29):
        alone = hf.infer(texts[row], capture=[OUTPUTS, "pooler"], keep=keep).captured
        for path, one in alone.items():
            many = found.captured[path][row]
            many = many[: one.shape[1]] if keep == "all" and path != "pooler" else many
            assert (many - one[0]).abs().max() < 1e-4, path
    assert ("zero stands where" in repr(found)) == (keep == "all")


def test_what_has_no_row_a_line_runs_all_lines_at_once(bert):
    """Position embeddings are the same for all: one row."""
    texts = ["word " * (1 + row * 37 % 180) for row in range(30)]
    path = "embeddings.position_embeddings"
    whole = hf.infer(texts, task="features", capture=path, keep="all").captured[path]
    assert whole.shape[0] == 1
    mean = hf.infer(texts, task="features", capture=path).captured[path]
    assert mean.shape == (30, 384)
    torch.testing.assert_close(mean[0], whole[0, :3].mean(dim=0))


def test_patterns_and_their_stars(bert):
    """* stops at a dot, ** does not; several patterns are one capture, in the model's order."""
    found = hf.infer("Hello!", capture=["pooler", "encoder.*.0.*", "embeddings.**"]).captured
    assert "encoder.layer.0.attention" in found
    assert "encoder.layer.0.attention.self" not in found
    assert list(found)[-1] == "pooler"
    assert next(iter(found)).startswith("embeddings.")
    deep = hf.infer("Hello!", capture="encoder.**.query").captured
    assert len(deep) == 6


def test_a_head_may_leave_out_the_prefix_of_its_base(session, minilm):
    """The names have it."""
    hf.load(minilm, name="sorter", task="text-classification")
    found = hf.infer("Hello!", capture=[OUTPUTS, "classifier"]).captured
    assert list(found) == [*(f"bert.{path}" for path in LAYERS), "classifier"]


def test_queries_of_attention_are_its_tokens(bert):
    """Of rows, heads, queries and keys."""
    bert.model.set_attn_implementation("eager")
    path, one = "encoder.layer.0.attention.self", {"output_attentions": True}
    try:
        whole = hf.infer("one two three", task="features", capture=path, keep="all", set=one)
        mean = hf.infer("one two three", task="features", capture=path, set=one)
    finally:
        bert.model.set_attn_implementation("sdpa")
    assert torch.equal(whole.captured[f"{path}[1]"], whole.outputs.attentions[0])
    wanted = whole.captured[f"{path}[1]"].mean(dim=2)
    torch.testing.assert_close(mean.captured[f"{path}[1]"], wanted)
    assert f"the others as {path}[1]" in said(whole)


@pytest.mark.parametrize("keep", ["mean", "last", "all"])
def test_code_gives_the_same_tensors(bert, session, minilm, keep):
    """Bit by bit: of the real MiniLM, of lines with padding and of one."""
    hf.load(minilm, name="mini")
    for texts in (LINES, "Hello!"):
        result = hf.infer(texts, capture=[OUTPUTS, "pooler", "encoder"], keep=keep)
        made = run_home(f"{result.code}\nleft = {HOOKS_LEFT}\n")
        assert same(made["captured"], result.captured)
        assert made["left"] == 0


@pytest.mark.parametrize(
    ("error", "raised"),
    [(RuntimeError("no"), InputError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_hooks_are_gone_after_errors_and_interrupts(bert, monkeypatch, error, raised):
    """And the next run is as ever."""

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bert.model.encoder.layer[3].output, "forward", fail)
        with pytest.raises(raised):
            hf.infer(LINES, capture="**")
    assert hooks_on(bert.model) == 0
    assert len(hf.infer(LINES, capture=OUTPUTS).captured) == 6


def test_what_is_kept_does_not_grow_with_the_text(bert):
    """A vector a line, by the mean and by the last token."""
    for keep in ("mean", "last"):
        sizes = {
            nbytes_held(hf.infer("word " * words, capture="**.query", keep=keep).captured)
            for words in (2, 200)
        }
        assert sizes == {6 * 384 * 4}


def test_a_capture_that_does_not_fit_is_halved(bert, monkeypatch):
    """What was kept of the batch that had no room is forgotten."""
    texts = ["word " * (1 + row * 37 % 180) for row in range(30)]
    layer, rows = bert.model.encoder.layer[5].output, []
    forward = layer.forward

    def crowded(states, more):
        rows.append(len(states))
        if len(states) > 4:
            raise torch.OutOfMemoryError
        return forward(states, more)

    wanted = hf.infer(texts, capture=OUTPUTS).captured
    monkeypatch.setattr(layer, "forward", crowded)
    found = hf.infer(texts, capture=OUTPUTS).captured
    assert max(rows) > 4
    for path, one in wanted.items():
        assert (found[path] - one).abs().max() < 1e-4


def test_nothing_stays_when_the_result_is_gone(bert, session):
    """The tensors go with it, and the page never had them."""
    result = hf.infer(LINES, capture=OUTPUTS, keep="all")
    tensors = [weakref.ref(one) for one in result.captured.values()]
    page = result.page()
    del result
    gc.collect()
    assert all(one() is None for one in tensors)
    assert page.parts
    assert session.kept.nbytes == 0


def test_a_shown_result_keeps_its_captures_within_the_budget(shell, bert, session):
    """As its outputs; -o keeps them."""
    line = f"%hf_infer --capture '{OUTPUTS}' --keep all -o out Hello!"
    shown = shell.run(line)
    assert session.kept.nbytes >= nbytes_held(shown.captured)
    shell.run("%config HFMagics.outputs_bytes = 1")
    evicted = shell.run(line)
    with pytest.raises(EvictedError, match="-o NAME"):
        _ = evicted.captured
    assert list(shell.names["out"].captured) == LAYERS


def test_a_line_and_a_cell_capture(shell, bert, session):
    """Options may stand several times, quoted."""
    shell.run("%hf_infer --capture 'encoder.layer.0.*' --capture pooler --keep last -o one Hello!")
    shell.run(f"%%hf_infer --capture '{OUTPUTS}' -o two\nHello!\nCool.")
    assert "pooler" in shell.names["one"].captured
    assert session.log[-1].capture == (OUTPUTS,)
    assert session.log[-1].keep == "mean"
    assert shell.names["two"].captured[LAYERS[0]].shape == (2, 384)


def test_the_page_of_many_modules_is_small(bert):
    """All modules of the real MiniLM: what is not shown is said."""
    result = hf.infer(LINES, capture="**", keep="all")
    assert len(result.captured) > 90
    assert len(result._repr_html_().encode()) < 65_536
    assert "result.captured has them all" in repr(result)


def test_what_is_not_finite_is_noted(bert):
    """The first modules that have it, in the order of the model."""
    layer = bert.model.encoder.layer[2].output
    handle = layer.register_forward_hook(lambda *gave: gave[2] * torch.inf)
    try:
        found = notes(hf.infer("Hello!", capture=OUTPUTS, keep="all"))
    finally:
        handle.remove()
    assert any(
        one.startswith("4 captured tensors with NaN or Inf: encoder.layer.2") for one in found
    )


def test_a_result_without_a_capture_has_none(bert):
    """And says so."""
    with pytest.raises(AttributeError, match="no captured"):
        _ = hf.infer("Hello!").captured


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "%hf_infer --capture encoder.layers.*.output Hello!",
            "did you mean 'encoder.layer.*.output'",
        ),
        ("%hf_infer --capture encoder.layer.6.output Hello!", "no module has such a path"),
        (
            "%hf_infer --capture encoder.layer Hello!",
            "--capture 'encoder.layer.*' takes what is in it",
        ),
        ("%hf_infer --capture '' Hello!", "needs the path of modules"),
        ("%hf_infer --capture pooler --keep men Hello!", "did you mean 'mean'"),
        ("%hf_infer --keep mean Hello!", "--capture PATTERN names the modules"),
        ("%hf_map --capture pooler texts", "no option '--capture'"),
    ],
)
def test_bad_input_is_answered_in_one_line(shell, bert, line, said):
    """That says what to type."""
    shell.names["texts"] = LINES
    assert said in shell.error(line)
    assert hooks_on(bert.model) == 0


def test_scripts_are_told_the_same(bert):
    """By the errors of the tree."""
    with pytest.raises(InputError):
        hf.infer("Hello!", capture="nothing")
    with pytest.raises(OptionError):
        hf.infer("Hello!", capture="pooler", keep="some")


def test_what_an_engine_computes_can_not_be_captured(bert, shell):
    """In one line."""
    bert.loaded.runner = object()
    try:
        said = shell.error("%hf_infer --capture pooler Hello!")
    finally:
        bert.loaded.runner = None
    assert "--capture needs torch" in said
