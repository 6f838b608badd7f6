"""Checkpoints that are damaged, or meant to do harm: one line each, and nothing else happens."""

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_magics as hf
from hf_magics.errors import HFMagicsError
from tests.hostile.changes import SIZES, WEIGHTS, outside, sound, written
from tests.hostile.corpus import FLAGGED, REFUSED
from tests.hostile.measuring import memory

_watched: list[str] = []
_opened: list[str] = []


def _note_opened(event: str, arguments: tuple) -> None:
    """Note what Python opens of the place that is watched; an audit hook stays for good."""
    if event == "open" and _watched and str(arguments[0]).startswith(_watched[0]):
        _opened.append(str(arguments[0]))


sys.addaudithook(_note_opened)


@pytest.fixture
def here(session):
    """A session with a model in it, which what goes wrong has to leave alone."""
    hf.new("bert", name="other", seed=1, **SIZES)
    return session


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_line(here, tmp_path, name):
    """The line names the file; the session, the memory and what lies around are as before."""
    folder = sound(tmp_path / "model")
    beside = outside(folder)
    said = REFUSED[name](folder)
    models, steps, before = list(here), len(here.steps), memory()
    _watched[:], _opened[:] = [str(beside)], []
    try:
        with pytest.raises(HFMagicsError) as caught:
            hf.load(str(folder), name="it")
    finally:
        _watched.clear()
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert len(text) < 600 + 2 * len(str(folder))
    assert _opened == []
    assert not (tmp_path / "ran").exists()
    assert (list(here), len(here.steps)) == (models, steps)
    caught.value.__traceback__ = None
    assert memory() - before < 50_000_000
    assert hf.load(str(sound(tmp_path / "again")), name="it").name == "it"


@pytest.mark.parametrize("name", FLAGGED)
def test_what_loads_and_is_wrong_is_on_the_page(here, tmp_path, name):
    """When it is loaded, when it is shown again, and with what it gives."""
    folder = sound(tmp_path / "model")
    said = FLAGGED[name](folder)
    loaded = hf.load(str(folder), name="it")
    assert said in str(loaded).replace("\n", " ")
    if "nobody" in said:
        return  # the weights are right
    for again in (hf.load(str(folder), name="it"), hf.infer("red fox", task="features")):
        assert said in str(again).replace("\n", " ")


@pytest.mark.parametrize("name", ["preprocessor_config.json", "modules.json"])
def test_a_file_beside_that_is_nested_too_deep_is_left_aside(here, tmp_path, name):
    """The model needs neither: Python's own limit is no error of the load."""
    folder = sound(tmp_path / "model")
    written(name, '{"a":' * 100_000)(folder)
    assert hf.load(str(folder), name="it").name == "it"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return sound(tmp_path_factory.mktemp("sound") / "model")


VALUES = st.one_of(
    st.sampled_from([-1, 0, 1, 3, 2**31, 2**63, 10**30, 1e308, 0.5, "", "x", "../x", None, True]),
    st.recursive(
        st.integers(-4, 64) | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=4,
    ),
)
QUIET = settings(
    max_examples=int(os.environ.get("HF_MAGICS_EXAMPLES", "60")),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check_load(folder: Path) -> None:
    """Load a folder: a model, or one line."""
    said = "a model"
    try:
        hf.load(str(folder), name="it", replace=True)
    except HFMagicsError as error:
        said = str(error)
    assert said
    assert "\n" not in said


@QUIET
@given(at=st.integers(0, 7_000), with_=st.binary(min_size=1, max_size=9), cut=st.booleans())
def test_bytes_of_the_weights_can_be_anything(here, folder, at, with_, cut):
    """Overwritten in any place, in the header or behind, or with others put in between."""
    path = folder / WEIGHTS
    raw = path.read_bytes()
    try:
        path.write_bytes(raw[:at] + with_ + raw[at + (0 if cut else len(with_)) :])
        check_load(folder)
    finally:
        path.write_bytes(raw)


FIELDS = [
    *SIZES,
    *(
        "model_type",
        "architectures",
        "dtype",
        "hidden_act",
        "id2label",
        "num_labels",
        "pad_token_id",
    ),
    *("attn_implementation", "_attn_implementation", "auto_map", "tie_word_embeddings"),
    *(
        "problem_type",
        "layer_norm_eps",
        "is_decoder",
        "quantization_config",
        "transformers_version",
    ),
]


@QUIET
@given(changed=st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=2))
def test_fields_of_the_config_can_be_anything(here, folder, changed):
    path = folder / "config.json"
    raw = path.read_text()
    try:
        path.write_text(json.dumps({**json.loads(raw), **changed}))
        check_load(folder)
    finally:
        path.write_text(raw)
