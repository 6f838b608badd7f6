"""Multiple choice, by a model that learned which words go together."""

import pytest
import torch
from transformers import BertConfig, BertForMultipleChoice

import hf_magics as hf
from hf_magics.errors import InputError
from tests.home import run_home
from tests.inference.plain import forward, notes, same
from tests.inference.tasks.training import TINY_BERT, train_on, word_tokenizer

KINDS = {
    "what swims": ["a fish", "a whale", "a shark"],
    "what flies": ["a bird", "a bat", "a plane"],
    "what burns": ["a candle", "a match", "a coal"],
}
ANY = [option for options in KINDS.values() for option in options]
EVEN = ["what flies\ta fish\ta bird\ta coal", "what swims\ta shark\ta bat\ta match"]
UNEVEN = [EVEN[0], "what burns\ta bird\ta coal", "what swims\ta bat\ta coal\ta plane\ta whale"]


def pairs_batch(tokenizer, lines):
    """The batch of the shape (lines, options, tokens), as transformers' docs make it."""
    parts = [line.split("\t") for line in lines]
    first = [prompt for prompt, *options in parts for _ in options]
    second = [option for _, *options in parts for option in options]
    flat = tokenizer(first, second, padding=True, return_tensors="pt")
    return {name: one.view(len(lines), -1, one.shape[-1]) for name, one in flat.items()}


def lessons(tokenizer):
    """Each prompt with each of its right options, in turn in the first, second or third place."""
    lines, labels = [], []
    for prompt, right in KINDS.items():
        wrong = [one for one in ANY if one not in right]
        for at, (one, two, option) in enumerate(zip(wrong, wrong[3:] + wrong, right * 2)):  # noqa: B905 - in turn
            options = [one, two]
            options.insert(at % 3, option)
            lines.append("\t".join([prompt, *options]))
            labels.append(at % 3)
    return {**pairs_batch(tokenizer, lines), "labels": torch.tensor(labels)}


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that knows what swims, flies and burns."""
    words = " ".join([*KINDS, *ANY]).split()
    tokenizer = word_tokenizer(tmp_path_factory.mktemp("choose"), words)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), initializer_range=0.2, **TINY_BERT)
    batch = lessons(tokenizer)
    return train_on(BertForMultipleChoice(config), lambda _: batch, steps=40), tokenizer


@pytest.fixture
def chooser(session, learned):
    """The model that learned, in the session as ``chooser``."""
    hf.add(*learned, "chooser")
    return learned


def test_the_answers_are_right(chooser):
    """Each prompt gets its own option, whichever place it stands in."""
    result = hf.infer(UNEVEN)
    assert result.values == ("a bird", "a coal", "a whale")
    assert all(row["prob"] > 0.9 for row in result.records() if row["rank"] == 1)


@pytest.mark.parametrize("lines", [EVEN, EVEN[:1]])
def test_probabilities_are_the_softmax_over_the_options(chooser, lines):
    """Outputs are those of the batch as transformers' docs make it; options stand by rank."""
    result = hf.infer(lines)
    expected = forward(chooser[0], **pairs_batch(chooser[1], lines))
    assert same(result.outputs, expected)
    assert result.outputs.logits.shape == (len(lines), 3)
    for at, (line, scores) in enumerate(
        zip(lines, expected.logits.softmax(dim=-1).tolist(), strict=True), 1
    ):
        ranked = sorted(zip(line.split("\t")[1:], scores, strict=True), key=lambda one: -one[1])
        rows = [row for row in result.records() if row["line"] == at]
        assert [(row["option"], row["prob"]) for row in rows] == ranked
        assert [row["rank"] for row in rows] == [1, 2, 3]


def test_numbers_of_options_may_differ(chooser):
    """All options stand in one row then, and the numbers are those of each line alone."""
    result = hf.infer(UNEVEN)
    assert result.outputs.logits.shape == (1, 9)
    alone = [row for line in UNEVEN for row in hf.infer(line).records()]
    together = result.records()
    assert [row["option"] for row in together] == [row["option"] for row in alone]
    assert [row["prob"] for row in together] == pytest.approx(
        [row["prob"] for row in alone], abs=1e-5
    )


@pytest.mark.parametrize("lines", [EVEN, UNEVEN])
def test_the_code_gives_the_same(chooser, lines):
    """Plain transformers makes the same tensors and choices."""
    result = hf.infer(lines)
    names = run_home(result.code, chooser=chooser[0], tokenizer=chooser[1])
    assert same(names["outputs"], result.outputs)
    assert names["labels"] == list(result.values)


def test_the_page_has_a_row_an_option(chooser):
    """The prompt stands once, at its likeliest option, with the probability beside its bar."""
    table = hf.infer(UNEVEN).page().parts[0]
    assert [row[0] for row in table.rows if row[0]] == [line.split("\t")[0] for line in UNEVEN]
    assert [row[1] for row in table.rows if row[0]] == ["a bird", "a coal", "a whale"]
    assert all(row[2].text for row in table.rows)


def test_what_was_cut_is_said_of_its_line(chooser):
    """A prompt over the limit is noted once, with the number of its line."""
    long = "what burns " * 40
    (note,) = notes(hf.infer([EVEN[0], f"{long}\ta coal\ta bat\ta fish"]))
    assert note.startswith("line 2 is too long: it was cut to 64 tokens")


def test_tensors_are_answered_with_numbers(chooser):
    """A dictionary of tensors has numbers in the place of texts."""
    result = hf.infer(pairs_batch(chooser[1], EVEN))
    assert result.values == ("option 2", "option 1")
    assert result.records()[0]["prompt"] == "input 1"
    assert "labels" not in result.code


@pytest.mark.parametrize(
    "line", ["what swims", "what swims\ta fish", "what swims\ta fish\t", "\ta fish\ta bat"]
)
def test_a_line_without_options_is_refused(chooser, line):
    """One line says which line it is and how the prompt and its options are written."""
    message = (
        "line 2 is no question with its options: write the prompt and two options or more in one "
        "line, parted by tabs, a line a question"
    )
    with pytest.raises(InputError, match=message):
        hf.infer([EVEN[0], line])
    with pytest.raises(InputError, match="multiple-choice reads text or tensors, not token IDs"):
        hf.infer([[2, 5, 3]], task="multiple-choice")


def test_the_magic_takes_tabs(shell, learned):
    """A cell's lines are questions."""
    hf.add(*learned, "chooser")
    assert shell.run("%%hf_infer\n" + "\n".join(UNEVEN)).values == ("a bird", "a coal", "a whale")
    assert "parted by tabs" in shell.error("%%hf_infer\nwhat swims")
