"""What a script runs on: short things of the notebook written down, long ones to be filled in."""

import shutil

import pytest
import torch
from datasets import Dataset

import hf_magics as hf
from tests.export.test_every_task import NLI, SIZES
from tests.home import run_home

CONTEXT = "The cat sleeps on the mat. The dog runs over the wide field. " * 40
MANY = [f"Who sleeps on mat number {number}?" for number in range(120)]
PAIRS = [f"{question}\tA cat sleeps there." for question in MANY]
OPTIONS = [f"{question}\ta cat\ta dog" for question in MANY]
IDS = [[101, 2040 + number, 102] for number in range(900)]
RAGGED = [[101, *range(2000, 2003 + number % 7), 102] for number in range(400)]

LONG = {
    "pairs": ("next-sentence-prediction", "pairs", PAIRS, {}),
    "ids": ("feature-extraction", "many", IDS, {}),
    "ids of several lengths": ("feature-extraction", "ids", RAGGED, {}),
    "ids that are cut": ("feature-extraction", "input_ids", RAGGED, {"max_length": 6}),
    "options": ("multiple-choice", "options", OPTIONS, {}),
    "questions with contexts": ("question-answering", "questions", PAIRS, {}),
    "questions": ("question-answering", "contexts", MANY, {"context": "A cat sleeps."}),
    "texts to label": ("zero-shot-classification", "labels", MANY, {"labels": ["pets", "news"]}),
}


def make(task: str, minilm: str, **fields: object) -> None:
    head = "text-classification" if task.startswith("zero") else task
    more = NLI if task.startswith("zero") else {}
    hf.new("bert", name="m", task=head, seed=1, tokenizer=minilm, **SIZES, **more, **fields)


@pytest.mark.parametrize("case", LONG)
def test_a_long_variable_is_filled_in(session, minilm, case):
    """Whatever it is called in the notebook, a name that the script has too among it."""
    task, name, given, words = LONG[case]
    make(task, minilm)
    result = hf.infer(given, variable=name, **words)
    assert f"\n{name} = ...  # a list of {len(given):,} " in result.code
    assert "number 7?" not in result.code
    assert len(result.code) < 2_500
    found = run_home(result.code, **{name: given})["outputs"]
    for one, wanted in dict(result.outputs).items():
        there, here = found[one], wanted
        if one == "last_hidden_state":  # at the padding it is of no meaning
            there, here = there[:, 0], here[:, 0]
        assert torch.allclose(there, here, atol=1e-5)


def test_a_long_context_is_filled_in(session, minilm):
    """One for all questions, or one each; a short one is written down."""
    make("question-answering", minilm)
    questions = ["Who sleeps?", "Who runs?"]
    result = hf.infer(questions, context=CONTEXT)
    assert "\ncontext = ...  # a text of 2,440 characters: fill it in\n" in result.code
    wanted = result.outputs.start_logits
    assert torch.equal(run_home(result.code, context=CONTEXT)["outputs"].start_logits, wanted)
    each = [CONTEXT, f"{CONTEXT} It rains."]
    result = hf.infer(questions, context=each)
    assert "\ncontexts = ...  # a list of 2 texts: fill it in\n" in result.code
    wanted = result.outputs.start_logits
    assert torch.equal(run_home(result.code, contexts=each)["outputs"].start_logits, wanted)
    short = hf.infer(questions, context="A cat sleeps.").code
    assert 'context = "A cat sleeps."\ncontexts = [context] * len(questions)\n' in short


@pytest.mark.parametrize("given", [MANY, IDS])
def test_long_prompts_are_filled_in(session, minilm, given):
    """Of a generation: texts, and token IDs, which are padded on the left."""
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "vocab_size": 30_522}
    hf.new("gpt2", name="m", task="text-generation", seed=1, tokenizer=minilm, **sizes)
    given = [*given, given[0][:2] if given is IDS else "Who"]
    result = hf.generate(given, max_new_tokens=2, variable="texts")
    assert len(result.code) < 1_500
    found = run_home(result.code, texts=given)["outputs"]
    assert found[:, -2:].tolist() == result.ids


def test_a_variable_that_changes_is_filled_in_twice(session, minilm):
    """The same name stood for other texts in each step, and each step finds its own."""
    make("feature-extraction", minilm)
    others = [f"{text} Not this one." for text in MANY]
    first = hf.infer(MANY, variable="many")
    second = hf.infer(others, variable="many")
    code = hf.code(all=True).code
    assert "\nmany = ...  # a list of 120 texts: fill it in\n" in code
    assert "\ngiven_many = ...  # a list of 120 texts: fill it in\n" in code
    assert "\nmany = given_many\n" in code
    found = run_home(code, many=MANY, given_many=others)["outputs"]
    assert torch.equal(found.last_hidden_state, second.outputs.last_hidden_state)
    assert not torch.equal(found.last_hidden_state, first.outputs.last_hidden_state)


def test_a_variable_is_not_overwritten_by_the_script(session, minilm):
    """A variable called as one of the script's own stays what it is for a later step."""
    make("feature-extraction", minilm)
    hf.infer("A cat.")
    hf.infer(MANY, variable="texts")
    hf.infer("A dog.")
    wanted = hf.infer(MANY, variable="texts", max_length=6)
    code = hf.code(all=True).code
    assert code.count("= ...") == code.count("given_texts = ...") == 1
    found = run_home(code, given_texts=MANY)["outputs"]
    assert torch.equal(found.last_hidden_state, wanted.outputs.last_hidden_state)


def test_a_path_from_home_stays_as_it_was_given(session, minilm, tmp_path, monkeypatch):
    """Transformers takes no ~, and so the script makes a path of it, on whatever machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(minilm, tmp_path / "mini lm")
    (tmp_path / "texts.txt").write_text("A cat.\nTwo dogs.\n")
    hf.load("~/mini lm", name="m")
    hf.load("~/mini lm", name="other", tokenizer="~/mini lm/vocab.txt")
    hf.map("~/texts.txt", model="m", task="embed")
    hf.layers("~/mini lm")
    Dataset.from_dict({"text": ["A cat."]}).to_csv(tmp_path / "texts.csv")
    hf.map("~/texts.csv", model="m", task="embed")
    code = hf.code(all=True).code
    assert str(tmp_path) not in code
    assert 'from_pretrained(os.path.expanduser("~/mini lm"), dtype' in code
    assert 'open(os.path.expanduser("~/texts.txt"), ' in code
    found = run_home(code.replace('"~/', f'"{tmp_path}/'))["answers"]
    assert len(found) == 1
