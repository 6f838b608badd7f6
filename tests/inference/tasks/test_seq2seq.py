"""Text to text: what is written is what ``generate`` writes, and the page shows it."""

import pytest
import torch

import hf_magics as hf
from hf_magics.display import html, text
from hf_magics.errors import InputError, OptionError
from hf_magics.inference.told import CACHE
from tests.home import run_home
from tests.inference.plain import notes, same
from tests.inference.tasks.languages import ENGLISH, FRENCH, GERMAN

SHORT = {"max_new_tokens": 5}
PREFIXED = ["translate English to French: one", "translate English to French: three"]


def generated(loaded, texts, **arguments):
    """What the plain lines of transformers give."""
    inputs = loaded.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = loaded.model.generate(**inputs, return_dict_in_generate=True, **arguments)
    # neither the cache nor the scores of each step are kept
    kept = {name: one for name, one in found.items() if name not in (CACHE, "scores")}
    return type(found)(**kept)


def rerun(result, **names) -> dict:
    """The variables of the result's code, run by itself."""
    return run_home(result.code, **names)


def column(result, name: str) -> list:
    return [row[name] for row in result.records()]


@pytest.mark.parametrize(("to", "words"), [("fr", FRENCH), ("German", GERMAN), ("deu", GERMAN)])
def test_translations_are_right(t5, to, words):
    """A T5 gets its own prefix for the language, and its answer is each input's value."""
    result = hf.infer(ENGLISH, task="translation", to=to, **SHORT)
    assert result.text == words
    assert list(result.values) == words
    assert column(result, "output") == words
    assert column(result, "text") == ENGLISH
    assert result.task == "translation"


def test_the_output_is_that_of_generate(t5):
    """Prefix and arguments are those that one would type; the sequences are the same."""
    result = hf.infer(["one", "three"], to="fr", **SHORT)
    expected = generated(t5, PREFIXED, **SHORT)
    assert same(result.outputs, expected)
    assert type(result.outputs) is type(expected)


def test_without_a_task_the_text_is_taken_as_it_is(t5):
    """The head's own answer is text to text: no prefix, no settings of a task."""
    result = hf.infer("summarize: two", **SHORT)
    assert result.task == "text2text-generation"
    assert same(result.outputs, generated(t5, ["summarize: two"], **SHORT))
    assert result.text == ["two"]


@pytest.mark.parametrize(
    "asked",
    [
        {"to": "fr", **SHORT},
        {"to": "fr", "beams": 3, **SHORT},
        {"task": "summarize"},
        {"set": {"stop_strings": ["two"], "min_new_tokens": 2}, **SHORT},
        {"max_length": 3, **SHORT},
    ],
    ids=str,
)
def test_the_code_gives_the_same(t5, asked):
    """The plain code runs by itself and gives the same IDs and texts."""
    result = hf.infer(["one", "three two"], **asked)
    found = rerun(result, t5=t5.model, tokenizer=t5.tokenizer)
    assert "hf_magics" not in result.code
    assert torch.equal(found["outputs"].sequences, result.outputs.sequences)
    assert found["texts"] == result.text


def test_beams_have_their_scores(t5):
    """With beams there is the score of each sequence, generate's own."""
    result = hf.infer(["one", "three"], to="fr", beams=2, **SHORT)
    expected = generated(t5, PREFIXED, num_beams=2, output_scores=True, **SHORT)
    assert column(result, "score") == expected.sequences_scores.tolist()
    assert same(result.outputs, expected)
    assert "score" in [one.name for one in result.page().parts[0].columns]
    assert "score" not in hf.infer("one", to="fr", **SHORT).records()[0]


def test_only_what_was_asked_is_kept(t5):
    """The cache and the scores of each step, the largest of it, are let go unless asked for."""
    beams = hf.infer("one", to="fr", beams=2, **SHORT).outputs
    assert CACHE not in beams
    assert "scores" not in beams
    assert "sequences_scores" in beams
    asked = hf.infer("one", to="fr", set={"output_scores": True}, **SHORT).outputs
    assert len(asked.scores) == asked.sequences.shape[1] - 1
    assert CACHE not in asked


def test_several_sequences_of_an_input(t5):
    """Each of several sequences has a row with its rank, and the value is the list of them."""
    asked = {"num_return_sequences": 2, "num_beams": 3}
    result = hf.infer(["summarize: one", "summarize: two"], set=asked, **SHORT)
    assert column(result, "line") == [1, 1, 2, 2]
    assert column(result, "rank") == [1, 2, 1, 2]
    assert len(result.text) == 4
    assert result.values == (result.text[:2], result.text[2:])


def test_a_summary_takes_the_lengths_of_the_checkpoint(t5):
    """The checkpoint's settings for the task are used and noted; the line goes before them."""
    result = hf.infer("four", task="summarization")
    expected = generated(
        t5, ["summarize: four"], max_length=6, min_length=1, num_beams=2, output_scores=True
    )
    assert same(result.outputs, expected)
    assert result.text == ["four"]
    (note,) = notes(result)
    assert "for summarization: max_length 6, min_length 1, num_beams 2" in note
    own = hf.infer("four", task="summarization", beams=1, max_new_tokens=3)
    assert notes(own) == []
    assert same(own.outputs, generated(t5, ["summarize: four"], num_beams=1, max_new_tokens=3))


