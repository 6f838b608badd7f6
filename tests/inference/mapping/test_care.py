"""Nothing silently wrong: files that are there, rows of other kinds, jobs that are not the same."""

import dataclasses
import datetime as dt
import gzip
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import hf_magics as hf
from hf_magics.errors import FitError, InputError, OptionError, SaveError
from hf_magics.inference.mapping.journal import _locked
from hf_magics.modeling.sentence import SentenceConfig
from tests.inference.mapping.rows import TINY, rows_of


def interrupted(loaded, rows, **words) -> None:
    """Run a job that is interrupted in its second window."""
    calls = []

    def stop(*_) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    hook = loaded.model.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        hf.map(rows, batch_tokens=4_096, **words)
    hook.remove()


def test_a_file_that_is_there_is_not_replaced(small, tmp_path):
    """Neither one of another's, nor the one that is read; the job's own is known again."""
    table = tmp_path / "films.csv"
    table.write_text("text\nfirst\nlast\n")
    with pytest.raises(SaveError, match=r"films\.csv is the file that is read: give another"):
        hf.map(table, task="embed", to=table, overwrite=True)
    other = tmp_path / "other.csv"
    other.write_text("mine\n")
    with pytest.raises(SaveError, match=r"other\.csv is there already: --overwrite replaces it"):
        hf.map(table, task="embed", to=other)
    assert (table.read_text(), other.read_text()) == ("text\nfirst\nlast\n", "mine\n")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["films.csv", "other.csv"]
    for _ in range(2):
        hf.map(table, task="embed", to=tmp_path / "out.csv")
    hf.map(table, task="embed", to=other, overwrite=True)
    assert "first" in other.read_text()


def test_a_thing_among_texts_is_a_row_with_its_error(small):
    """A path, an array, token IDs: the others are run."""
    rows = ["good", Path("x.png"), np.zeros(3, np.float32), [101, 102], {"a": 1}, "fine"]
    result = hf.map(rows, task="embed")
    assert {row: why.split(":")[0] for row, why in result.errors.items()} == {
        1: f"is {type(rows[1]).__name__}, not text",
        2: "is ndarray, not text",
        3: "is list, not text",
        4: "is dict, not text",
    }
    np.testing.assert_allclose(
        result.embeddings[[0, 5]], hf.map(["good", "fine"], task="embed").embeddings, atol=1e-6
    )


def test_a_text_among_token_ids_is_a_row_with_its_error(small):
    """The first row that can be one says what rows are, even where the very first can't."""
    result = hf.map([[101, 7592, 102], "a text", [101, 102]], task="embed")
    assert result.errors == {1: "is str, and the first row was token IDs"}
    assert list(hf.map([["x"], "good"], task="embed").errors) == [0]


def test_rows_of_any_kind_can_be_checkpointed(small, tmp_path):
    """A date, bytes and an object of one's own, each an error in its row."""
    rows = ["good", dt.date(2026, 1, 2), b"bytes", object(), "fine"]
    result = hf.map(rows, task="embed", to=tmp_path / "out.parquet")
    assert list(result.errors) == [1, 2, 3]
    assert hf.map(rows, task="embed", to=tmp_path / "out.parquet").errors == result.errors


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "arrow", "JSONL"])
def test_errors_are_read_from_the_file(small, tmp_path, kind):
    """The same as those of a job in memory."""
    rows = ["good", "", None, "fine"]
    result = hf.map(rows, task="embed", to=tmp_path / f"out.{kind}")
    assert result.errors == hf.map(rows, task="embed").errors
    assert [one["row"] for one in result.records()] == [0, 1, 2, 3]


def test_overwrite_leaves_a_job_at_work_alone(small, tmp_path):
    """Its lock is taken before anything of it is taken away."""
    folder = tmp_path / "kept"
    hf.map(rows_of(20), task="embed", checkpoint=folder)
    before = sorted(folder.iterdir())
    with _locked(folder / "lock"):
        with pytest.raises(InputError, match="another process is at work"):
            hf.map(rows_of(20), task="embed", checkpoint=folder, overwrite=True)
        assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("changed", ["labels", "vocabulary", "train", "sentence"])
