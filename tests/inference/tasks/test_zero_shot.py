"""Zero-shot classification, by a model that learned to infer; transformers' pipeline beside it."""

import itertools

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    pipeline,
)

import hf_magics as hf
from hf_magics.errors import HeadError, InputError, OptionError
from tests.home import run_home
from tests.inference.plain import TINY, byte_level, notes, same
from tests.inference.tasks.training import TINY_BERT, train, word_tokenizer

TOPICS = {
    "sports": ["the team won", "a goal was scored", "the team lost"],
    "politics": ["the senate voted", "a law was voted", "the minister spoke"],
    "food": ["the soup was hot", "a cake was baked", "the bread was fresh"],
}
LABELS = list(TOPICS)
TEXTS = ["the team scored", "the minister voted", "the cake was fresh"]


def named(*labels):
    """The config's fields for these labels."""
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
    }


NLI = named("contradiction", "neutral", "entailment")
OTHER = named("ENTAILMENT", "neutral", "Contradiction")
TWO = named("entailment", "not_entailment")


def untrained(tokenizer, fields):
    """A model whose random weights are large enough for its answers to differ."""
    torch.manual_seed(0)
    size = {"vocab_size": len(tokenizer), "initializer_range": 0.2}
    return BertForSequenceClassification(BertConfig(**size, **TINY_BERT, **fields)).eval()


def nli(tokenizer, fields):
    """A model to which ``This example is TOPIC.`` follows on the texts of that topic."""
    rows = [
        (text, f"This example is {label}.", label == topic)
        for (topic, texts), label in itertools.product(TOPICS.items(), TOPICS)
        for text in texts
    ]
    first, second, holds = (list(column) for column in zip(*rows, strict=True))
    ids = {name.lower(): at for at, name in fields["id2label"].items()}
    no = ids.get("contradiction", ids.get("not_entailment"))
    labels = torch.tensor([ids["entailment"] if one else no for one in holds])
    model = untrained(tokenizer, fields)
    batch = {**tokenizer(first, second, padding=True, return_tensors="pt"), "labels": labels}
    return train(model, batch, steps=80)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A tokenizer of the words of all topics."""
    texts = [text for group in TOPICS.values() for text in group]
    every = " ".join([*texts, "this example is . it about", *TOPICS]).split()
    return word_tokenizer(tmp_path_factory.mktemp("zero_shot"), every)


@pytest.fixture(scope="module")
def learned(words):
    """The model with the usual order of labels, and its tokenizer."""
    return nli(words, NLI), words


@pytest.fixture
def judge(session, learned):
    """The model that learned, in the session as ``judge``."""
    hf.add(*learned, "judge")
    return learned


def compared(result, expected):
    """Check a result against the pipeline's list: the same labels, scores to 1e-5."""
    for at, one in enumerate(expected, 1):
        rows = [row for row in result.records() if row["line"] == at]
        assert [row["label"] for row in rows] == one["labels"]
        assert [row["prob"] for row in rows] == pytest.approx(one["scores"], abs=1e-5)
        assert rows[0]["text"] == one["sequence"]


def test_the_answers_are_right(judge):
    """Labels make an inference of the classification head; each text gets its own."""
    result = hf.infer(TEXTS, labels=LABELS)
    assert result.task == "zero-shot-classification"
    assert result.values == ("sports", "politics", "food")
    assert hf.infer(TEXTS).task == "text-classification"


@pytest.mark.parametrize("fields", [NLI, OTHER, TWO], ids=["usual", "reversed", "two"])
@pytest.mark.parametrize(
    "more",
    [
        {"labels": LABELS},
        {"labels": "sports,food", "template": "It is about {}."},
        {"labels": LABELS, "multi_label": True},
        {"labels": ["sports"]},
    ],
    ids=["one", "template", "several", "single"],
)
def test_the_pipeline_says_the_same(session, words, fields, more):
    """The same labels in the same order as transformers' pipeline, with its scores to 1e-5."""
    model = untrained(words, fields)
    hf.add(model, words, "judge")
    judged = pipeline("zero-shot-classification", model=model, tokenizer=words)
    asked = {"multi_label": more.get("multi_label", False)}
    if "template" in more:
        asked["hypothesis_template"] = more["template"]
    expected = judged(TEXTS, candidate_labels=more["labels"], **asked)
    compared(hf.infer(TEXTS, task="zero-shot", **more), expected)


def test_a_decoder_says_the_same(session):
    """A model without a pad token borrows one, and its config has none again afterwards."""
    tokenizer = byte_level()
    torch.manual_seed(3)
    model = GPT2ForSequenceClassification(GPT2Config(**TINY["gpt2"], **NLI)).eval()
    hf.add(model, tokenizer, "judge")
    result = hf.infer(["the fox", "a dog jumps"], labels=["fox", "lazy dog"])
    assert model.config.pad_token_id is None
    assert tokenizer.pad_token is None
    judged = pipeline("zero-shot-classification", model=model, tokenizer=byte_level())
    compared(result, judged(["the fox", "a dog jumps"], candidate_labels=["fox", "lazy dog"]))


