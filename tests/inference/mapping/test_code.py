"""The plain code of a map gives what the map gave: run in a namespace of its own."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import hf_magics as hf
from tests.home import on_given, run_home
from tests.inference.mapping.rows import TINY, rows_of
from tests.inference.plain import END, byte_level

TEXTS = ["the sky is blue", "a film that stays with you", 'it\'s no "good" film', "so"]
NLI = {"0": "entailment", "1": "neutral", "2": "contradiction"}


def answers_of(result, model, **names) -> list:
    """Run the code, with the weights of the session in the place of random ones."""
    assert "hf_magics" not in result.code
    return run_home(on_given(result.code), given=model, **names)["answers"]


def column_of(result) -> list:
    """Run the part of the code that reads the column, and return that."""
    lines = result.code.split("\n")
    imports = [one for one in lines if one.startswith(("import ", "from "))]
    reading = next(one for one in result.code.split("\n\n") if "column = " in one)
    made = {}
    exec("\n".join([*imports, reading]), made)
    return made["column"]


@pytest.mark.parametrize(
    ("task", "options", "config"),
    [
        ("zero-shot-classification", {"labels": "sky,film"}, {"num_labels": 3, "id2label": NLI}),
        ("question-answering", {"context": "The sky is blue, said the film's end."}, {}),
        ("text-classification", {}, {"num_labels": 3}),
    ],
)
def test_tasks_that_make_their_own_batches(session, minilm, task, options, config):
    """A row at a time, by what the task does; labels, and the answers to questions."""
    hf.new("bert", name="m", task=task, tokenizer=minilm, seed=0, **TINY, **config)
    result = hf.map(TEXTS, task=task, variable="texts", **options)
    found = answers_of(result, session["m"].model, texts=TEXTS)
    found = [max(one, key=one.get) if isinstance(one, dict) else one for one in found]
    assert found == list(result.values)


def test_tokens_have_their_labels(session, minilm):
    """One for each token of a row, as by itself: none for what the row is filled up with."""
    hf.new("bert", name="m", task="token-classification", tokenizer=minilm, seed=0, **TINY)
    model, tokenizer = session["m"].model, session["m"].tokenizer
    result = hf.map(TEXTS, task="token-classification", variable="texts")
    for text, labels in zip(TEXTS, answers_of(result, model, texts=TEXTS), strict=True):
        with torch.inference_mode():
            best = model(**tokenizer(text, return_tensors="pt")).logits[0].argmax(dim=-1)
        assert labels == [model.config.id2label[one] for one in best.tolist()]


@pytest.mark.parametrize("pad", [None, END])
def test_a_tokenizer_that_pads_otherwise(session, tmp_path, pad):
    """On the left, or not at all: the plain code pads on the right, as the map does."""
    tokenizer = byte_level()
    tokenizer.padding_side, tokenizer.pad_token = "left", pad
    tokenizer.save_pretrained(tmp_path)
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": len(tokenizer)}
    hf.new("gpt2", name="m", tokenizer=str(tmp_path), seed=0, **sizes)
    result = hf.map(TEXTS, task="embed", variable="texts")
    vectors = torch.stack(answers_of(result, session["m"].model, texts=TEXTS)).numpy()
    assert np.abs(vectors - result.embeddings).max() < 1e-5


def test_texts_of_many_lengths(small, short_windows):
    """In batches of others than the map's, put back in order."""
    texts = rows_of(40)
    result = hf.map(texts, task="embed", variable="texts")
    vectors = torch.stack(answers_of(result, small.model, texts=texts)).numpy()
    assert np.abs(vectors - result.embeddings).max() < 1e-5


IDS = [[101, 103, *range(2_000, 2_000 + n), 102] for n in (3, 40, 1, 7)]


def test_rows_of_token_ids(small):
    """They are filled up as they are; no tokenizer reads them."""
    result = hf.map(IDS, task="embed", variable="ids")
    vectors = torch.stack(answers_of(result, small.model, ids=IDS)).numpy()
    assert np.abs(vectors - result.embeddings).max() < 1e-5


def test_rows_of_token_ids_one_by_one(session, minilm):
    """Also where the task makes its own batches: the likeliest token begins the answer."""
    hf.new("bert", name="m", task="fill-mask", tokenizer=minilm, seed=0, **TINY)
    result = hf.map(IDS, task="fill-mask", variable="ids")
    likeliest = [one[0] for one in answers_of(result, session["m"].model, ids=IDS)]
    assert all(map(str.startswith, list(result.values), likeliest))