def test_a_job_is_not_gone_on_with_by_another_model(
    small, sorter, tmp_path, short_windows, changed
):
    """The same weights with other labels, another vocabulary, in train mode, pooled otherwise."""
    task, loaded = ("embed", small) if changed == "sentence" else ("text-classification", sorter)
    words = {"task": task, "model": loaded.name, "to": tmp_path / "out.parquet"}
    interrupted(loaded, rows_of(60), **words)
    if changed == "labels":
        loaded.model.config.id2label = {0: "x", 1: "y", 2: "z"}
    elif changed == "vocabulary":
        loaded.tokenizer.add_tokens(["zebra"])
    elif changed == "train":
        loaded.model.train()
    else:
        hf.session["small"].sentence = _pooled_by_the_first_token()
    with pytest.raises(InputError, match="is the checkpoint of another job: the model is not"):
        hf.map(rows_of(60), **words)


def _pooled_by_the_first_token() -> SentenceConfig:
    return dataclasses.replace(SentenceConfig(), pooling=("cls",), files={"modules.json": "[]"})


def test_a_strict_job_does_not_take_over_rows_that_failed(small, tmp_path):
    """Not those that another run let pass."""
    rows, to = ["good", "", "fine"], tmp_path / "out.parquet"
    hf.map(rows, task="embed", to=to)
    with pytest.raises(InputError, match="1 row failed in the run before"):
        hf.map(rows, task="embed", to=to, strict=True)


def test_a_checkpoint_of_ones_own_is_kept(small, tmp_path):
    """What went to a file goes to another, or is read back, from the same checkpoint."""
    rows, folder = rows_of(20), tmp_path / "kept"
    words = {"task": "embed", "checkpoint": folder}
    hf.map(rows, **words, to=tmp_path / "a.parquet")
    again = hf.map(rows, **words)
    hf.map(rows, **words, to=tmp_path / "b.parquet")
    stored = pq.read_table(tmp_path / "b.parquet")
    assert stored.equals(pq.read_table(tmp_path / "a.parquet"))
    assert np.array_equal(again.embeddings, np.stack(stored["embedding"].to_pylist()))


def test_a_strict_job_names_the_row(session, minilm):
    """By its place in the column, not in a batch sorted by length."""
    hf.new("bert", name="m", task="fill-mask", tokenizer=minilm, seed=0, **TINY)
    rows = ["a [MASK] at the end of a long text", "a [MASK]", "none here", "so [MASK] it is"]
    with pytest.raises(InputError, match=r"^row 2 "):
        hf.map(rows, task="fill-mask", strict=True)
    failed = hf.map([*rows, "none here"], task="fill-mask")
    assert list(failed.errors) == [2, 4]
    assert "2 rows failed" in repr(failed)


def test_less_room_is_remembered_in_the_rest_of_the_window(small):
    """Where a batch has no room, later ones are cut to what has."""
    rows, tried = [f"{n} {'word ' * 30}" for n in range(64)], []
    expected = hf.map(rows, task="embed").embeddings

    def refuse(_module, _args, given) -> None:
        tokens = given["input_ids"].numel()
        tried.append(tokens)
        if tokens > 300:
            raise FitError("no room")

    small.model.register_forward_pre_hook(refuse, with_kwargs=True)
    result = hf.map(rows, task="embed", batch_tokens=1_024)
    np.testing.assert_allclose(result.embeddings, expected, atol=1e-5)
    assert sum(tokens > 300 for tokens in tried) == 2  # 1,024 tokens, then half of that


def test_a_dictionary_of_datasets_is_not_a_table(small):
    """Its parts are named."""
    parts = datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": ["a"]}))
    with pytest.raises(InputError, match=r"is a dictionary of datasets: give films\['train'\]"):
        hf.map(parts, variable="films")


def test_damaged_files_are_one_line(small, tmp_path):
    """Packed or not, wherever the damage is."""
    whole = gzip.compress(b"".join(b"line %d of many\n" % n for n in range(20_000)))
    (tmp_path / "a.txt.gz").write_bytes(whole[:3_000] + bytes(200) + whole[3_200:])
    hf.map(rows_of(40), task="embed", to=tmp_path / "whole.parquet")
    found = bytearray((tmp_path / "whole.parquet").read_bytes())
    found[40:400] = bytes(360)
    (tmp_path / "b.parquet").write_bytes(found)
    for name in ("a.txt.gz", "b.parquet"):
        with pytest.raises(InputError, match=rf"{name}.* (can't be read|damaged)"):
            hf.map(tmp_path / name, task="embed", column="text" if "b." in name else "")


