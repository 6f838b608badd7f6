"""Results elsewhere: as tables of pandas and of polars, and as pickles."""

import math
import pickle

import polars as pl
import pytest

from hf_magics.display.frames import of_polars

HEADED = (
    "%hf_new bert --class BertForSequenceClassification num_labels=3 hidden_size=16 "
    "num_hidden_layers=1 num_attention_heads=2 intermediate_size=16 -n headed --seed 0"
)
WRITER = (
    "%hf_new gpt2 --task text-generation n_embd=16 n_layer=1 n_head=2 -n writer --seed 0 "
    "n_positions=64 eos_token_id=None"
)
LINES = {
    "%hf_models": 3,
    "%hf_config headed": 10,
    "%%hf_tokens -m headed\nHello!\nA cat\tsleeps.": 11,
    "%%hf_infer -m headed\nHello!\nCool.": 2,
    "%%hf_infer -m bert --task embed\nHello!\nCool.": 2,
    "%hf_infer -m bert --task features Hello!": 2,
    "%hf_layers headed": 10,
    "%hf_attention -m bert Hello!": 12,
    "%hf_lens -m writer -i ids": 3,
    "%hf_score -m writer -i ids": 3,
    "%hf_generate -m writer --max-new-tokens 3 -i ids": 3,
    "%hf_map column -m headed": 5,
    "%hf_compare bert headed": 2,
    "%hf_save headed saved": 1,
    "%hf_drop headed": 1,
}


@pytest.fixture
def filled(shell, minilm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.run(f"{HEADED} --tokenizer '{minilm}'")
    shell.run(WRITER)
    shell.run(f"%hf_load {minilm} -n bert")
    shell.ip.push({"ids": [[5, 6, 7]], "column": ["Hello!", None, "", 3, "Cool."]})
    return shell


def plain(value):
    """A cell as Python has it: pandas has NaN where a number is missing, polars has None."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def test_both_have_every_row_and_column_of_the_result(filled):
    """As many rows as it has, at least as many as it must have, and equal values."""
    for line, least in LINES.items():
        result = filled.run(line)
        rows = result.records()
        assert len(rows) >= least, line
        pandas, polars = result.df, result.polars
        assert len(pandas) == polars.height == len(rows), line
        assert list(pandas.columns) == polars.columns, line
        for row, one, other in zip(rows, pandas.to_dict("records"), polars.to_dicts(), strict=True):
            for name, value in row.items():
                said = plain(value)
                assert plain(one[name]) == said, (line, name)
                assert plain(other[name]) in (said, str(value)), (line, name)
                assert (plain(other[name]) == said) or polars[name].dtype == pl.String


def test_a_result_pickles_small_and_is_drawn_as_before(filled):
    """No model goes with it: kilobytes, and the same page from them."""
    for line in LINES:
        result = filled.run(line)
        pickled = pickle.dumps(result)
        assert len(pickled) < 2**16, line
        again = pickle.loads(pickled)
        assert again._repr_html_() == result._repr_html_(), line
        assert repr(again) == repr(result), line


def test_a_column_of_several_kinds_has_texts_in_polars_and_numbers_stay_numbers():
    """A missing value stays one; a whole number before a fraction is a number."""
    rows = [{"any": 1, "number": 1, "list": (1,)}, {"any": "a", "number": 2.5}, {"any": None}]
    frame = of_polars(rows)
    assert frame["any"].to_list() == ["1", "a", None]
    assert frame["number"].to_list() == [1.0, 2.5, None]
    assert frame["list"].to_list() == [[1], None, None]
    assert of_polars([]).height == 0