@pytest.mark.parametrize("more", [{}, {"multi_label": True}, {"template": "it is about {}"}])
def test_the_code_gives_the_same(judge, more):
    """Plain transformers makes the same tensors and labels."""
    result = hf.infer(TEXTS, labels=LABELS, **more)
    names = run_home(result.code, judge=judge[0], tokenizer=judge[1])
    assert same(names["outputs"], result.outputs)
    assert names["labels"] == list(result.values)
    best = [row["prob"] for row in result.records() if row["rank"] == 1]
    assert names["probabilities"].amax(dim=-1).tolist() == best


def test_outputs_are_those_of_all_pairs(judge):
    """The real output has a row for each text and label, the labels of one text together."""
    result = hf.infer(TEXTS, labels=LABELS)
    assert result.outputs.logits.shape == (9, 3)
    last = hf.infer("the cake was fresh\tThis example is food.").outputs
    assert torch.allclose(result.outputs.logits[8], last.logits[0], atol=1e-5)


def test_the_page_has_a_row_a_label(judge):
    """The text stands once, at its likeliest label; labels that may all hold are said to."""
    table = hf.infer(TEXTS, labels=LABELS).page().parts[0]
    assert [row[0] for row in table.rows if row[0]] == TEXTS
    assert [row[1] for row in table.rows if row[0]] == ["sports", "politics", "food"]
    assert table.caption == "Labels"
    each = hf.infer(TEXTS, labels=LABELS, multi_label=True).page().parts[0]
    assert each.caption == "Labels, each by itself"
    assert sum(row[2].value for row in table.rows) == pytest.approx(3)


def test_what_was_cut_is_said_of_its_line(judge):
    """A text over the limit is noted once, with the number of its line."""
    (note,) = notes(hf.infer([TEXTS[0], "the soup was hot " * 30], labels=LABELS))
    assert note.startswith("line 2 is too long: it was cut to 64 tokens")


@pytest.mark.parametrize(
    ("inputs", "more", "error", "message"),
    [
        (TEXTS, {}, OptionError, "needs the labels: --labels a,b,c"),
        (TEXTS, {"labels": ","}, OptionError, "needs the labels"),
        (TEXTS, {"labels": LABELS, "template": "about it"}, OptionError, "has no place for the"),
        (TEXTS, {"labels": LABELS, "template": "{a} {}"}, OptionError, "write {} once, as in"),
        (TEXTS, {"labels": LABELS, "top_k": 2}, OptionError, "takes no --top-k; it takes --labels"),
        (["a cake", "hot\tsoup"], {"labels": LABELS}, InputError, "line 2 has a tab"),
        (["a cake", " "], {"labels": LABELS}, InputError, "line 2 is empty"),
        ([[2, 5, 3]], {"labels": LABELS}, InputError, "reads text, not token IDs"),
    ],
)
def test_what_can_not_be_asked_is_said(judge, inputs, more, error, message):
    """One line says what is missing and what to type."""
    with pytest.raises(error, match=message) as caught:
        hf.infer(inputs, task="zero-shot-classification", **more)
    assert "\n" not in str(caught.value)


def test_a_head_that_can_not_infer_is_refused(session, words):
    """A classifier of something else is named with its labels."""
    config = BertConfig(vocab_size=len(words), **TINY_BERT, **named("bad", "good"))
    hf.add(BertForSequenceClassification(config).eval(), words, "critic")
    with pytest.raises(HeadError, match=r"critic has no label 'entailment' \(it has bad, good\)"):
        hf.infer(TEXTS, labels=LABELS)


def test_the_magic_takes_labels(shell, learned):
    """--labels alone asks for it; a template is quoted, its braces stay."""
    hf.add(*learned, "judge")
    found = shell.run("%hf_infer --labels sports,food the cake was fresh")
    assert found.values == ("food",)
    line = '%hf_infer --labels sports,food --template "It is about {}." the cake was fresh'
    assert "It is about {}." in shell.run(line).code
    assert "--labels a,b,c" in shell.error("%hf_infer --task zero-shot the cake was fresh")


def test_only_the_text_is_cut(judge):
    """As in the pipeline the hypothesis stays whole, as long as the text has a token to give."""
    model, tokenizer = judge
    long = "the soup was hot " * 30
    template = "this example is about the soup and a cake and the bread, it was hot and {}."
    result = hf.infer(long, labels=LABELS, template=template)
    pipe = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
    compared(result, [pipe(long, candidate_labels=LABELS, hypothesis_template=template)])
    assert 'truncation="only_first"' in result.code
    names = run_home(result.code, judge=model, tokenizer=tokenizer)
    assert same(names["outputs"], result.outputs)
    assert "line 1 is too long" in notes(result)[0]


def test_a_hypothesis_without_room_is_cut_too(judge):
    """Where the text is shorter than what is over the limit, both are cut."""
    result = hf.infer("the soup", labels=LABELS, max_length=6)
    assert result.outputs.logits.shape == (3, 3)
    assert "cut to 6 tokens" in notes(result)[0]


def test_the_code_lends_a_decoder_a_pad_token(session):
    """The config has no pad token: the code gives it the one that the batch was padded with."""
    tokenizer = byte_level()
    torch.manual_seed(3)
    model = GPT2ForSequenceClassification(GPT2Config(**TINY["gpt2"], **NLI)).eval()
    hf.add(model, tokenizer, "judge")
    result = hf.infer(["the fox", "a dog jumps"], labels=["fox", "lazy dog"])
    names = run_home(result.code, judge=model, tokenizer=tokenizer)
    assert same(names["outputs"], result.outputs)
