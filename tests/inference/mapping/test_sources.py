"""Rows from values and files: windows that depend on the content alone, and what can't be read."""

import gzip
import json
from collections import deque

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hf_magics as hf
from hf_magics.errors import InputError
from hf_magics.inference.mapping.opening import open_source

ROWS = ["one", "two\twords", "", "drei, ‘vier’", 'a "quoted" one', "日本語 🤗"]


def rows_of(source, rows=3, chars=100, start=0):
    return [value for window in source.windows(rows, chars, start) for value in window.rows]


def problems_of(source):
    return {
        window.start + at: problem
        for window in source.windows(3, 100)
        for at, problem in window.problems.items()
    }


@pytest.fixture
def written(tmp_path):
    """Writes the rows as a file of a kind, and returns its path."""

    def write(kind: str, rows=ROWS):
        path = tmp_path / f"rows.{kind}"
        frame = pd.DataFrame({"number": range(len(rows)), "text": rows})
        if kind == "txt":
            path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        elif kind == "csv":
            frame.to_csv(path, index=False)
        elif kind == "tsv":
            frame.to_csv(path, index=False, sep="\t")
        elif kind == "jsonl":
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
        else:
            pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=2)
        return path

    return write


@pytest.mark.parametrize("kind", ["txt", "csv", "tsv", "jsonl", "parquet"])
def test_a_file_gives_its_rows_from_any_row_on(written, kind):
    """In order, also where an earlier run stopped."""
    source = open_source(written(kind))
    assert rows_of(source) == ROWS
    for start in range(len(ROWS)):
        assert rows_of(source, start=start) == ROWS[start:]
    assert source.column == "text"


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        tuple(ROWS),
        deque(ROWS),
        pd.Series(ROWS, index=range(5, 11)),
        pl.Series(ROWS),
        np.array(ROWS),
        pa.array(ROWS),
        pa.chunked_array([ROWS[:2], ROWS[2:]]),
    ],
    ids=lambda value: f"{type(value).__module__.split('.')[0]}.{type(value).__name__}",
)
def test_a_value_gives_its_rows(value):
    """Lists, Series and arrays of every library."""
    source = open_source(value, "given")
    assert rows_of(source) == ROWS
    assert (source.name, source.count) == ("given", len(ROWS))


def test_a_column_of_a_dataset(tmp_path):
    """``ds["text"]`` and the table with its column; it stays on disk."""
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"text": ROWS, "label": [0] * len(ROWS)})
    assert rows_of(open_source(made["text"])) == ROWS
    assert rows_of(open_source(made, "made", "text")) == ROWS


def test_tables_need_a_column_where_several_could_be_meant():
    """The only one of texts is taken; a misspelt one is named with the nearest."""
    frame = pd.DataFrame({"title": ["a"], "body": ["b"], "n": [1]})
    assert rows_of(open_source(frame, "df", "body")) == ["b"]
    assert rows_of(open_source(frame[["title", "n"]], "df")) == ["a"]
    with pytest.raises(InputError, match=r"--column NAME.*title, body"):
        open_source(frame, "df")
    with pytest.raises(InputError, match="did you mean 'body'"):
        open_source(frame, "df", "bdy")


def test_what_is_missing_is_none():
    """NaN of pandas, its NA, null of polars."""
    for values in (
        [None, float("nan"), "a"],
        pd.Series([None, np.nan, "a"]),
        pd.array(["a", pd.NA], dtype="string"),
        pl.Series([None, "a"]),
    ):
        found = rows_of(open_source(values))
        assert {one for one in found if one != "a"} == {None}


def test_pairs_are_parted_by_a_tab():
    """As in a cell; a tab inside would part it elsewhere."""
    source = open_source([("a", "b"), ("c\t", "d")])
    assert rows_of(source) == ["a\tb", None]
    assert list(problems_of(source)) == [1]


@given(
    st.lists(st.text(max_size=30), max_size=60),
    st.integers(1, 9),
    st.integers(1, 60),
)
def test_windows_depend_on_the_content_alone(rows, most, chars):
    """From the start of any window on, the later ones are the same."""
    source = open_source(rows)
    windows = list(source.windows(most, chars))
    assert [value for window in windows for value in window.rows] == rows
    for at, window in enumerate(windows):
        assert list(source.windows(most, chars, window.start)) == windows[at:]
        assert len(window.rows) <= most
        assert len(window.rows) == 1 or sum(map(len, window.rows)) <= chars


def test_invalid_utf8_is_said_with_its_line(tmp_path):
    """That row has its error, and the rest goes on."""
    text = tmp_path / "a.txt"
    text.write_bytes(b"good\nb\xffd\ngood again\n")
    assert problems_of(open_source(text)) == {1: "can't be read: line 2 is no UTF-8 at byte 2"}
    assert rows_of(open_source(text)) == ["good", None, "good again"]
    table = tmp_path / "a.csv"
    table.write_bytes(b"text,n\ngood,1\nb\xffd,2\nfine,3\n")
    assert problems_of(open_source(table, column="text")) == {
        1: "can't be read: the record that ends in line 3 is no UTF-8"
    }


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.jsonl", "a.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_is_said_for_the_whole_file(tmp_path, name, encoding):
    """As Excel and PowerShell write it: its lines would be texts of other characters."""
    path, content = tmp_path / name, "\ufeff" * (encoding != "utf-16") + "id\ttext\n1\ta\n"
    content = content.encode(encoding)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(InputError, match=rf"^{name} is UTF-16 .*: save it as UTF-8$"):
        rows_of(open_source(path, column="" if name == "a.txt" else "text"))


