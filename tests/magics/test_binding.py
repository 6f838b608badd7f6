"""``-o``: a variable for the result, a column of a table for its values."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from datasets import Dataset

HEADED = (
    "%hf_new bert --class BertForSequenceClassification num_labels=3 hidden_size=16 "
    "num_hidden_layers=1 num_attention_heads=2 intermediate_size=16 -n c --seed 0"
)
TEXTS = ["Hello!", "Cool.", "Nice!"]


@pytest.fixture
def headed(shell, minilm):
    shell.run(f'{HEADED} --tokenizer "{minilm}"')
    return shell


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, Dataset.from_dict])
@pytest.mark.parametrize("line", ["%hf_infer -i df.text", "%hf_map df.text"])
def test_a_column_gets_the_label_of_each_row(headed, frame, line):
    """A table of pandas is changed in place, another replaced; a second time the column is."""
    headed.ip.push({"df": frame({"text": TEXTS})})
    headed.run(f"{line} -o df.label")
    result = headed.run(f"{line} -o df.label")
    assert list(headed.ip.user_ns["df"]["text"]) == TEXTS
    assert list(headed.ip.user_ns["df"]["label"]) == list(result.values)
    assert [row["label"] for row in result.records()] == list(result.values)


def test_the_table_of_a_function_gets_its_column(headed):
    """The line reads its variables where it stands, and writes there too."""
    headed.ip.push({"TEXTS": TEXTS, "pd": pd, "df": "another"})
    headed.run(
        "def labelled():\n"
        "    df = pd.DataFrame({'text': TEXTS})\n"
        "    %hf_infer -i df.text -o df.label\n"
        "    return df"
    )
    table = headed.run("labelled()")
    assert len(table["label"].dropna()) == 3
    assert headed.ip.user_ns["df"] == "another"


def test_a_table_of_a_function_that_would_be_replaced_is_refused(headed):
    """The function would go on with the old one."""
    headed.ip.push({"TEXTS": TEXTS, "pl": pl})
    headed.run(
        "def labelled():\n"
        "    df = pl.DataFrame({'text': TEXTS})\n"
        "    %hf_infer -i df.text -o df.label\n"
    )
    assert "a function's own DataFrame" in headed.error("labelled()")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nowhere.label", "-o nowhere.label: nowhere is no table"),
        ("rows.label", "-o rows.label: rows is no table"),
        ("texts.label", "-o texts.label: texts is no table"),
        ("df.", "-o takes the name of a variable, or TABLE.COLUMN, not 'df.'"),
        ("class", "-o takes the name of a variable, or TABLE.COLUMN, not 'class'"),
        ("df.label", "-o df.label: df has 2 rows, and the inputs are 3: -i df.COLUMN"),
    ],
)
def test_what_can_t_be_bound_is_refused_before_anything_is_run(headed, session, output, said):
    """One line that says what is wrong; nothing was run."""
    rows = Dataset.from_dict({"text": TEXTS}).to_iterable_dataset()
    headed.ip.push({"df": pd.DataFrame({"text": TEXTS[:2]}), "texts": TEXTS, "rows": rows})
    before = len(session.log)
    assert said in headed.error(f"%hf_infer -i texts -o {output}")
    assert len(session.log) == before


def test_an_answer_without_a_main_value_makes_no_column(headed):
    """The tensors of features are no column: the line says what to type."""
    headed.ip.push({"df": pd.DataFrame({"text": TEXTS})})
    error = headed.error("%hf_infer --task features -i df.text -o df.x")
    assert "no main value" in error
    assert list(headed.ip.user_ns["df"].columns) == ["text"]


def test_token_ids_and_tensors_count_by_their_answers(headed):
    """Two rows of a batch of tensors fill two rows of a table; one list of IDs is one input."""
    tokenizer = headed.ip.run_cell("hf = __import__('hf_magics'); hf.session['c'].tokenizer").result
    batch = dict(tokenizer(TEXTS, padding=True, return_tensors="pt"))
    names = {"df": pd.DataFrame({"text": TEXTS}), "batch": batch, "ids": [101, 7592, 102]}
    headed.ip.push(names)
    headed.run("%hf_infer -i batch -o df.label")
    assert len(names["df"]["label"].dropna()) == 3
    assert "the answers are 1" in headed.error("%hf_infer -i ids -o df.other")


def test_a_key_set_twice_is_refused(headed):
    """Only the last would count."""
    error = headed.error("%hf_infer --set use_cache=true --set use_cache=false hello")
    assert "--set use_cache is given twice" in error


def test_an_option_given_twice_is_refused(headed):
    """Only the last would count: the line says so."""
    assert "--model is given twice" in headed.error("%hf_infer -m c -m c Hello!")
    assert headed.run("%hf_tokens -m c -m c Hello!") is not None


def test_labels_come_from_a_list_of_the_notebook_too(headed):
    """Their names need no quoting then; what has no label in it is refused."""
    headed.run(
        "%hf_new bert --task zero-shot-classification -n nli --tokenizer c hidden_size=16 "
        "num_hidden_layers=1 num_attention_heads=2 intermediate_size=16 "
        """id2label='{"0": "entailment", "1": "contradiction"}'"""
    )
    headed.ip.push({"topics": ["sports", "world politics", "sports"]})
    result = headed.run("%hf_infer -m nli --labels topics -q Hello!")
    assert {row["label"] for row in result.records()} == {"sports", "world politics"}
    for kind in (pd.Series, np.array):  # which are neither true nor false
        headed.ip.push({"topics_too": kind(["sports", "world politics"])})
        again = headed.run("%hf_infer -m nli --labels topics_too -q Hello!")
        assert again.records() == result.records()
    headed.ip.push({"none_at_all": pd.Series([], dtype=str)})
    assert "--labels needs labels" in headed.error("%hf_infer -m nli --labels none_at_all Hello!")
    assert "--labels needs labels" in headed.error("%hf_infer -m nli --labels , Hello!")
    assert "the name of a list" in headed.error("%hf_infer -m nli --labels $topics Hello!")


def test_what_is_neither_a_variable_nor_a_file_is_named(headed, tmp_path):
    """A file goes in by its path; an expression is refused in one line."""
    assert "'lots[:2]' is neither" in headed.error("%hf_infer -i lots[:2]")
    error = headed.error(f"%hf_infer -i {tmp_path / 'missing.png'}")
    assert "missing.png' is neither" in error


def test_a_dataset_s_only_column_can_be_replaced(headed):
    """The answers take the place of the texts under their name."""
    headed.ip.push({"ds": Dataset.from_dict({"text": TEXTS})})
    result = headed.run("%hf_infer -i ds.text -o ds.text")
    assert headed.ip.user_ns["ds"].to_dict() == {"text": list(result.values)}
