"""What can be gone through again and again, and no more than that: streams, and lazy frames."""

import numpy as np
import polars as pl
import pytest

import hf_magics as hf
from hf_magics.errors import InputError
from hf_magics.inference.mapping.opening import open_source

ROWS = ["one", "two\twords", "", "drei, ‘vier’"]


def rows_of(source, rows=3, chars=100, start=0):
    return [value for window in source.windows(rows, chars, start) for value in window.rows]


def test_a_stream_of_a_dataset_gives_its_rows():
    """As often as they are asked for, from any row on, and never more than a window at once."""
    datasets = pytest.importorskip("datasets")
    read = []

    def records():
        for text in ROWS:
            read.append(text)
            yield {"text": text, "label": 0}

    made = datasets.IterableDataset.from_generator(records)
    assert made.column_names is None
    for source in (open_source(made, "made"), open_source(made["text"], "made")):
        assert (source.count, source.column) == (None, "text")
        assert rows_of(source) == rows_of(source) == ROWS
        assert rows_of(source, start=4) == ROWS[4:]
        read.clear()
        next(source.windows(2, 100))
        assert len(read) == 3
    with pytest.raises(InputError, match=r"no column 'txt'.*did you mean 'text'"):
        open_source(made, "made", "txt")


def test_a_stream_is_run_with_its_plain_code(small):
    """The values of the same list, and code that takes the column."""
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"text": ["a b", "c"]}).to_iterable_dataset()
    result = hf.map(made, task="embed", variable="made")
    assert np.array_equal(result.embeddings, hf.map(["a b", "c"], task="embed").embeddings)
    assert "made_text = ...  # a column of rows: fill it in\n" in result.code
    assert "column = list(made_text)\n" in result.code


def test_a_lazy_frame_is_told_how_to_be_read():
    """What to type, with the column where one is asked for; what that gives is taken."""
    frame = pl.LazyFrame({"text": ROWS, "n": range(len(ROWS))})
    with pytest.raises(InputError, match=r"^df is a LazyFrame.*: give df\.collect\(\)$"):
        open_source(frame, "df")
    with pytest.raises(InputError, match=r"give df\.select\('text'\)\.collect\(\)$"):
        open_source(frame, "df", "text")
    assert rows_of(open_source(frame.select("text").collect(), "df", "text")) == ROWS
