"""Embeddings: the vectors are sentence-transformers', and the page says how alike they are."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import hf_magics as hf
from hf_magics.display import html, text
from hf_magics.display.parts import Heat, Table, Text, Tint
from hf_magics.errors import EvictedError, HeadError
from hf_magics.inference.pooling import pool
from hf_magics.modeling.sentence import SentenceConfig
from hf_magics.settings import Settings
from tests.home import run_home
from tests.inference.plain import notes
from tests.modeling.sentences import describe, tiny_encoder

LINES = ["A man is eating food.", "The girl is carrying a baby.", "Someone eats a piece of bread."]
TINY_LINES = ["the cat sat on the mat !", "a dog", "hello"]
REFERENCE = json.loads(
    (Path(__file__).parent / "golden" / "minilm_vectors.json").read_text(encoding="utf-8")
)["rows"]


@pytest.fixture
def mini(session, minilm):
    """The real MiniLM in the session, from its folder with modules.json."""
    hf.load(minilm, name="mini")
    return session["mini"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "encoder")


@pytest.fixture
def folder(session, encoder, tmp_path):
    """A headless tiny BERT that a test may describe."""
    return shutil.copytree(encoder, tmp_path / "encoder")


def load(folder) -> None:
    hf.load(str(folder), name="tiny", replace=True)


def ran_code(result) -> torch.Tensor:
    """Run the result's code, and return its embeddings."""
    made = run_home(result.code)
    return made["embeddings"]


def tables(result) -> list[Table]:
    return [part for part in result.page().parts if isinstance(part, Table)]


def sentences(result) -> list[str]:
    return [part.text for part in result.page().parts if isinstance(part, Text)]


def _mask(lines) -> torch.Tensor:
    tokenizer = hf.session.current.tokenizer
    return tokenizer(lines, padding=True, return_tensors="pt")["attention_mask"]


