"""A column through a model: the answers of one by one, in their rows, and never lost."""

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
    OptionError,
    SaveError,
)
from hf_magics.inference.mapping.results import Told, _counted
from hf_magics.modeling.elsewhere import About, EngineModel
from hf_magics.modeling.origin import Origin
from hf_magics.snippets import Snippet
from hf_magics.specs import LoadSpec
from tests.inference.mapping.rows import rows_of


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
    """Against sentence-transformers, whose import takes seconds."""
    from sentence_transformers import SentenceTransformer

    texts = rows_of(40)
    expected = SentenceTransformer(minilm, device="cpu").encode(texts)
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


def test_numbers_of_the_page_are_right_aligned(sorter):
    """A probability is one also where a row has none; the share has its sign parted from it."""
    counted, first = hf.map(["good", None, "bad"]).page().parts[1:3]
    assert [column.align for column in first.columns] == ["right", "left", "left", "right"]
    assert all(row[-1].text.endswith(" %") for row in counted.rows)


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


@pytest.mark.parametrize(("name", "task"), [("small", "embed"), ("sorter", "text-classification")])
def test_answers_that_are_no_numbers_are_said(request, tmp_path, name, task):
    """Also of windows that were finished before; a row that failed has no answer to be wrong."""
    loaded = request.getfixturevalue(name)
    at = loaded.tokenizer.convert_tokens_to_ids("what")
    with torch.no_grad():
        loaded.model.base_model.embeddings.word_embeddings.weight[at] = torch.nan
    for _ in range(2):
        rows, kept = ["what", "fine", None, "what is it"], str(tmp_path / "kept")
        page = repr(hf.map(rows, task=task, checkpoint=kept))
        assert "2 rows with NaN or Inf in their answers" in page
    assert "NaN or Inf" not in repr(hf.map(["fine", None], task=task))


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


def test_a_model_without_torch_weights_is_one_line(session):
    """A map needs a forward pass, which an engine for writing does not have."""
    about = About("far away", "runs elsewhere", "%hf_load it here")
    spec = LoadSpec("far", "far")
    writer = SimpleNamespace(loading=lambda: Snippet((), ()), close=lambda: None)
    session.add(EngineModel.of(spec, Origin("endpoint", "far"), writer, about))
    with pytest.raises(EngineError, match="far runs elsewhere, which has no torch weights"):
        hf.map(["a text"])


def test_a_model_without_a_mask_is_never_padded(session, minilm):
    """FNet mixes every place into every other: rows of one length go together, or alone."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}
    hf.new("fnet", name="m", tokenizer=minilm, seed=0, **sizes)
    loaded = session["m"]
    texts = rows_of(20)
    found = hf.map(texts, task="embed").embeddings
    for text, vector in zip(texts, found, strict=True):
        batch = loaded.tokenizer(text, return_tensors="pt", return_attention_mask=False)
        with torch.inference_mode():
            expected = loaded.model(**batch).last_hidden_state[0].mean(dim=0).numpy()
        assert np.abs(vector - expected).max() < 1e-5


def test_a_head_that_reads_the_last_place_finds_the_text_there(session, minilm):
    """XLNet's, whatever side the tokenizer pads: the labels of one by one."""
    sizes = {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64, "num_labels": 5}
    hf.new("xlnet", name="m", task="text-classification", tokenizer=minilm, seed=0, **sizes)
    loaded = session["m"]
    with torch.no_grad():
        for one in loaded.model.parameters():
            one.mul_(8)
    texts = rows_of(30)
    alone = [loaded.tokenizer(text, return_tensors="pt") for text in texts]
    with torch.inference_mode():
        best = [int(loaded.model(**batch).logits.argmax()) for batch in alone]
    expected = [loaded.model.config.id2label[one] for one in best]
    assert len(set(expected)) > 1
    assert list(hf.map(texts, task="text-classification").values) == expected
    assert list(hf.infer(texts, task="text-classification").values) == expected


def test_labels_that_have_no_row_on_the_page_are_counted():
    told = Told(
        title="",
        number=0,
        rows=13,
        seconds=1.0,
        rows_run=13,
        tokens_run=0,
        speed_seconds=1.0,
        first=(),
        errors=(),
        column="text",
        path="",
        counts=tuple((f"label {at}", 1) for at in range(13)),
        answers={"label": 0},
        numbers=frozenset(),
        file_bytes=0,
        how={},
    )
    assert _counted(told).left_out == "3 more rows: .df has them all"