def test_any_field_of_the_generation_config_is_taken(t5):
    """--set gives a field by its own name."""
    two = t5.tokenizer.convert_tokens_to_ids("▁two")
    result = hf.infer("summarize: two", set={"suppress_tokens": [two]}, **SHORT)
    assert same(result.outputs, generated(t5, ["summarize: two"], suppress_tokens=[two], **SHORT))
    assert two not in result.outputs.sequences


def test_sampling_is_said(t5):
    """A note says that the text was drawn, or that a field has no effect without drawing."""
    result = hf.infer("summarize: two", set={"do_sample": True, "temperature": 0.5}, **SHORT)
    assert any(
        "sampled: run again and it differs; --set do_sample=false" in n for n in notes(result)
    )
    idle = hf.infer("summarize: two", set={"temperature": 0.5, "length_penalty": 2.0}, **SHORT)
    assert notes(idle) == [
        "temperature: no effect without --set do_sample=true",
        "length_penalty: no effect without --beams N",
    ]
    t5.model.generation_config.do_sample = True
    try:
        assert "sampled" in notes(hf.infer("summarize: two", **SHORT))[0]
    finally:
        t5.model.generation_config.do_sample = None


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"set": {"num_beam": 2}}, OptionError, "no 'num_beam'; did you mean 'num_beams'"),
        ({"set": {"beams": 2}}, OptionError, "no 'beams'; did you mean 'num_beams'"),
        ({"set": {"nonsense": 2}}, OptionError, "generate takes no 'nonsense'"),
        ({"set": {"return_dict_in_generate": False}}, OptionError, "always true"),
        ({"beams": 2, "set": {"num_beams": 3}}, OptionError, "--beams and --set num_beams"),
        ({"beams": 0}, OptionError, "--beams 0: at least 1"),
        ({"max_new_tokens": 0}, OptionError, "--max-new-tokens 0: at least 1"),
        ({"set": {"num_return_sequences": 2}}, InputError, "num_return_sequences"),
        ({"set": {"num_beams": "x"}}, OptionError, "--set num_beams=x: a whole number"),
        ({"set": {"max_length": 0}}, OptionError, "--set max_length=0: a whole number from 1"),
        ({"set": {"num_beams": 0}}, OptionError, "--set num_beams=0: a whole number from 1"),
        ({"set": {"top_k": "x", "do_sample": True}}, OptionError, "--set top_k=x: a whole number"),
        ({"set": {"top_p": 5, "do_sample": True}}, OptionError, "--set top_p=5: a number above 0"),
        ({"set": {"is_assistant": True}}, OptionError, "transformers' own"),
        ({"set": {"max_length": 9}, "max_new_tokens": 3}, OptionError, "leave out one"),
        ({"set": {"stop_strings": [""]}}, OptionError, "stop_strings needs a text"),
        ({"set": {"early_stopping": "x"}, "beams": 2}, InputError, "t5 can't be run so"),
        ({"labels": "a,b"}, OptionError, "takes no --labels; it takes --beams, --max-new-tokens"),
        ({"task": "summarization", "to": "fr"}, OptionError, "summarization takes no --to"),
    ],
    ids=str,
)
def test_what_generate_refuses_is_one_line(t5, asked, error, message):
    """Unknown names, things said twice, and what transformers refuses are named."""
    with pytest.raises(error, match=message) as raised:
        hf.infer("summarize: two", **asked)
    assert "\n" not in str(raised.value)


def test_token_ids_are_taken_as_they_are(t5):
    """IDs have no prefix put before them, which is said; the output is decoded all the same."""
    ids = t5.tokenizer("translate English to French: six")["input_ids"]
    result = hf.infer([ids], to="fr", **SHORT)
    assert result.text == ["six"]
    assert any("without the model's prefix" in note for note in notes(result))
    found = rerun(result, t5=t5.model, tokenizer=t5.tokenizer)
    assert torch.equal(found["outputs"].sequences, result.outputs.sequences)


def test_a_model_without_a_tokenizer_writes_ids(bart):
    """Without a tokenizer the output is shown as IDs."""
    result = hf.infer([[0, 5, 6, 2]], set={"max_length": 4})
    ids = result.outputs.sequences[0].tolist()
    assert result.text == ["IDs " + ", ".join(map(str, ids))]
    assert result.task == "text2text-generation"
    found = rerun(result, bart=bart.model)
    assert torch.equal(found["outputs"].sequences, result.outputs.sequences)


def test_scores_that_are_too_large_are_left_out(t5, monkeypatch):
    """Beams whose scores need more than their share of memory run without them, and it is said."""
    monkeypatch.setattr("hf_magics.inference.answering.writing._SCORES_BYTES", 10)
    result = hf.infer("summarize: one", beams=2, **SHORT)
    assert "score" not in result.records()[0]
    assert any("--set output_scores=true" in note for note in notes(result))


def test_in_a_shell(shell, t5):
    """The options of the line are those of the verb, and -o df.column takes the texts."""
    shell.run("import pandas as pd; df = pd.DataFrame({'en': ['one', 'two']})")
    shell.run("%hf_infer -i df.en --task translate --to fr --max-new-tokens 5 -o df.fr")
    assert shell.names["df"]["fr"].tolist() == ["un", "deux"]
    assert "t5 translates en to fr" in shell.error("%hf_infer --task translate one")


def test_the_page_reads_well(t5):
    """The answer stands beside its input, in a terminal of any width and in HTML."""
    page = hf.infer(["one", "two"], to="fr", **SHORT).page()
    for drawn in (text.render(page, width=80), text.render(page, width=160), html.render(page)):
        assert "Translation: en to fr" in drawn
        assert "deux" in drawn
        assert "end token" in drawn
