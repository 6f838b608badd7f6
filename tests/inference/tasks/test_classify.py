"""Text classification: the right label, and the scores of transformers' own pipeline."""

import copy

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
from hf_magics.display import html
from hf_magics.errors import OptionError
from tests.home import run_home
from tests.inference.tasks.training import TINY_BERT, train, word_tokenizer

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "poor", "nasty")
THINGS = ("film", "book", "meal", "day")
TEXTS = [f"a {word} {thing}" for word in (*GOOD, *BAD) for thing in THINGS]
LABELS = {0: "negative", 1: "positive"}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return word_tokenizer(tmp_path_factory.mktemp("words"), ("a", *GOOD, *BAD, *THINGS))


def sized(tokenizer, **more) -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(vocab_size=len(tokenizer), initializer_range=0.2, **TINY_BERT, **more)
    )


@pytest.fixture(scope="module")
def trained(tokenizer):
    """A BERT that tells good from bad."""
    model = sized(tokenizer, id2label=LABELS)
    labels = torch.tensor([int(text.split()[1] in GOOD) for text in TEXTS])
    return train(model, {**tokenizer(TEXTS, return_tensors="pt"), "labels": labels}, steps=40)


@pytest.fixture
def sorter(session, trained, tokenizer):
    hf.add(trained, tokenizer, "sorter")
    return trained


def test_each_line_gets_its_label(sorter):
    """The head's own task is chosen; each text has the label that it was taught."""
    result = hf.infer(TEXTS)
    assert result.task == "text-classification"
    assert list(result.values) == ["positive"] * 16 + ["negative"] * 16


def test_scores_are_the_pipelines(sorter, tokenizer):
    """Labels and probabilities of every rank equal those of transformers' pipeline."""
    texts = ["a good film", "a poor day a", "film"]
    result = hf.infer(texts, top_k=2)
    theirs = pipeline("text-classification", model=sorter, tokenizer=tokenizer, top_k=2)(texts)
    rows = iter(result.records())
    for line, ranked in enumerate(theirs, 1):
        for rank, one in enumerate(ranked, 1):
            row = next(rows)
            assert (row["line"], row["rank"], row["label"]) == (line, rank, one["label"])
            assert row["prob"] == pytest.approx(one["score"], abs=1e-5)
            assert row["text"] == texts[line - 1]
    assert next(rows, None) is None


def test_the_table_has_a_row_a_line(sorter):
    """One row an input without --top-k, in a column named prob."""
    frame = hf.infer(TEXTS[:3]).df
    assert list(frame["rank"]) == [1, 1, 1]
    assert frame["prob"].between(0.5, 1).all()


