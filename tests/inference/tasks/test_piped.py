"""The tasks that go through transformers' pipeline, against a pipeline built by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageClassification, pipeline

import hf_magics as hf
from hf_magics.errors import (
    InputError,
    OptionError,
)
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.tasks import TASKS, Request
from hf_magics.inference.tasks.piped.seen import Given, Seen
from hf_magics.settings import DEFAULTS
from hf_magics.specs import InferSpec
from tests.inference.tasks import hearing, seeing
from tests.inference.tasks.piping import best, run_code, same

IMAGE, SOUND = seeing.scene(), hearing.tone()


LABELS = {"candidate_labels": ["cat", "dog"]}


CASES = [
    ("colours", "image-classification", IMAGE, {"top_k": 2}, {"top_k": 2}),
    ("detector", "object-detection", IMAGE, {"set": {"threshold": 0.1}}, {"threshold": 0.1}),
    ("segmenter", "image-segmentation", IMAGE, {}, {}),
    ("deep", "depth-estimation", IMAGE, {}, {}),
    ("listener", "audio-classification", SOUND, {}, {}),
    ("hearer", "automatic-speech-recognition", SOUND, {}, {}),
    (
        "whisperer",
        "automatic-speech-recognition",
        SOUND,
        {"max_new_tokens": 5},
        {"generate_kwargs": {"max_new_tokens": 5}},
    ),
    ("clip", "zero-shot-image-classification", IMAGE, {"labels": "cat, dog"}, LABELS),
    (
        "owl",
        "zero-shot-object-detection",
        IMAGE,
        {"labels": "cat,dog", "top_k": 3, "set": {"threshold": 0.01}},
        {**LABELS, "threshold": 0.01, "top_k": 3},
    ),
    (
        "captioner",
        "image-text-to-text",
        IMAGE,
        {"max_new_tokens": 4, "set": {"question": "a picture of"}},
        {"text": "a picture of", "generate_kwargs": {"max_new_tokens": 4}},
    ),
]


@pytest.mark.parametrize(("name", "task", "value", "line", "call"), CASES, ids=lambda one: one)
def test_the_answer_is_that_of_a_pipeline(load_tiny, name, task, value, line, call):
    """Scores, boxes and texts are those of a pipeline made from the folder; so are the code's."""
    where = load_tiny(name)
    result = hf.infer(value, variable="value", **line)
    expected = pipeline(task, model=where)(value, **call)
    assert result.task == task
    answers = run_code(result.code, value=value)["answers"]
    assert same(answers, [expected])
    assert "hf_magics" not in result.code
    listed = expected if isinstance(expected, list) else [expected]
    rows = result.records()
    assert len(rows) == len(listed)
    for row, one in zip(rows, listed, strict=True):
        assert row["input"] == 1
        if "label" in one:
            assert row["label"] == one["label"]
            assert row["prob"] == pytest.approx(one["score"], abs=1e-5)
        if "box" in one:
            assert {corner: row[corner] for corner in one["box"]} == one["box"]
    texts = [one.get("text", one.get("generated_text")) for one in listed if isinstance(one, dict)]
    assert result.text == [text for text in texts if text is not None]


@pytest.mark.parametrize(("name", "line"), [(case[0], case[3]) for case in CASES])
def test_a_page_is_small_and_says_its_numbers(load_tiny, name, line):
    """A page fits its budget with many inputs, and its picture has a label in both renderers."""
    load_tiny(name)
    value = SOUND if name in {"listener", "hearer", "whisperer"} else IMAGE
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    many = [value if value is SOUND else noise] * 9
    result = hf.infer(many, variable="many", **line)
    html = result._repr_html_()
    assert len(html) < 64 * 1024
    assert repr(result).count("\n") > 5
    if value is not SOUND:
        assert "image/jpeg;base64" in html
        assert "image 1" in repr(result)
    assert {row["input"] for row in result.records()} <= set(range(1, 10))
    assert len(best(result)) == 9


def test_outputs_are_those_of_the_last_forward_pass(load_tiny, session):
    """The tensors that a pipeline hides are kept, and no hook stays on the model."""
    where = load_tiny("colours")
    result = hf.infer([IMAGE, Image.new("RGB", (32, 32), "blue")])
    inputs = session["colours"].processor(Image.new("RGB", (32, 32), "blue"), return_tensors="pt")
    with torch.inference_mode():
        plain = AutoModelForImageClassification.from_pretrained(where)(**inputs)
    assert torch.equal(result.outputs.logits, plain.logits)
    assert not session["colours"].model._forward_hooks
    with pytest.raises(InputError):
        hf.infer(IMAGE, set={"function_to_apply": "nonsense"})
    assert not session["colours"].model._forward_hooks


