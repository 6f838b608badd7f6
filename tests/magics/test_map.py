"""``%hf_map`` in a real shell: what is bound, and what is one line."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hf_magics as hf
from tests.inference.mapping.rows import TINY

TEXTS = ["good", "", "fine", None]


@pytest.fixture
def small(shell, minilm):
    """A tiny BERT, and a table of texts."""
    hf.new("bert", name="small", seed=0, tokenizer=minilm, **TINY)
    shell.names["df"] = pd.DataFrame({"text": TEXTS})
    return shell


def test_the_answers_become_a_column(small):
    """In the order of the rows, nothing where a row failed; a table of polars has it too."""
    small.run("%hf_map df.text -o df.vector --task embed")
    vectors = np.stack(small.names["df"]["vector"])
    expected = hf.map(TEXTS, task="embed").embeddings
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert np.isnan(vectors[[1, 3]]).all()
    small.names["frame"] = pl.DataFrame({"text": TEXTS})
    small.run("%hf_map frame --column text -o frame.vector --task embed")
    assert small.names["frame"].columns == ["text", "vector"]
    small.run("%hf_map df.text -o found --task embed")
    assert list(small.names["found"].errors) == [1, 3]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "IN"),
        ("no_such --task embed", "no_such"),
        ("dff.text --task embed", "did you mean 'df'?"),
        ("df.txet --task embed", "DataFrame has no 'txet'; did you mean 'text'?"),
        ("df.words --task embed", "DataFrame has no 'words'; it has text"),
        ("df.text --task embed --batch-tokens 0", "at least 1"),
        ("df.text --task embed -o short.vector", "short has 1 row"),
        ("series -o short.vector --task embed", "short has 1 row"),
        ("array -o short.vector --task embed", "short has 1 row"),
        ("df.text --task embed --strict", "row 1 is empty"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_run(small, line, said):
    """Also where the answers would not fit into the table that they are to become a column of."""
    small.names["short"] = pd.DataFrame({"text": ["one"]})
    small.names["series"] = pl.Series("text", TEXTS)
    small.names["array"] = np.array(["a", "b"])
    passes = []
    hf.session["small"].model.register_forward_pre_hook(lambda *_: passes.append(1))
    told = small.error(f"%hf_map {line}")
    assert said in told
    assert not passes