def test_the_raw_logits_stay_in_reach(sorter, tokenizer):
    """.outputs is the model's own output for the one batch."""
    result = hf.infer(["a good film", "bad"])
    batch = tokenizer(["a good film", "bad"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(result.outputs.logits, sorter(**batch).logits)


def test_the_page_has_the_logits_of_every_label(sorter):
    """Folded, a column a label in the config's order; .df has those of the ranks that it has."""
    result = hf.infer(["a good film", "bad"], top_k=2)
    logits = result.outputs.logits.tolist()
    (fold,) = result.page().parts[1:-1]
    assert "softmax" in fold.summary
    (table,) = fold.parts
    assert [one.name for one in table.columns] == ["line", "negative", "positive"]
    assert table.rows == tuple(
        (text, *(f"{one:.4f}" for one in row))
        for text, row in zip(["a good film", "bad"], logits, strict=True)
    )
    found = result.df.set_index(["line", "label"])["logit"]
    for line, row in enumerate(logits, 1):
        for at, name in LABELS.items():
            assert found[line, name] == pytest.approx(row[at])


def test_the_logits_of_a_long_line_stand_beside_its_beginning(sorter):
    """The whole line is above; a terminal has room for the numbers."""
    shown = repr(hf.infer("a film " * 20)).partition("Logits")[2].splitlines()
    (line,) = [one for one in shown if one.startswith("a film")]
    assert line.startswith("a film a film")
    assert "…" in line
    assert len(line.split("…")[1].split()) == 2
    assert max(map(len, shown)) <= 80


def test_a_table_of_very_many_logits_is_not_shown(session, tokenizer):
    """The page stays calm; the outputs have them."""
    hf.add(sized(tokenizer, num_labels=13), tokenizer, "many")
    result = hf.infer("a film")
    assert "Logits" not in repr(result)
    assert result.outputs.logits.shape == (1, 13)


def test_the_number_stands_beside_its_bar(sorter):
    """HTML and text both say label and probability."""
    result = hf.infer("a good film")
    (row,) = result.records()
    number = ">0.9999" if row["prob"] > 0.99995 else f"{row['prob']:.4f}"
    assert number in repr(result)
    assert "█" in repr(result)
    drawn = html.render(result.page())
    assert "positive" in drawn
    assert number.replace(">", "&gt;") in drawn
    assert "linear-gradient" in drawn


def test_several_labels_may_hold(session, tokenizer):
    """A multi-label head has a sigmoid a label, and those over a half are the answer."""
    model = sized(
        tokenizer,
        id2label={0: "good", 1: "film", 2: "day"},
        problem_type="multi_label_classification",
    )
    wanted = [[w in GOOD, "film" in t, "day" in t] for t in TEXTS for w in [t.split()[1]]]
    batch = {**tokenizer(TEXTS, return_tensors="pt"), "labels": torch.tensor(wanted).float()}
    hf.add(train(model, batch, steps=60), tokenizer, "several")
    result = hf.infer(["a good film", "a bad day", "a bad meal"], top_k=3)
    assert [set(value) for value in result.values] == [{"good", "film"}, {"day"}, set()]
    theirs = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=3)
    for row, one in zip(result.records(), theirs(["a good film"])[0], strict=False):
        assert (row["label"], row["prob"]) == (one["label"], pytest.approx(one["score"], abs=1e-5))
    assert code_gives(result, model, tokenizer)["labels"][1] == ["day"]


def test_a_regression_gives_its_number(session, tokenizer):
    """No softmax over one number: the value itself."""
    model = sized(tokenizer, num_labels=1, problem_type="regression")
    scores = torch.tensor([[1.0 if t.split()[1] in GOOD else -1.0] for t in TEXTS])
    batch = {**tokenizer(TEXTS, return_tensors="pt"), "labels": scores.squeeze(-1)}
    hf.add(train(model, batch, steps=60), tokenizer, "stars")
    result = hf.infer(["a good film", "a bad film"])
    assert result.values == pytest.approx((1.0, -1.0), abs=0.3)
    assert [row["value"] for row in result.records()] == list(result.values)
    assert result.values[0] == result.outputs.logits[0, 0].item()


def test_one_label_gives_its_probability(session, tokenizer):
    """A head with one logit, as cross-encoders have: a number a row, and no hint on names."""
    hf.add(sized(tokenizer, num_labels=1), tokenizer, "cross")
    result = hf.infer(["a film\ta book", "a day"])
    assert result.values == tuple(result.outputs.logits.sigmoid()[:, 0].tolist())
    assert "does not name" not in repr(result)
    assert "Logits: sigmoid" in repr(result)


def test_pairs_go_in_as_pairs(sorter, tokenizer):
    """A tab parts the two texts of a pair: token types and separators as the tokenizer gives."""
    result = hf.infer("a good film\ta bad day")
    batch = tokenizer("a good film", "a bad day", return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(result.outputs.logits, sorter(**batch).logits)


def test_a_decoder_without_a_pad_token_reads_its_last_token(tiny, tmp_path):
    """Lines of two lengths give the logits that each has alone; the config is as it was."""
    entry = tiny("gpt2", class_="GPT2ForSequenceClassification", num_labels=2)
    entry.tokenizer = word_tokenizer(tmp_path, ("one", "two", "three"))
    entry.tokenizer.pad_token = None
    entry.config.pad_token_id = None
    texts = ["one", "one two three"]
    together = hf.infer(texts).outputs.logits
    alone = torch.cat([hf.infer(text).outputs.logits for text in texts])
    assert torch.allclose(together, alone, atol=1e-5)
    assert entry.config.pad_token_id is None


def test_labels_without_names_are_noted(session, tokenizer):
    """LABEL_0 says nothing: the page says so, and how to name it."""
    hf.add(sized(tokenizer), tokenizer, "nameless")
    assert "does not name its labels" in repr(hf.infer("a film"))


def test_token_ids_do_as_well(sorter, tokenizer):
    """The same label as for the text that they are of."""
    ids = tokenizer(["a good film"])["input_ids"]
    assert hf.infer(ids).values == hf.infer("a good film").values


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "fr"}, "text-classification takes no --to; it takes --top-k"),
        ({"top_k": 0}, "--top-k 0: at least 1 is needed"),
    ],
)
def test_options_without_use_are_refused(sorter, session, options, said):
    """An option is never parsed and ignored."""
    before = len(session.log)
    with pytest.raises(OptionError, match=said):
        hf.infer("a film", **options)
    assert len(session.log) == before