def test_records_after_a_stray_carriage_return_and_deep_json(small, tmp_path):
    """They end a line, or are no JSON that can be read: a row each, and the job goes on."""
    (tmp_path / "a.csv").write_bytes(b"text,n\r\nfirst,1\rsecond,2\r\nlast,3\r\n")
    result = hf.map(tmp_path / "a.csv", task="embed", column="text")
    assert (result.embeddings.shape[0], result.errors) == (3, {})
    deep = "[" * 100_000
    (tmp_path / "a.jsonl").write_bytes(b'\xff\n{"text": "good"}\n' + deep.encode() + b"\n")
    assert list(hf.map(tmp_path / "a.jsonl", task="embed").errors) == [0, 2]


def test_numbers_of_any_size_can_stand_in_a_file(small, tmp_path):
    """A window of nothing but large integers is one of rows that failed."""
    result = hf.map([2**70, 2**71, 3], task="embed", to=tmp_path / "out.parquet")
    assert list(result.errors) == [0, 1, 2]


def test_a_file_that_came_while_a_job_was_interrupted_is_not_replaced(
    small, tmp_path, short_windows, monkeypatch
):
    """It is none of the job's; one that the job was told to replace is, also when it goes on."""
    to, rows = tmp_path / "out.csv", rows_of(40)
    interrupted(small, rows, task="embed", to=str(to))
    to.write_text("precious", encoding="utf-8")
    words = {"task": "embed", "to": str(to), "batch_tokens": 4_096}
    with pytest.raises(SaveError, match="--overwrite"):
        hf.map(rows, **words)
    assert to.read_text("utf-8") == "precious"
    interrupted(small, rows, task="embed", to=str(to), overwrite=True)
    hf.map(rows, **words)
    assert to.read_text("utf-8").startswith("row,text,embedding")


def test_other_settings_for_writing_are_another_job(session, minilm, tmp_path):
    """The model's own, which no line names."""
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    hf.new("t5", name="t5", task="text2text-generation", tokenizer=minilm, seed=0, **sizes)
    words = {"task": "text2text-generation", "checkpoint": str(tmp_path / "kept")}
    hf.map(["a text"], **words)
    session["t5"].model.generation_config.num_beams = 3
    with pytest.raises(InputError, match="model"):
        hf.map(["a text"], **words)


def test_half_of_a_character_is_the_error_of_its_row(small):
    """Python can hold it, UTF-8 and tokenizers can't."""
    result = hf.map(["fine", "half \ud83d emoji", "fine too"], task="embed")
    assert list(result.errors) == [1]
    assert "has '\\ud83d', half of a surrogate pair" in result.errors[1]


def test_a_carriage_return_stays_in_its_cell(small, tmp_path):
    """Read back by pandas: a row an input."""
    texts = ["one\rtwo", "three", "four\r", "a\nb", "c\r\nd"]
    hf.map(texts, task="embed", to=str(tmp_path / "out.csv"))
    read = pd.read_csv(tmp_path / "out.csv")
    assert list(read["row"]) == list(range(5))
    assert read["embedding"].notna().all()


def test_rows_with_several_masks_have_no_one_probability(session, minilm):
    """Whatever else is in their batch; the others have theirs."""
    hf.new("bert", name="m", task="fill-mask", tokenizer=minilm, seed=0, **TINY)
    texts = ["one [MASK] here", "[MASK] [MASK]", "a [MASK] that is long, long, long"]
    whole = hf.map(texts, task="fill-mask").df
    assert list(whole["prob"].isna()) == [False, True, False]
    parts = hf.map(texts, task="fill-mask", batch_tokens=8).df
    np.testing.assert_allclose(parts["prob"], whole["prob"], rtol=1e-4)


def test_the_vectors_are_found_by_whatever_name(small):
    """Also where the inputs have theirs."""
    series = pd.Series(["a b", "x"], name="embedding")
    assert hf.map(series, task="embed").embeddings.shape == (2, 32)


def test_a_limit_that_can_not_be_is_said_before_anything_is_run(small, tmp_path):
    """No file of errors is written."""
    with pytest.raises(InputError, match="more than the 512 positions"):
        hf.map(["a"], task="embed", max_length=9_999, to=str(tmp_path / "out.csv"))
    assert not list(tmp_path.iterdir())


def test_more_answers_than_a_row_has_room_for_are_refused(sorter):
    """Where the option would be taken and ignored."""
    with pytest.raises(OptionError, match="keeps the best answer of each row"):
        hf.map(["a"], task="text-classification", top_k=3)
    assert not hf.map(["a"], task="text-classification", top_k=1).errors