@pytest.mark.parametrize("in_file", [False, True])
def test_pairs_of_texts(session, minilm, tmp_path, in_file):
    """Two values, or in a file of lines what a tab parts; they have token types of their own."""
    hf.new(
        *("bert",),
        name="m",
        task="text-classification",
        num_labels=5,
        tokenizer=minilm,
        seed=0,
        **TINY,
    )
    pairs = [(one, other) for one in TEXTS for other in TEXTS]
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
    result = hf.map(path if in_file else pairs, task="text-classification", variable="texts")
    model, tokenizer = session["m"].model, session["m"].tokenizer
    batch = tokenizer(*map(list, zip(*pairs, strict=True)), padding=True)
    with torch.inference_mode():
        logits = model(**batch.convert_to_tensors("pt")).logits
    expected = [model.config.id2label[one] for one in logits.argmax(dim=-1).tolist()]
    assert answers_of(result, model, texts=pairs) == expected == list(result.values)


def test_a_tab_in_a_text_of_a_column_parts_nothing(small):
    """As it does in no other library: code and tables are full of them."""
    texts = ["def f(x):\n\treturn x", "a\tb\tc", "plain"]
    result = hf.map(texts, task="embed", variable="texts")
    for text, vector in zip(texts, result.embeddings, strict=True):
        batch = small.tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            expected = small.model(**batch).last_hidden_state[0].mean(dim=0).numpy()
        assert np.abs(vector - expected).max() < 1e-5
    vectors = torch.stack(answers_of(result, small.model, texts=texts)).numpy()
    assert np.abs(vectors - result.embeddings).max() < 1e-5


def test_what_writes(session, minilm):
    """A summary, the model's prefix before each row."""
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    hf.new("t5", name="t5", task="summarization", tokenizer=minilm, seed=0, **sizes)
    prefix = {"summarization": {"prefix": "summarize: "}}
    session["t5"].model.config.task_specific_params = prefix
    result = hf.map(TEXTS, task="summarization", variable="texts")
    assert "texts = ['summarize: ' + text]" in result.code
    assert answers_of(result, session["t5"].model, texts=TEXTS) == list(result.values)


def test_what_is_trained_on_a_number(session, minilm):
    """A regression's number, and the probability of the single label of a cross-encoder."""
    for name, more in (("number", {"problem_type": "regression"}), ("prob", {})):
        sizes = {"task": "text-classification", "tokenizer": minilm, "seed": 0, **TINY}
        hf.new("bert", name=name, num_labels=1, **sizes, **more)
        model = session[name].model
        torch.nn.init.normal_(model.classifier.weight)
        result = hf.map(TEXTS, task="text-classification", variable="texts")
        expected = list(result.values)
        assert len({round(one, 3) for one in expected}) > 1
        assert answers_of(result, model, texts=TEXTS) == pytest.approx(expected, abs=1e-6)


def test_several_labels_a_row(session, minilm):
    """The likeliest first, as the map has them."""
    sizes = {"task": "text-classification", "tokenizer": minilm, "seed": 0, **TINY}
    hf.new("bert", name="m", num_labels=8, problem_type="multi_label_classification", **sizes)
    model = session["m"].model
    torch.nn.init.normal_(model.classifier.weight)
    result = hf.map(TEXTS, task="text-classification", variable="texts")
    expected = list(result.values)
    assert any(row != sorted(row) for row in expected)
    assert answers_of(result, model, texts=TEXTS) == expected


GAPS = ["the sky is blue", None, "a film", float("nan"), "", "so", "  "]


@pytest.mark.parametrize("rows", [GAPS, pd.Series(GAPS, dtype=object)], ids=["list", "series"])
def test_rows_that_are_missing(small, rows):
    """NaN in the place of a vector, as the map has it; the others are in their places."""
    result = hf.map(rows, task="embed", variable="texts")
    vectors = torch.stack(answers_of(result, small.model, texts=rows)).numpy()
    assert vectors.shape == result.embeddings.shape
    assert np.allclose(vectors, result.embeddings, atol=1e-5, equal_nan=True)
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True, False, True, True, False, True]