def by_hand(loaded, lines, *, limit: int) -> np.ndarray:
    """Each line alone through the model, so that nothing is padded: the mean, at length 1."""
    vectors = []
    for line in lines:
        batch = loaded.tokenizer(line, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            vectors.append(loaded.model(**batch).last_hidden_state[0].mean(dim=0).numpy())
    return np.stack([vector / np.linalg.norm(vector) for vector in vectors])


def test_vectors_are_those_of_sentence_transformers(mini):
    """MiniLM's vectors of mixed lengths, over 256 tokens too, equal sentence-transformers' own."""
    texts = [row["text"] * row["times"] for row in REFERENCE]
    result = hf.infer(texts)
    assert result.task == "embed"
    expected = np.array([row["first"] for row in REFERENCE])
    assert np.abs(result.embeddings[:, :12] - expected).max() < 1e-5
    assert result.embeddings.shape == (len(texts), 384)
    assert result.embeddings.dtype == np.float32
    assert sum("it was cut to 256 tokens" in note for note in notes(result)) == 2


def test_vectors_are_those_of_a_line_alone(mini):
    """Padding changes nothing: every number is that of the mean by hand, to 1e-5."""
    texts = [row["text"] * row["times"] for row in REFERENCE]
    expected = by_hand(mini, texts, limit=256)
    assert np.abs(hf.infer(texts).embeddings - expected).max() < 1e-5


def test_max_length_goes_before_the_files_limit(mini):
    """--max-length takes more than sentence_bert_config.json gives, up to the positions."""
    long = ["a long line " * 120]
    assert hf.infer(long).outputs.last_hidden_state.shape[1] == 256
    more = hf.infer(long, max_length=300)
    assert more.outputs.last_hidden_state.shape[1] == 300
    assert np.abs(more.embeddings - by_hand(mini, long, limit=300)).max() < 1e-5


@pytest.mark.parametrize("value", [LINES, LINES[0]], ids=["lines", "line"])
def test_the_code_gives_the_same_vectors(mini, value):
    """Plain torch after the model's own code: bit by bit."""
    result = hf.infer(value)
    assert torch.equal(ran_code(result), torch.tensor(result.embeddings))
    assert "hf_magics" not in result.code
    assert "max_length=256" in result.code


def test_ids_and_tensors_are_embedded_too(mini):
    """Token IDs and a dictionary of tensors give the vectors of their text."""
    batch = mini.tokenizer(LINES, padding=True, return_tensors="pt")
    expected = hf.infer(LINES).embeddings
    ids = [mini.tokenizer(line)["input_ids"] for line in LINES]
    assert np.abs(hf.infer(ids).embeddings - expected).max() < 1e-6
    assert np.abs(hf.infer(dict(batch)).embeddings - expected).max() < 1e-6
    alone = {"input_ids": torch.tensor([ids[0]])}
    assert np.abs(hf.infer(alone).embeddings[0] - expected[0]).max() < 1e-6


def test_the_default_prompt_is_put_before(folder):
    """The vectors are those of the text with its prompt, a note says so, and the code has it."""
    prompts = {"prompts": {"query": "query : "}, "default_prompt_name": "query"}
    load(describe(folder, "Pooling", shared=prompts))
    prompted = hf.infer(TINY_LINES)
    assert "prompt was put before each text: 'query : '" in " ".join(notes(prompted))
    assert torch.equal(ran_code(prompted), torch.tensor(prompted.embeddings))
    assert [row["text"] for row in prompted.records()] == TINY_LINES
    load(describe(folder, "Pooling", shared={"prompts": {"query": "query : "}}))
    typed = hf.infer([f"query : {line}" for line in TINY_LINES])
    assert np.array_equal(typed.embeddings, prompted.embeddings)
    assert "trained with prompts before the texts: 'query : ' (query)" in " ".join(notes(typed))


def test_token_ids_get_no_prompt(folder):
    """A default prompt can't be put before token IDs: a note says so."""
    prompts = {"prompts": {"query": "query : "}, "default_prompt_name": "query"}
    load(describe(folder, "Pooling", shared=prompts))
    assert "ran without the checkpoint's prompt 'query : '" in " ".join(notes(hf.infer([[2, 3]])))


def test_without_modules_features_stays_the_default(encoder):
    """--task embed then takes the mean, does not normalise, and says so; --pooling means it too."""
    load(encoder)
    assert hf.infer(TINY_LINES).task == "features"
    result = hf.infer(TINY_LINES, task="embed")
    mean = pool(result.outputs.last_hidden_state, _mask(TINY_LINES), SentenceConfig())
    assert np.abs(result.embeddings - mean.numpy()).max() < 1e-6
    assert "no modules.json" in " ".join(notes(result))
    assert "not normalised, and the mean over the tokens" in " ".join(notes(result))
    asked = hf.infer(TINY_LINES, pooling="cls")
    assert asked.task == "embed"
    assert "the mean over" not in " ".join(notes(asked))


def test_a_module_that_is_not_applied_keeps_features(folder):
    """Vectors that are not the checkpoint's own have to be asked for, and say what they are."""
    load(describe(folder, "Pooling", "LSTM"))
    assert hf.infer(TINY_LINES).task == "features"
    assert "LSTM of modules.json is not applied" in " ".join(
        notes(hf.infer(TINY_LINES, task="embed"))
    )


def test_the_page_shows_vectors_and_how_alike_they_are(mini):
    """A row a line with its norm and first values; the cosines tinted with their numbers."""
    result = hf.infer(LINES)
    cosines, vectors = tables(result)
    assert vectors.caption == "Vectors of 384 numbers: mean pooling, normalised"
    assert [row[1] for row in vectors.rows] == LINES
    first = result.embeddings[0]
    assert vectors.rows[0][2:4] == ("1.0000", ", ".join(f"{x:.4f}" for x in first[:3]) + ", …")
    assert isinstance(vectors.rows[0][4], Heat)
    expected = result.embeddings @ result.embeddings.T
    for row, values in zip(cosines.rows, expected, strict=True):
        assert [float(cell.text) for cell in row[2:]] == pytest.approx(values.tolist(), abs=0.00501)
        assert [cell.strength for cell in row[2:]] == pytest.approx(values.tolist(), abs=1e-6)
    assert f"Lines 1 and 3 are the most alike: their cosine is {expected[0, 2]:.4f}." in (
        sentences(result)
    )


def test_one_line_and_two(mini):
    """One line has nothing to be compared with; two have one cosine."""
    assert len(tables(hf.infer("Hello!"))) == 1
    result = hf.infer(LINES[:2])
    cosine = float(result.embeddings[0] @ result.embeddings[1])
    assert f"The cosine of the two lines is {cosine:.4f}." in sentences(result)


def test_many_lines_are_cut_and_said(folder):
    """Ten lines are compared on the page, and it says where the others are; the data has all."""
    load(describe(folder, "Pooling", "Normalize"))
    lines = [f"{'the ' * count}cat" for count in range(1, 13)]
    result = hf.infer(lines, settings=Settings(rows=5))
    cosines, vectors = tables(result)
    assert vectors.left_out == "7 more rows: .df has them all"
    assert (len(vectors.rows), len(cosines.rows), len(cosines.columns)) == (5, 10, 11)
    assert "2 more lines: result.embeddings @ result.embeddings.T" in cosines.left_out
    assert len(result.records()) == 12


@pytest.mark.parametrize("width", [80, 160])
def test_ten_lines_fit_a_terminal(folder, width):
    """The cosines of ten lines stand as a grid, whatever their signs, in 80 columns too."""
    load(describe(folder, "Pooling", "Normalize"))
    drawn = text.render(hf.infer(["the cat"] * 10).page(), width)
    assert "line     1     2" in drawn
    assert max(map(len, drawn.splitlines())) <= width


def test_vectors_of_another_measure_say_so(folder):
    """Where the checkpoint compares otherwise than the page does, a note says how."""
    load(describe(folder, "Pooling", shared={"similarity_fn_name": "dot"}))
    assert "own measure is dot" in " ".join(notes(hf.infer(TINY_LINES)))
    load(describe(folder, "Pooling", "Normalize", shared={"similarity_fn_name": "dot"}))
    assert notes(hf.infer(TINY_LINES)) == []  # of length 1 the two are the same


def test_nan_is_said(folder):
    """A vector that is not finite is named, drawn, and is not the most alike."""
    load(describe(folder, "Pooling", "Normalize"))
    with torch.no_grad():
        rows = hf.session["tiny"].model.embeddings.word_embeddings.weight
        rows[hf.session["tiny"].tokenizer.convert_tokens_to_ids("dog")] = float("nan")
    result = hf.infer(["the cat", "a dog", "the mat"])
    assert "1 vector with NaN or Inf" in " ".join(notes(result))
    assert tables(result)[0].rows[0][3] == Tint("nan", 0.0)
    assert any(line.startswith("Lines 1 and 3 are") for line in sentences(result))
    assert "nan" in html.render(result.page())
    assert "nan" in text.render(result.page(), 80)


def test_the_data_has_a_row_a_line(mini):
    """Line, text, norm and vector; values are the vectors."""
    result = hf.infer(LINES)
    frame = result.df
    assert list(frame.columns) == ["line", "text", "norm", "embedding"]
    assert np.array_equal(np.stack(frame["embedding"]), result.embeddings)
    assert np.array_equal(np.stack(result.values), result.embeddings)


def test_a_tab_makes_a_pair_and_is_said(mini):
    """A pair is embedded as the tokenizer joins it, which a note says."""
    assert "1 line with a tab" in " ".join(notes(hf.infer(["a cat\ta dog", "a cat"])))


def test_the_vectors_count_in_the_budget(shell, minilm):
    """In a notebook the vectors are kept as outputs are, and let go with them."""
    shell.run(f"%hf_load {minilm} -n mini")
    result = shell.run("%hf_infer hello")
    assert result.embeddings.shape == (1, 384)
    hf.session.kept.clear()
    with pytest.raises(EvictedError):
        _ = result.embeddings


def test_by_the_magic(shell, minilm):
    """%hf_infer embeds by default, and takes --pooling."""
    shell.run(f"%hf_load {minilm} -n mini")
    assert shell.run("%hf_infer a cat").task == "embed"
    assert np.array_equal(
        shell.run("%hf_infer --pooling cls a cat").embeddings,
        hf.infer("a cat", pooling="cls").embeddings,
    )
    assert "no pooling 'meam'; did you mean 'mean'?" in shell.error("%hf_infer --pooling meam x")


def test_what_has_no_vector_a_token_is_refused(tiny, session):
    """A head or a model without token vectors says what to type next."""
    tiny("bert", class_="BertForSequenceClassification")
    with pytest.raises(HeadError, match="does not answer embed"):
        hf.infer([[5, 6]], task="embed")
    hf.new("clip", name="clip", **CLIP)
    inputs = {"input_ids": torch.tensor([[1, 2]]), "pixel_values": torch.zeros(1, 3, 8, 8)}
    with pytest.raises(HeadError, match="no vector a token to pool: --task features"):
        hf.infer(inputs, task="embed")


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
CLIP = {
    **{f"text_config.{name}": value for name, value in SMALL.items()},
    **{f"vision_config.{name}": value for name, value in SMALL.items()},
    "vision_config.image_size": 8,
    "vision_config.patch_size": 4,
}
