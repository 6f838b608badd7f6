"""Captures of tasks that make several rows of a line, write, or go through a pipeline."""

import pytest
import torch

import hf_magics as hf
from tests.home import run_home
from tests.inference.capturing import hooks_on, said
from tests.inference.plain import same
from tests.inference.tasks import seeing

FIRST = "encoder.layer.0.output"
NLI = {"num_labels": 3, "id2label": {"0": "entailment", "1": "neutral", "2": "contradiction"}}


@pytest.mark.parametrize("keep", ["mean", "last", "all"])
@pytest.mark.parametrize(
    ("lines", "more", "rows"),
    [
        (["one\ta\tb", "two and more words\tc\tdog"], {"task": "multiple-choice"}, 4),
        (["one", "two and more words"], {"labels": "a,b,c"}, 6),
    ],
)
def test_a_line_may_be_several_rows(session, minilm, keep, lines, more, rows):
    """Of an option or a label each; the code gives the same."""
    fields = NLI if "labels" in more else {}
    hf.load(minilm, name="mini", task=more.get("task", "text-classification"), **fields)
    result = hf.infer(lines, capture=FIRST, keep=keep, **more)
    assert len(result.captured[f"bert.{FIRST}"]) == rows
    made = run_home(result.code)
    assert same(made["captured"], result.captured)
    if fields:
        assert f"The task makes {rows} rows of 2 lines" in said(result)


def test_windows_of_a_long_context_are_rows(session, minilm):
    """Run so many at once, and put one after the other."""
    hf.load(minilm, name="reader", task="question-answering")
    context = " ".join(f"The {at}th cat sat on mat {7 * at}." for at in range(600))
    asked = {"context": context, "max_length": 128}
    mean = hf.infer("Where?", **asked, capture=FIRST)
    whole = hf.infer("Where?", **asked, capture=FIRST, keep="all")
    vectors, states = mean.captured[f"bert.{FIRST}"], whole.captured[f"bert.{FIRST}"]
    assert len(vectors) == len(states) > 64
    torch.testing.assert_close(vectors[:-1], states[:-1].mean(dim=1))
    assert "rows of 1 line" in said(mean)


def test_a_pipeline_is_called_for_each_input(load_tiny, session):
    """The second image is the second call."""
    load_tiny("colours")
    model = session["colours"].model
    path = next(one for one, _ in model.named_modules() if one.endswith("layers.1.mlp"))
    images = [seeing.scene(), seeing.scene().rotate(90)]
    result = hf.infer(images, capture=path, keep="all", variable="images")
    assert list(result.captured) == [path, f"{path}#2"]
    alone = hf.infer(images[1], capture=path, keep="all", variable="image").captured[path]
    assert torch.equal(result.captured[f"{path}#2"], alone)
    made = run_home(result.code, images=images)
    assert same(made["captured"], result.captured)
    assert hooks_on(model) == 0