def test_labels_of_rows_that_are_missing(sorter):
    """None, of texts, pairs and token IDs, also where the task makes its own batches."""
    pairs = [None if one is None else ("so", "so") for one in (1, None, 1)]
    for column in (GAPS, pairs, [[101, 102], None, [101, 2_000, 102], float("nan")]):
        result = hf.map(column, task="text-classification", variable="texts")
        assert None in list(result.values)
        assert answers_of(result, sorter.model, texts=column) == list(result.values)


def test_missing_rows_one_by_one(session, minilm):
    """None in the place of an answer, where a row is code by itself."""
    hf.new("bert", name="m", task="question-answering", tokenizer=minilm, seed=0, **TINY)
    options = {"context": "The sky is blue, said the film's end."}
    result = hf.map(GAPS, task="question-answering", variable="texts", **options)
    assert list(result.values).count(None) == 4
    assert answers_of(result, session["m"].model, texts=GAPS) == list(result.values)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.csv.gz"])
def test_texts_that_look_like_numbers_and_dates(small, tmp_path, name):
    """They are kept as they stand in the file, as the map reads them."""
    columns = {
        "text": ["007", "12", "1e5"],
        "date": ["2024-01-05", "2024-01-06", "2024-01-07"],
        "sure": ["true", "false", "true"],
    }
    frame = pd.DataFrame({**columns, "n": range(3)})
    frame.to_csv(tmp_path / name, index=False)
    if name == "a.jsonl":
        frame.to_json(tmp_path / name, orient="records", lines=True)
    for column, rows in columns.items():
        result = hf.map(tmp_path / name, task="embed", column=column)
        assert column_of(result) == rows
        vectors = torch.stack(answers_of(result, small.model)).numpy()
        assert np.abs(vectors - result.embeddings).max() < 1e-5


def test_numbers_in_a_column_stay_in_their_place(small, tmp_path):
    """A number is no text: its row failed in the map and has no answer in the code."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "007"}\n{"text": 7}\n{"text": "so"}\n', encoding="utf-8")
    result = hf.map(path, task="embed")
    assert list(result.errors) == [1]
    vectors = torch.stack(answers_of(result, small.model)).numpy()
    assert np.allclose(vectors, result.embeddings, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_line_ends_at_its_line_feed(small, tmp_path, name):
    """A lone CR is a character of its line, a mark at the beginning is none."""
    content = b"\xef\xbb\xbfthe sky\ris blue\nso\r\n\r\nno film"
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    result = hf.map(path, task="embed")
    vectors = torch.stack(answers_of(result, small.model)).numpy()
    assert vectors.shape == (4, 32)
    assert np.allclose(vectors, result.embeddings, atol=1e-5, equal_nan=True)
    assert column_of(result) == ["the sky\ris blue", "so", "", "no film"]


def test_cells_that_are_empty(small, tmp_path):
    """Of a CSV and of JSONL with null."""
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("text,n\nso,1\n,2\nno film,3\n", encoding="utf-8")
    lines.write_text('{"text": "so"}\n{"text": null}\n{"text": "no film"}\n', encoding="utf-8")
    for path in (table, lines):
        result = hf.map(path, task="embed", column="text")
        vectors = torch.stack(answers_of(result, small.model)).numpy()
        assert np.isnan(vectors[1]).all()
        assert np.allclose(vectors, result.embeddings, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize(
    "name", ["a.txt", "a.txt.gz", "a.csv", "a.tsv", "a.csv.gz", "a.jsonl", "a.parquet"]
)
def test_files(small, tmp_path, monkeypatch, name):
    """Each kind is read as the map reads it."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"words": TEXTS, "n": range(4)})
    if ".txt" in name:
        opener = gzip.open if name.endswith("gz") else open
        with opener(name, "wt") as file:
            file.writelines(f"{text}\n" for text in TEXTS)
    elif "sv" in name:
        frame.to_csv(name, index=False, sep="\t" if "tsv" in name else ",")
    elif "jsonl" in name:
        frame.to_json(name, orient="records", lines=True)
    else:
        frame.to_parquet(name)
    result = hf.map(Path(name), task="embed", column="" if ".txt" in name else "words")
    vectors = torch.stack(answers_of(result, small.model)).numpy()
    assert np.abs(vectors - result.embeddings).max() < 1e-5
