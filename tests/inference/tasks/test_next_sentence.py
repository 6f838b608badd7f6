"""Next sentence prediction, by a model that learned to tell topics apart."""

import itertools

import pytest
import torch
from transformers import BertConfig, BertForNextSentencePrediction

import hf_magics as hf
from hf_magics.display.parts import Bar
from hf_magics.errors import InputError
from tests.home import run_home
from tests.inference.plain import plain, same
from tests.inference.tasks.training import TINY_BERT, train, word_tokenizer

SEA = ["a ship at sea", "the ship sank", "fish at sea", "the fish sank"]
SKY = ["a bird in air", "the bird flew", "clouds in air", "the clouds flew"]
FOLLOWING = [*itertools.product(SEA, SEA), *itertools.product(SKY, SKY)]
STRANGE = [*itertools.product(SEA, SKY), *itertools.product(SKY, SEA)]
LINES = ["fish at sea\tthe ship sank", "fish at sea\tclouds in air", "the bird flew\ta bird in air"]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model to which a text follows on another of its own topic."""
    words = " ".join([*SEA, *SKY]).split()
    tokenizer = word_tokenizer(tmp_path_factory.mktemp("next"), words)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), initializer_range=0.4, **TINY_BERT)
    first, second = (list(column) for column in zip(*FOLLOWING, *STRANGE, strict=True))
    labels = torch.tensor([0] * len(FOLLOWING) + [1] * len(STRANGE))
    batch = {**tokenizer(first, second, padding=True, return_tensors="pt"), "labels": labels}
    return train(BertForNextSentencePrediction(config), batch, steps=40), tokenizer


@pytest.fixture
def reader(session, learned):
    """The model that learned, in the session as ``reader``."""
    hf.add(*learned, "reader")
    return learned


def test_the_answers_are_right(reader):
    """A second text of the same topic follows, another does not."""
    result = hf.infer(LINES)
    assert [row["follows"] for row in result.records()] == [True, False, True]
    assert all(abs(row["prob"] - row["follows"]) < 0.1 for row in result.records())
    assert result.values == tuple(row["prob"] for row in result.records())


def test_probabilities_are_the_softmax_of_the_logits(reader):
    """They are those of transformers' own outputs, the first label's."""
    result = hf.infer(LINES)
    columns = [list(column) for column in zip(*(line.split("\t") for line in LINES), strict=True)]
    expected = plain(*reader, *columns, limit=64)
    assert same(result.outputs, expected)
    assert list(result.values) == expected.logits.softmax(dim=-1)[:, 0].tolist()


def test_the_data_and_the_page_have_both_texts(reader):
    """A row a pair: the texts, the verdict, the probability beside its bar."""
    result = hf.infer(LINES)
    assert result.df.columns.tolist() == ["line", "first", "second", "follows", "prob"]
    assert result.df["second"].tolist() == ["the ship sank", "clouds in air", "a bird in air"]
    first, second, verdict, bar = result.page().parts[0].rows[1]
    assert (first, second, verdict) == ("fish at sea", "clouds in air", "no")
    assert isinstance(bar, Bar)
    assert bar.value == result.values[1]
    folded = result.page().parts[1].parts[0].rows[1]
    assert folded[1:] == tuple(f"{one:.4f}" for one in result.outputs.logits[1].tolist())


def test_the_code_gives_the_same(reader):
    """Plain transformers makes the same tensors and verdicts."""
    result = hf.infer(LINES)
    names = run_home(result.code, reader=reader[0], tokenizer=reader[1])
    assert same(names["outputs"], result.outputs)
    assert names["labels"] == [True, False, True]
    assert names["probabilities"].tolist() == list(result.values)


def test_tensors_are_answered_too(reader):
    """A dictionary of tensors and token IDs have numbers in the place of texts."""
    inputs = dict(reader[1]("fish at sea", "the ship sank", return_tensors="pt"))
    result = hf.infer(inputs)
    assert result.records()[0]["first"] == "input 1"
    assert result.values == hf.infer(LINES[0]).values
    assert len(hf.infer([inputs["input_ids"][0].tolist()]).values) == 1


@pytest.mark.parametrize("line", ["fish at sea", "fish at sea\t", "\tfish at sea"])
def test_a_line_that_is_no_pair_is_refused(reader, line):
    """One line says which line it is and how a pair is written."""
    message = "line 2 is no pair of texts: write the first, a tab and the second"
    with pytest.raises(InputError, match=message):
        hf.infer([LINES[0], line])


def test_the_magic_takes_a_tab(shell, learned):
    """A cell's lines are pairs parted by a tab; an option of another task is refused."""
    hf.add(*learned, "reader")
    assert shell.run("%%hf_infer\n" + "\n".join(LINES)).values[1] < 0.1
    message = shell.error(f"%%hf_infer --task next-sentence --top-k 2\n{LINES[0]}")
    assert message == "next-sentence-prediction takes no --top-k: it has no options of its own"