def code_gives(result, model, tokenizer) -> dict:
    """Run the code of a result where hf_magics is not, and return its variables."""
    given = {hf.session.current_name: model, "tokenizer": tokenizer}
    return run_home(result.code, **given)


def test_the_code_gives_the_same(sorter, tokenizer):
    """Its labels and outputs are those of the result, bit for bit."""
    result = hf.infer(["a good film", "a nasty meal"])
    space = code_gives(result, sorter, tokenizer)
    assert space["labels"] == list(result.values)
    assert torch.equal(space["outputs"].logits, result.outputs.logits)


def test_all_labels_that_hold_are_the_value(session, tokenizer):
    """More than the page shows, or --top-k keeps: the likeliest first."""
    kind = {"num_labels": 8, "problem_type": "multi_label_classification"}
    model = sized(tokenizer, **kind).eval()
    with torch.no_grad():
        model.classifier.weight *= 0.1
        model.classifier.bias += 1 + torch.arange(8) / 2
    hf.add(model, tokenizer, "several")
    for options in ({}, {"top_k": 2}):
        result = hf.infer("a good film", **options)
        best = result.outputs.logits[0].argsort(descending=True)
        assert result.values == ([f"LABEL_{at}" for at in best.tolist()],)
    assert len(result.records()) == 2


def decoder(tokenizer):
    torch.manual_seed(0)
    size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 48}
    model = GPT2ForSequenceClassification(GPT2Config(vocab_size=64, num_labels=3, **size)).eval()
    hf.add(model, tokenizer, "decoder")
    return model


@pytest.mark.parametrize("pad", ["[PAD]", None])
@pytest.mark.parametrize("kind", ["texts", "even", "ids", "tensors"])
def test_a_config_without_a_pad_token_is_lent_that_of_the_batch(session, tokenizer, pad, kind):
    """Each row has the logits that it has alone, in the code too; the config is as it was."""
    own = copy.deepcopy(tokenizer)
    own.pad_token = pad
    model = decoder(own)
    texts = ["a film", "good film"] if kind == "even" else ["a", "a good film"]
    rows = [own(text)["input_ids"] for text in texts]
    tensors = dict(tokenizer(texts, padding=True, return_tensors="pt"))
    given = {"texts": texts, "even": texts, "ids": rows, "tensors": tensors}[kind]
    result = hf.infer(given)
    with torch.inference_mode():
        types = [torch.zeros(1, len(row), dtype=torch.long) for row in rows]
        alone = torch.cat(
            [
                model(torch.tensor([row]), **({} if kind == "ids" else {"token_type_ids": zeros}))[
                    0
                ]
                for row, zeros in zip(rows, types, strict=True)
            ]
        )
    assert torch.allclose(result.outputs.logits, alone, atol=1e-5)
    assert model.config.pad_token_id is None
    space = run_home(result.code, decoder=model, tokenizer=copy.deepcopy(own), inputs=tensors)
    assert torch.equal(space["outputs"].logits, result.outputs.logits)
    assert ("no row is padded" in result.code) == (kind == "even")
    model.config.pad_token_id = None


def test_a_single_row_needs_no_pad_token(session, tokenizer):
    """Nothing is lent, and the code says nothing of it."""
    decoder(tokenizer)
    assert "pad_token_id" not in hf.infer("a good film").code
