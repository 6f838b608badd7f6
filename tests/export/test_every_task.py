"""Every task's script gives the same, where hf_magics is not; a task without one fails here."""

import importlib.util
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest
import torch

import hf_magics as hf
from hf_magics.inference.tasks import TASKS
from tests.export.explaining import check_explained
from tests.home import run_home
from tests.inference.plain import same
from tests.inference.tasks import hearing, seeing, watching

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 30_522}
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 30_522}
NLI = {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}}
TEXTS = ["A cat sleeps.", "Two dogs run over the wide green field, and bark."]
IMAGE, SOUND = seeing.scene(), hearing.tone()
_MAKERS = (seeing, hearing, watching)
TABLE = pd.DataFrame({"city": ["rome", "oslo"], "people": ["3", "1"]})


@dataclass(frozen=True)
class Recipe:
    """A model, what is run through it, and the variable of the script that has the answer.

    ``made`` is a type and its fields, or the name of a tiny checkpoint that reads other things
    than texts; ``needs`` is a package that transformers wants for it.
    """

    made: tuple[str, dict[str, Any]] | str
    inputs: Any = field(default_factory=lambda: TEXTS)
    words: dict[str, Any] = field(default_factory=dict)
    answer: str = "outputs"
    head: str = ""
    needs: str = ""


def piped(name: str, inputs: Any = IMAGE, needs: str = "", **words: Any) -> Recipe:
    return Recipe(name, inputs, words, "answers", needs=needs)


BERT = ("bert", SIZES)
RECIPES = {
    "text-classification": Recipe(BERT),
    "token-classification": Recipe(BERT),
    "text-generation": Recipe(("gpt2", GPT2)),
    "text2text-generation": Recipe(("t5", T5), words={"max_new_tokens": 5}),
    "translation": Recipe(("t5", T5), words={"max_new_tokens": 5}, head="text2text-generation"),
    "summarization": Recipe(("t5", T5), words={"max_new_tokens": 5}, head="text2text-generation"),
    "fill-mask": Recipe(BERT, ["A [MASK] sleeps.", "Two [MASK] run over the [MASK]."]),
    "multiple-choice": Recipe(BERT, ["what swims\ta bat\ta cod", "what burns\ta bird\ta coal"]),
    "next-sentence-prediction": Recipe(BERT, ["one\ttwo", "three four\tfive"]),
    "question-answering": Recipe(BERT, ["Who sleeps?\tA cat sleeps.", "Where?\tOver the field."]),
    "zero-shot-classification": Recipe(
        ("bert", {**SIZES, **NLI}), words={"labels": ["pets", "news"]}, head="text-classification"
    ),
    "image-classification": piped("colours"),
    "zero-shot-image-classification": piped("clip", labels="cat, dog"),
    "video-classification": piped("watcher", watching.film),
    "audio-classification": piped("listener", SOUND),
    "object-detection": piped("detector", set={"threshold": 0.1}),
    "zero-shot-object-detection": piped("owl", labels="cat,dog", set={"threshold": 0.01}),
    "image-segmentation": piped("segmenter"),
    "mask-generation": piped("finder", IMAGE, "torchvision", set={"points_per_crop": 2}),
    "depth-estimation": piped("deep"),
    "keypoint-matching": piped("matcher", [(IMAGE, IMAGE)]),
    "automatic-speech-recognition": piped("hearer", SOUND),
    "image-text-to-text": piped("captioner", max_new_tokens=4, set={"question": "a picture of"}),
    "document-question-answering": piped(
        "document_reader",
        [(IMAGE, "what is the total")],
        set={
            "word_boxes": [
                ("total", [0, 0, 9, 9]),
                ("is", [9, 0, 19, 9]),
                ("seven", [9, 9, 19, 19]),
            ]
        },
    ),
    "table-question-answering": piped("table_reader", [(TABLE, "how many people")]),
    "embed": Recipe(BERT, answer="embeddings", head="feature-extraction"),
    "features": Recipe(BERT, head="feature-extraction"),
}


def test_every_task_has_a_recipe():
    """What is new in the table of tasks is new here."""
    assert RECIPES.keys() == TASKS.keys()


@pytest.fixture
def ran(session, minilm, tmp_path):
    """Runs a task's recipe, and returns the result."""

    def run(task: str) -> Any:
        recipe = RECIPES[task]
        if recipe.needs and not importlib.util.find_spec(recipe.needs):
            pytest.skip(f"transformers needs {recipe.needs} for {task}")
        if isinstance(recipe.made, str):
            make = next(getattr(one, recipe.made) for one in _MAKERS if hasattr(one, recipe.made))
            hf.load(make(tmp_path / "tiny"), name="m")
        else:
            kind, fields = recipe.made
            head = recipe.head or task
            hf.new(kind, name="m", task=head, seed=1, tokenizer=minilm, **fields)
        inputs = recipe.inputs(tmp_path) if callable(recipe.inputs) else recipe.inputs
        return hf.infer(inputs, task=task, variable="given", **recipe.words)

    return run


@pytest.mark.parametrize("task", TASKS)
def test_the_script_of_a_task_gives_the_same(ran, task):
    """Bit by bit: it is a single batch of float32. Each of its paragraphs is explained."""
    result, recipe = ran(task), RECIPES[task]
    assert "hf_magics" not in result.code
    check_explained(result.code, hf.explain().code)
    given = {"given": recipe.inputs} if isinstance(recipe.made, str) else {}
    found = run_home(result.code, **given)
    if recipe.answer == "embeddings":
        assert torch.equal(found["embeddings"], torch.from_numpy(result.embeddings))
    elif recipe.answer == "outputs":
        wanted = dict(result.outputs)  # of what generate gives, the IDs
        assert same({name: found["outputs"][name] for name in wanted}, wanted)
    else:
        assert len(found["answers"]) == len(result.values) == 1
