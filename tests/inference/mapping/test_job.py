"""A column through a model: the answers of one by one, in their rows, and never lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import hf_magics as hf
from hf_magics.errors import (
    EngineError,
    HeadError,
    InputError,
    MapInterruptedError,
    OptionError,
    SaveError,
)
from hf_magics.inference.mapping.worker import Worker
from hf_magics.inference.tasks.classify import Classify
from hf_magics.inference.tasks.embed import Embed
from hf_magics.modeling.elsewhere import About, EngineModel
from hf_magics.modeling.store import Origin
from hf_magics.snippets import Snippet
from hf_magics.specs import LoadSpec
from tests.inference.mapping.rows import rows_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def short_windows(monkeypatch):
    """Windows of 16 rows, so that there are several."""
    for task in (Embed, Classify):
        monkeypatch.setattr(task, "window", 16)


def one_by_one(loaded, texts):
    """What the model gives for each text by itself: the mean of its token vectors."""
    vectors = []
    for text in texts:
        batch = loaded.tokenizer(text, truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            vectors.append(loaded.model(**batch).last_hidden_state[0].mean(dim=0).numpy())
    return np.stack(vectors)


def test_vectors_are_those_of_one_by_one(small, short_windows):
    """To 1e-5, in the order of the rows, however they were batched."""
    texts = rows_of(70)
    result = hf.map(texts, task="embed")
    assert result.embeddings.shape == (70, 32)
    assert np.abs(result.embeddings - one_by_one(small, texts)).max() < 1e-5
    assert result.values is result.embeddings
    assert result.errors == {}


def test_the_real_minilm_agrees_with_its_published_pooling(session, minilm):
    """Against sentence-transformers, where it is installed."""
    sentences = pytest.importorskip("sentence_transformers")
    texts = rows_of(40)
    expected = sentences.SentenceTransformer(minilm, device="cpu").encode(texts)
    hf.load(minilm, name="bert")
    assert np.abs(hf.map(texts).embeddings - expected).max() < 1e-5


def test_labels_are_those_of_an_inference(sorter, short_windows):
    """Each with its probability, as a softmax over the logits gives it."""
    texts = rows_of(40)
    result = hf.map(texts)
    batch = sorter.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        probs = sorter.model(**batch).logits.softmax(dim=-1)
    names = [sorter.config.id2label[at] for at in probs.argmax(dim=-1).tolist()]
    assert list(result.values) == names
    found = torch.tensor([row["prob"] for row in result.records()])
    assert (found - probs.max(dim=-1).values).abs().max() < 1e-5
    assert list(result.df.columns) == ["row", "label", "prob", "error"]


def test_equal_texts_are_run_once(small, monkeypatch):
    """And have the same answer, bit for bit."""
    seen = []
    columns = Worker.columns
    monkeypatch.setattr(
        Worker, "columns", lambda self, *a: (seen.extend(a[1]), columns(self, *a))[1]
    )
    result = hf.map(["a b", "c", "a b", "c", "a b"], task="embed", batch_tokens=64)
    assert len(seen) == 2
    assert np.array_equal(result.embeddings[0], result.embeddings[4])
    assert not np.array_equal(result.embeddings[0], result.embeddings[1])


def test_rows_that_fail_have_their_error(small, short_windows):
    """And the others their answer: nothing is moved, nothing ends."""
    texts = ["good", None, float("nan"), "", "   ", 3, "fine", ["x"], "good"]
    result = hf.map(texts, task="embed")
    assert set(result.errors) == {1, 2, 3, 4, 5, 7}
    assert result.errors[1] == result.errors[2] == "is missing"
    assert "int" in result.errors[5]
    assert np.isnan(result.embeddings[[1, 2, 3, 4, 5, 7]]).all()
    expected = one_by_one(small, ["good", "fine", "good"])
    assert np.abs(result.embeddings[[0, 6, 8]] - expected).max() < 1e-5
    assert "6 rows failed" in repr(result)


def test_a_strict_job_stops_at_the_first(small):
    """With the number of the row, counted from 0 as a table does."""
    with pytest.raises(InputError, match="row 2 is missing"):
        hf.map(["a", "b", None, "c"], task="embed", strict=True)


def test_a_row_that_the_model_refuses_does_not_take_others_along(small, short_windows):
    """A batch that fails is halved until the row is alone."""
    ids = [[101, 7592, 102], [101, 999_999, 102], [101, 102]]
    result = hf.map(ids, task="embed")
    assert list(result.errors) == [1]
    assert "999999" in result.errors[1]
    assert np.isfinite(result.embeddings[[0, 2]]).all()


def test_text_that_was_cut_is_said(small):
    """How many texts lost their end."""
    result = hf.map(["a b c d e f", "a", "a b c d"], task="embed", max_length=6)
    assert "1 text longer than the limit" in repr(result)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv", ".arrow"])
def test_a_file_has_all_rows(sorter, tmp_path, short_windows, suffix):
    """The input, the answer and the error, a row each, in every kind of file."""
    texts = [*rows_of(20), None, "last"]
    to = tmp_path / f"out{suffix}"
    kept = hf.map(texts)
    result = hf.map(texts, to=str(to))
    assert result.path == str(to)
    missing = "" if suffix == ".csv" else None
    expected = zip(texts, kept.values, [None] * 20 + ["is missing", None], strict=True)
    assert [(one["text"], one["label"], one["error"]) for one in result.records()] == [
        tuple(missing if value is None else value for value in row) for row in expected
    ]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([f".{to.name}.hf_map", to.name])


def test_vectors_in_a_file_are_a_column_of_their_width(small, tmp_path, short_windows):
    """Fixed-size lists of float32, null where a row failed."""
    to = tmp_path / "out.parquet"
    hf.map([*rows_of(20), None], task="embed", to=str(to))
    column = pq.read_table(to).column("embedding")
    assert str(column.type) == "fixed_size_list<element: float>[32]"
    assert column.null_count == 1
    kept = hf.map(rows_of(20), task="embed").embeddings
    assert np.array_equal(np.array(column.to_pylist()[:20], dtype=np.float32), kept)


def test_windows_of_errors_alone_fit_in(small, tmp_path, short_windows):
    """Their columns have the type of the others."""
    to = tmp_path / "out.parquet"
    hf.map([None] * 16 + rows_of(16) + [None] * 16, task="embed", to=str(to))
    assert pq.read_table(to).column("embedding").null_count == 32


def test_the_same_line_again_runs_nothing(small, tmp_path, short_windows, monkeypatch):
    """And says so; a file that changed since is refused."""
    to = tmp_path / "out.parquet"
    hf.map(rows_of(20), task="embed", to=str(to))
    before = to.read_bytes()
    monkeypatch.setattr(Worker, "finish", None)
    again = hf.map(rows_of(20), task="embed", to=str(to))
    assert "finished before" in repr(again)
    assert to.read_bytes() == before
    to.write_bytes(b"other")
    with pytest.raises(InputError, match="--overwrite"):
        hf.map(rows_of(20), task="embed", to=str(to))


def stopped_after(monkeypatch, windows: int, error: BaseException) -> None:
    """Let a map fail after so many windows."""
    finish, done = Worker.finish, []

    def failing(self, prepared):
        if len(done) == windows:
            raise error
        done.append(prepared)
        return finish(self, prepared)

    monkeypatch.setattr(Worker, "finish", failing)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("broken")])
@pytest.mark.parametrize("windows", [0, 1, 3])
def test_a_job_goes_on_where_it_stopped(
    small, tmp_path, short_windows, monkeypatch, error, windows
):
    """With the bytes of a job that was never stopped."""
    whole, to = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    hf.map(rows_of(70), task="embed", to=str(whole))
    with monkeypatch.context() as patched:
        stopped_after(patched, windows, error)
        with pytest.raises((MapInterruptedError, OSError)):
            hf.map(rows_of(70), task="embed", to=str(to))
    assert not to.exists()
    result = hf.map(rows_of(70), task="embed", to=str(to))
    assert to.read_bytes() == whole.read_bytes()
    assert (f"{windows * 16} rows were finished before" in repr(result)) == (windows > 0)


def test_an_interrupt_says_what_is_kept(small, tmp_path, short_windows, monkeypatch):
    """It is a ``KeyboardInterrupt`` too, and names the way on."""
    stopped_after(monkeypatch, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt, match=r"32 finished rows.*same line goes on"):
        hf.map(rows_of(70), task="embed", to=str(tmp_path / "out.parquet"))
    with pytest.raises(MapInterruptedError, match="--checkpoint DIR"):
        hf.map(rows_of(70), task="embed")


def test_a_checkpoint_without_a_file_gives_the_answers_here(
    small, tmp_path, short_windows, monkeypatch
):
    """The same vectors as without it, from what was finished and what was not."""
    expected = hf.map(rows_of(70), task="embed").embeddings
    with monkeypatch.context() as patched:
        stopped_after(patched, 2, KeyboardInterrupt())
        with pytest.raises(MapInterruptedError):
            hf.map(rows_of(70), task="embed", checkpoint=str(tmp_path / "kept"))
    result = hf.map(rows_of(70), task="embed", checkpoint=str(tmp_path / "kept"))
    assert np.array_equal(result.embeddings, expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": [*rows_of(69), "other"]}, "content of the input"),
        ({"pooling": "cls"}, "an option"),
        ({"max_length": 9}, "an option"),
    ],
)
def test_another_job_is_refused(small, tmp_path, short_windows, change, said):
    """What differs is named; ``--overwrite`` begins anew."""
    words = {"task": "embed", "checkpoint": str(tmp_path / "kept")}
    hf.map(rows_of(70), **words)
    other = {"inputs": rows_of(70), **words, **change}
    with pytest.raises(InputError, match=said):
        hf.map(other.pop("inputs"), **other)
    result = hf.map(**{"inputs": rows_of(70), **words, **change, "overwrite": True})
    assert len(result.values) == 70


def test_trained_weights_are_another_job(small, tmp_path):
    """The answers before and after would not go together."""
    hf.map(rows_of(3), task="embed", checkpoint=str(tmp_path / "kept"))
    with torch.no_grad():
        next(small.model.parameters()).add_(1)
    with pytest.raises(InputError, match="weights"):
        hf.map(rows_of(3), task="embed", checkpoint=str(tmp_path / "kept"))


def test_a_folder_of_other_files_is_left_alone(small, tmp_path):
    """Also by ``--overwrite``, which takes away only what a map has written."""
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    for words in ({}, {"overwrite": True}):
        with pytest.raises(InputError, match="other files"):
            hf.map(["a"], task="embed", checkpoint=str(tmp_path), **words)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "precious"


def test_a_second_process_on_one_job_is_refused(small, tmp_path):
    """A lock goes with the process that holds it."""
    fcntl = pytest.importorskip("fcntl")
    kept = tmp_path / "kept"
    hf.map(["a"], task="embed", checkpoint=str(kept))
    with (kept / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process"):
            hf.map(["a"], task="embed", checkpoint=str(kept))


@pytest.mark.slow
def test_a_killed_process_loses_nothing(tmp_path, minilm):
    """Killed at different moments, run again: the bytes of a job that was never stopped."""
    source = tmp_path / "rows.txt"
    source.write_text("".join(f"{row}\n" for row in rows_of(800)), encoding="utf-8")
    whole, to = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    assert run_child(source, whole, minilm) == 0
    for windows in (0, 9, 23):
        assert run_child(source, to, minilm, signal.SIGKILL, windows) == -signal.SIGKILL
    assert run_child(source, to, minilm, signal.SIGINT, 31) == 1
    assert run_child(source, to, minilm) == 0
    assert to.read_bytes() == whole.read_bytes()


def run_child(source, to, tokenizer, blow=None, windows=0) -> int:
    """Run a map in a process, and end it once it has finished so many windows."""
    command = [sys.executable, "-m", "tests.inference.mapping.child"]
    lines = to.with_name(f".{to.name}.hf_map") / "windows.jsonl"
    with subprocess.Popen(
        [*command, str(source), str(to), tokenizer],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == "ready\n"
        if blow is not None:
            while child.poll() is None and finished(lines) < windows:
                time.sleep(0.001)
            child.send_signal(blow)
        child.stdout.read()
    return child.returncode


def finished(lines) -> int:
    """The windows that are written down."""
    return len(lines.read_bytes().splitlines()) if lines.is_file() else 0


def test_a_full_disk_keeps_what_is_finished(small, tmp_path, short_windows):
    """A limit on the size of files stands for the disk: a line that says where and how to go on."""
    resource = pytest.importorskip("resource")
    to, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
    hf.map(rows_of(200), task="embed", to=str(whole))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole.stat().st_size // 2, before[1]))
    try:
        with pytest.raises(SaveError, match="same line goes on"):
            hf.map(rows_of(200), task="embed", to=str(to))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not to.exists()
    assert not list(tmp_path.glob("*.new"))
    hf.map(rows_of(200), task="embed", to=str(to))
    assert to.read_bytes() == whole.read_bytes()


def test_what_can_not_be_asked(small, tmp_path):
    """Each in one line, before anything is run."""
    with pytest.raises(OptionError, match="at least 1"):
        hf.map(["a"], batch_tokens=0)
    with pytest.raises(OptionError, match="goes with"):
        hf.map(["a"], overwrite=True)
    with pytest.raises(HeadError, match="no main value"):
        hf.map(["a"], task="features")
    with pytest.raises(InputError, match="no rows"):
        hf.map([], task="embed")
    for to, said in (("x.xlsx", "kind of file"), ("none/x.csv", "no folder"), (".", "kind of")):
        with pytest.raises(SaveError, match=said):
            hf.map(["a"], to=str(tmp_path / to))


def test_the_code_gives_the_same(small, short_windows):
    """Plain transformers code over the same texts: the same vectors to 1e-5."""
    texts = rows_of(40)
    result = hf.map(texts, task="embed", variable="texts")
    assert "hf_magics" not in result.code
    made = {"texts": texts}
    lines = result.code.replace("model.eval()", "model = given; model.eval()")
    exec(lines, made | {"given": small.model}, made)
    assert np.abs(torch.stack(made["answers"]).numpy() - result.embeddings).max() < 1e-5


def test_a_very_long_line_is_cut_at_the_limit(small, tmp_path):
    """Two megabytes in one line: its vector is that of its beginning, and the page says so."""
    source = tmp_path / "long.txt"
    source.write_text("first\n" + "word " * 400_000 + "\nlast\n", encoding="utf-8")
    result = hf.map(source, task="embed", max_length=16)
    begin = hf.map(["word " * 14], task="embed", max_length=16)
    np.testing.assert_allclose(result.embeddings[1], begin.embeddings[0], atol=1e-5)
    assert any("1 text longer than the limit" in note.text for note in result.page().notes)


@pytest.mark.parametrize(("words", "is_cut"), [(13, False), (14, True), (40, True)])
def test_a_word_of_many_characters_is_no_text_of_many_tokens(small, words, is_cut):
    """The beginning of a text only tells that it is cut where it has tokens enough by itself."""
    text = "a" * 3_000 + " word" * words  # the first word is one unknown token
    assert len(small.tokenizer(text)["input_ids"]) == words + 3
    result = hf.map([text], task="embed", max_length=16)
    assert any("1 text longer than the limit" in one.text for one in result.page().notes) is is_cut


def test_a_short_file_is_not_probed(small, tmp_path):
    """The batch's size is looked for where there is enough to run that finding it pays."""
    source, passes = tmp_path / "short.txt", []
    source.write_text("first\nlast\n")
    small.model.register_forward_pre_hook(lambda *_: passes.append(1))
    hf.map(source, task="embed")
    assert len(passes) == 1