def test_names_of_columns_that_are_no_utf8(tmp_path):
    """Nobody could type them; a column with another name can be read."""
    path = tmp_path / "a.csv"
    path.write_bytes("Prüfung,text\n1,a\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"^a\.csv: .* in line 1, are no UTF-8: save it"):
        open_source(path, column="Prüfung")
    assert rows_of(open_source(path, column="text")) == ["a"]


def test_lines_that_are_no_json_or_lack_the_key(tmp_path):
    """Each says its line."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\nnot json\n{"other": 1}\n{"text": null}\n', encoding="utf-8")
    source = open_source(path)
    assert rows_of(source) == ["a", None, None, None]
    assert set(problems_of(source)) == {1, 2}
    assert "line 2 is no JSON: Expecting value at character 1" in problems_of(source)[1]
    assert "line 3 has no 'text'" in problems_of(source)[2]


def test_csv_with_lines_in_quotes_and_broken_records(tmp_path):
    """A quoted line break is no new row; a record of another width is an error of its own."""
    path = tmp_path / "a.csv"
    path.write_text('text,n\n"two\nlines",1\nonly\nlast,2\n', encoding="utf-8")
    source = open_source(path, column="text")
    assert rows_of(source) == ["two\nlines", None, "last"]
    assert "has 1 column, not 2" in problems_of(source)[1]


def test_windows_line_ends_marks_and_blank_lines(tmp_path):
    """A mark at the beginning is no character, a blank line is a row."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\nthree")
    assert rows_of(open_source(path)) == ["one", "", "three"]


def test_packed_files(tmp_path):
    """``.jsonl.gz`` is read as it is."""
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": row}) + "\n" for row in ROWS)
    assert rows_of(open_source(path)) == ROWS


def test_a_line_of_ten_megabytes_is_a_row(tmp_path):
    """In text and in CSV, whose module refuses more than 128 KiB by itself."""
    long = "word " * 2_000_000
    for name, begin in (("a.txt", ""), ("a.csv", "text\n")):
        path = tmp_path / name
        path.write_text(f"{begin}{long}\nshort\n", encoding="utf-8")
        assert [len(row) for row in rows_of(open_source(path))] == [len(long), 5]


def test_a_file_that_changes_is_another(tmp_path):
    """Its hash differs, and a run that is reading it stops."""
    path = tmp_path / "a.txt"
    path.write_text("a\nb\nc\n", encoding="utf-8")
    source = open_source(path)
    before = source.fingerprint()
    windows = source.windows(1, 10)
    next(windows)
    path.write_text("a\nX\nc\nd\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"changed while it was read.* with --overwrite where"):
        list(windows)
    assert open_source(path).fingerprint() != before


def test_the_hash_is_of_the_content(tmp_path):
    """A copy elsewhere is the same; another order is not."""
    one, other = tmp_path / "a.txt", tmp_path / "b.txt"
    one.write_text("a\nb\n", encoding="utf-8")
    other.write_text("a\nb\n", encoding="utf-8")
    assert open_source(one).fingerprint() == open_source(other).fingerprint()
    hashes = {open_source(rows).fingerprint() for rows in (["a", "b"], ["b", "a"], ["ab"], ["a"])}
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "is not there"),
        ("a.xlsx", b"x", ".parquet"),
        ("a.txt", b"", "is empty"),
        ("a.parquet", b"no parquet", "is no Parquet file"),
        ("a.jsonl", b"[1]\n", "a JSON object"),
    ],
)
def test_files_that_can_not_be_read(tmp_path, name, content, said):
    """Each in a line of its own."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        open_source(path)


@pytest.mark.parametrize("value", [3, None, {"a": 1}, (one for one in "ab"), b"bytes"])
def test_what_is_no_column(value):
    """The line says what a column is."""
    with pytest.raises(InputError, match="a list, a Series"):
        open_source(value)


def test_suffixes_in_capitals_are_read_alike(tmp_path):
    """Packed, and with tabs between the columns, whatever the case."""
    path = tmp_path / "FILMS.TSV.GZ"
    path.write_bytes(gzip.compress(b"text\tid\nso, good\t1\n"))
    (window,) = open_source(path, column="text").windows(10, 1_000)
    assert window.rows == ("so, good",)


def test_columns_of_one_name_are_not_guessed(small):
    """And a name need not be a text."""
    twice = pd.DataFrame([["a b", "c"]], columns=["text", "text"])
    with pytest.raises(InputError, match="2 columns that are called 'text'"):
        hf.map(twice, task="embed", column="text")
    expected = hf.map(["a b"], task="embed").embeddings
    assert np.array_equal(hf.map(pd.DataFrame(["a b"]), task="embed").embeddings, expected)


def test_arrays_of_token_ids_are_token_ids(small):
    """Of NumPy and of torch."""
    ids = [[101, 7592, 102], [101, 102]]
    expected = hf.map(ids, task="embed").embeddings
    for kind in (np.array, torch.tensor):
        found = hf.map([kind(one) for one in ids], task="embed").embeddings
        assert np.array_equal(found, expected)