def test_depth_and_segments_are_measured(load_tiny):
    """Depth has its least and largest value, a segment its part of the picture."""
    load_tiny("segmenter")
    rows = hf.infer(IMAGE).records()
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    where = load_tiny("deep")
    row = hf.infer(IMAGE).records()[0]
    depth = pipeline("depth-estimation", model=where)(IMAGE)["predicted_depth"]
    assert row["least"] == pytest.approx(float(depth.min()))
    assert row["largest"] == pytest.approx(float(depth.max()))


def test_a_document_is_asked_by_words_and_boxes(load_tiny):
    """Where the words of a document are known no OCR runs; without them the error says what to do."""
    where = load_tiny("document_reader")
    boxes = [["the", [0, 0, 90, 90]], ["total", [100, 0, 190, 90]], ["seven", [200, 0, 290, 90]]]
    result = hf.infer([(IMAGE, "what is the total")], variable="asked", set={"word_boxes": boxes})
    expected = pipeline("document-question-answering", model=where)(
        IMAGE, "what is the total", word_boxes=boxes
    )
    assert best(result) == (expected[0]["answer"],)
    assert result.records()[0]["prob"] == pytest.approx(expected[0]["score"], abs=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"set": {"num_beams": 0}}, "--set num_beams=0: a whole number from 1 on"),
        ({"set": {"top_p": 5, "do_sample": True}}, "--set top_p=5: a number above 0"),
        ({"set": {"num_beam": 2}}, "did you mean 'num_beams'"),
        ({"set": {"is_assistant": True}}, "takes no --set is_assistant"),
        ({"set": {"num_beams": 2}, "beams": 3}, "--beams and --set num_beams say the same"),
        ({"set": {"max_length": 9}, "max_new_tokens": 3}, "leave out one"),
    ],
    ids=str,
)
def test_what_the_writing_does_not_take_is_refused(load_tiny, words, said):
    """The fields of a generation config have the same ranges as everywhere."""
    load_tiny("captioner")
    with pytest.raises(OptionError) as caught:
        hf.infer([(IMAGE, "a picture of")], variable="asked", **words)
    assert said in str(caught.value)


def test_a_chat_template_is_used_where_there_is_one(load_tiny, session):
    """A model that has a template is asked in a chat of one turn; the code says the same."""
    load_tiny("captioner")
    session["captioner"].processor.chat_template = (
        "{% for m in messages %}{% for c in m.content %}"
        "{% if c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}"
    )
    result = hf.infer([(IMAGE, "a picture of")], max_new_tokens=4, variable="asked")
    processor = session["captioner"].processor
    code = result.code.replace("\npipe = ", "\nprocessor = given  # noqa: F821\npipe = ")
    answers = run_code(code, asked=[(IMAGE, "a picture of")], given=processor)["answers"]
    assert result.text == [answers[0][0]["generated_text"]]
    assert not any("chat" in note for note in result._notes)


def test_pieces_have_their_times(load_tiny):
    """With timestamps there is a row a piece, its times in seconds."""
    load_tiny("hearer")
    rows = hf.infer(SOUND, set={"return_timestamps": "char"}).records()
    assert rows
    assert all(0 <= row["start"] < row["end"] <= 0.2 for row in rows)
    assert type(rows[0]["start"]) is float


def test_masks_without_labels_are_numbered(load_tiny, session):
    """What mask generation answers is shown as segments, with the scores that it has."""
    load_tiny("finder")
    spec = InferSpec("finder", task="mask-generation")
    request = Request(session["finder"], spec, Inputs(things=(IMAGE,)), DEFAULTS)
    left = np.zeros((48, 64), dtype=bool)
    left[:, :16] = True
    answers = ({"masks": [left, ~left], "scores": torch.tensor([0.75, 0.5])},)
    seen = Seen(request, (Given("image 1", IMAGE, IMAGE, IMAGE),), answers)
    answer = TASKS["mask-generation"].show(seen)
    assert [(row["segment"], row["prob"], row["share"]) for row in answer.records] == [
        (1, 0.75, 0.25),
        (2, 0.5, 0.75),
    ]


def test_half_precision_and_its_device_stay(session, tiny_folder):
    """The pipeline neither casts nor moves the model."""
    hf.load(tiny_folder("colours"), name="half", dtype="bfloat16")
    result = hf.infer(IMAGE)
    assert session["half"].model.dtype == torch.bfloat16
    assert sum(row["prob"] for row in result.records()) == pytest.approx(1, abs=1e-3)