def test_a_very_long_line_is_tokenised_once(small, tmp_path, monkeypatch):
    """The probe for the size of a batch leaves it alone: it would take its time twice."""
    source = tmp_path / "long.txt"
    source.write_text("first\n" + "word " * 400_000 + "\nlast\n", encoding="utf-8")
    seen, backend = [], type(small.tokenizer)._encode_plus

    def counted(self, text, *args, **kwargs):
        texts = [text] if isinstance(text, str) else text
        seen.extend(len(one) for one in texts if len(one) > 1_000_000)
        return backend(self, text, *args, **kwargs)

    monkeypatch.setattr(type(small.tokenizer), "_encode_plus", counted)
    hf.map(source, task="embed", max_length=16)
    assert seen == [2_000_000]


def test_a_model_without_torch_weights_is_one_line(session):
    """A map needs a forward pass, which an engine for writing does not have."""
    about = About("far away", "runs elsewhere", "%hf_load it here")
    spec = LoadSpec("far", "far")
    writer = SimpleNamespace(loading=lambda: Snippet((), ()), close=lambda: None)
    session.add(EngineModel.of(spec, Origin("endpoint", "far"), writer, about))
    with pytest.raises(EngineError, match="far runs elsewhere, which has no torch weights"):
        hf.map(["a text"])
