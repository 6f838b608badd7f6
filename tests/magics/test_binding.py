"""``-o``: a variable for the result, a column of a table for its values."""

import pandas as pd
import polars as pl
import pytest

HEADED = (
    "%hf_new bert --class BertForSequenceClassification num_labels=3 hidden_size=16 "
    "num_hidden_layers=1 num_attention_heads=2 intermediate_size=16 -n c --seed 0"
)
TEXTS = ["Hello!", "Cool.", "Nice!"]


@pytest.fixture
def headed(shell, minilm):
    shell.run(f'{HEADED} --tokenizer "{minilm}"')
    return shell


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_column_gets_the_label_of_each_row(headed, frame):
    """A table of pandas is changed in place, one of polars replaced under its name."""
    headed.ip.push({"df": frame({"text": TEXTS})})
    result = headed.run("%hf_infer -i df.text -o df.label")
    assert list(headed.ip.user_ns["df"]["label"]) == list(result.values)
    assert [row["label"] for row in result.records()] == list(result.values)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nowhere.label", "-o nowhere.label: nowhere is no table"),
        ("texts.label", "-o texts.label: texts is no table"),
        ("df.", "-o takes the name of a variable, or TABLE.COLUMN, not 'df.'"),
        ("class", "-o takes the name of a variable, or TABLE.COLUMN, not 'class'"),
        ("df.label", "-o df.label: df has 2 rows, and the inputs are 3: -i df.COLUMN"),
    ],
)
def test_what_can_t_be_bound_is_refused_before_anything_is_run(headed, session, output, said):
    """One line that says what is wrong; nothing was run."""
    headed.ip.push({"df": pd.DataFrame({"text": TEXTS[:2]}), "texts": TEXTS})
    before = len(session.log)
    assert said in headed.error(f"%hf_infer -i texts -o {output}")
    assert len(session.log) == before


def test_an_answer_without_a_main_value_makes_no_column(headed):
    """The tensors of features are no column: the line says what to type."""
    headed.ip.push({"df": pd.DataFrame({"text": TEXTS})})
    error = headed.error("%hf_infer --task features -i df.text -o df.x")
    assert "no main value" in error
    assert list(headed.ip.user_ns["df"].columns) == ["text"]


def test_an_option_given_twice_is_refused(headed):
    """Only the last would count: the line says so."""
    assert "--model is given twice" in headed.error("%hf_infer -m c -m c Hello!")
    assert headed.run("%hf_tokens -m c -m c Hello!") is not None
