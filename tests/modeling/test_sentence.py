"""What sentence-transformers wrote beside a checkpoint is read, from a folder and from the hub."""

import ast
import shutil

import pytest
import torch

from hf_magics.modeling.sentence import Dense, Normalize, SentenceConfig
from tests.hub.children import hub_environment, run_python
from tests.hub.server import Hub
from tests.modeling.sentences import POOLING, dense, describe, tiny_encoder, write
from tests.modeling.tiny import note_texts


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A headless tiny BERT; not to be written to."""
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "encoder")


@pytest.fixture
def folder(encoder, tmp_path):
    """A copy of it that a test may describe."""
    return shutil.copytree(encoder, tmp_path / "encoder")


def loaded(hf, folder):
    hf.load(str(folder), name="one", replace=True)
    return hf.session["one"].sentence


def refused(hf, folder) -> str:
    """Load a folder whose modules.json can't be followed, and return what is said of it."""
    result = hf.load(str(folder), name="one", replace=True)
    assert hf.session["one"].sentence is None
    return note_texts(result)


def test_the_real_minilm_is_read(hf, minilm):
    """Mean pooling, normalised, 256 tokens; the load page says so."""
    result = hf.load(minilm)
    sentence = hf.session.current.sentence
    assert sentence == SentenceConfig(("mean",), (Normalize(),), 256)
    assert sentence.words() == "mean pooling, normalised, at most 256 tokens"
    assert "mean pooling, normalised, at most 256 tokens" in repr(result)


def test_a_checkpoint_without_modules_has_none(hf, encoder):
    """Nothing is there, nothing is said."""
    result = hf.load(str(encoder))
    assert hf.session.current.sentence is None
    assert "modules.json" not in note_texts(result)
    assert "sentence" not in repr(result)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",)),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, ("cls", "mean")),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, ("mean_sqrt_len",)),
        ({"pooling_mode_max_tokens": True, "pooling_mode_lasttoken": True}, ("max", "last")),
        ({"word_embedding_dimension": 32}, ("mean",)),
        ({"pooling_mode": "lasttoken"}, ("last",)),
        ({"pooling_mode": ["weightedmean", "cls"]}, ("weighted_mean", "cls")),
    ],
    ids=str,
)
def test_poolings_of_old_and_new_checkpoints(hf, folder, config, expected):
    """Flags are joined in sentence-transformers' order, names in their own."""
    assert loaded(hf, describe(folder, "Pooling", pooling=config)).pooling == expected


def test_prompts_and_the_measure_are_read(hf, folder):
    """The default prompt, those with names, and how vectors are compared."""
    shared = {
        "prompts": {"query": "query: ", "document": ""},
        "default_prompt_name": "query",
        "similarity_fn_name": "dot",
    }
    sentence = loaded(hf, describe(folder, "Pooling", own={"do_lower_case": True}, shared=shared))
    assert (sentence.prompt, sentence.similarity) == ("query: ", "dot")
    assert sentence.prompts == {"query": "query: ", "document": ""}
    assert sentence.max_tokens is None
    assert sentence.prepared("A Cat") == "query: a cat"


@pytest.mark.parametrize("pickled", [False, True])
def test_a_dense_layer_is_read(hf, folder, pickled):
    """Its weights come from safetensors or a pickle, its activation by name."""
    describe(folder, "Pooling", "Dense", "Normalize")
    dense(folder / "2_Dense", size=(8, 32), pickled=pickled)
    sentence = loaded(hf, folder)
    layer, last = sentence.steps
    assert isinstance(layer, Dense)
    assert isinstance(last, Normalize)
    assert (layer.activation, layer.weight.shape, layer.bias.shape) == ("Tanh", (8, 32), (8,))
    assert sentence.words() == "mean pooling, dense to 8, normalised, at most 16 tokens"


def test_a_module_that_is_not_applied_is_named(hf, folder):
    """What is not followed is said at the load."""
    describe(folder, "Pooling", "LSTM")
    result = hf.load(str(folder))
    assert hf.session.current.sentence.skipped == ("LSTM",)
    assert "LSTM of modules.json is not applied here" in note_texts(result)


def test_what_cant_be_followed_is_left_aside(hf, folder):
    """The load succeeds, and a note says what is wrong with it."""
    describe(folder, "Pooling", pooling={"pooling_mode": "median"})
    assert "the pooling 'median' is not known here" in refused(hf, folder)
    (folder / "1_Pooling" / "config.json").unlink()
    assert "1_Pooling/config.json is not there" in refused(hf, folder)
    describe(folder, "Normalize")
    assert "it names no pooling" in refused(hf, folder)
    write(folder / "modules.json", {"not": "a list"})
    assert "it is not a list of modules" in refused(hf, folder)
    (folder / "modules.json").write_text("{")
    assert "it is not a list of modules" in refused(hf, folder)
    write(folder / "modules.json", [{"path": "1_Pooling"}])
    assert "modules.json is left aside: KeyError" in refused(hf, folder)


def test_dense_layers_that_cant_be_followed(hf, folder):
    """An activation that is not torch's own is never imported, and lacking weights are named."""
    describe(folder, "Pooling", "Dense")
    dense(folder / "2_Dense", size=(8, 32), activation_function="os.system")
    assert "the activation 'os.system' is not one of torch.nn" in refused(hf, folder)
    dense(folder / "2_Dense", size=(8, 32), use_residual=True)
    assert "2_Dense is of a kind that is not applied" in refused(hf, folder)
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"no weights")
    write(folder / "2_Dense" / "config.json", {})
    assert "model.safetensors can't be read" in refused(hf, folder)
    (folder / "2_Dense" / "model.safetensors").unlink()
    assert "the weights of the dense layer in 2_Dense are not there" in refused(hf, folder)


SHOW = """
import hf_magics as hf
result = hf.load("org/sentences")
made = hf.infer(["the cat", "a dog sat"])
found = hf.session.current.sentence
print([found.words() if found else None, made.task, made.values[0].tolist()])
"""
DENSE_CODE = "code = hf.infer('a cat').code; made = {}; exec(code, made)"


@pytest.mark.slow
def test_a_hub_id_brings_its_modules(folder, tmp_path, hf):
    """Only the files that modules.json names are fetched besides, and the cache has them offline."""
    describe(folder, "Pooling", "Dense", "Normalize")
    dense(folder / "2_Dense", size=(8, 32))
    write(folder / "3_Normalize" / "unused.json", {})
    hf.load(str(folder))
    expected = hf.infer(["the cat", "a dog sat"]).values[0]
    with Hub() as hub:
        hub.add("org/sentences", folder)
        env = hub_environment(hub.url, tmp_path)
        online = shown(run_python(SHOW, env))
        commit = hub.commit("org/sentences")
        asked = {path.partition(f"{commit}/")[2] for _, path in hub.requests}
        code = run_python(SHOW + DENSE_CODE + CHECK, env)
    offline = shown(run_python(SHOW, env | {"HF_HUB_OFFLINE": "1"}))
    assert {"1_Pooling/config.json", "2_Dense/model.safetensors"} <= asked
    assert "3_Normalize/unused.json" not in asked
    assert online == offline
    words, task, vector = online
    assert (words, task) == (hf.session.current.sentence.words(), "embed")
    assert torch.allclose(torch.tensor(vector), torch.tensor(expected), atol=1e-6)
    assert code.returncode == 0, code.stderr


CHECK = """
import torch
assert torch.equal(made["embeddings"], torch.tensor(hf.infer("a cat").embeddings))
assert "hf_hub_download" in code
"""


def shown(done) -> list:
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


def test_a_saved_copy_embeds_as_the_original_did(hf, folder, tmp_path):
    """The pooling, the dense layer and the limits go along: the vectors are the same."""
    describe(folder, "Pooling", "Dense", "Normalize")
    dense(folder / "2_Dense", size=(8, 32))
    hf.load(str(folder), name="first")
    wanted = hf.infer(["the cat", "a dog sat"]).embeddings
    saved = hf.save("first", str(tmp_path / "copy"))
    assert {"modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors"} <= set(
        saved.files
    )
    hf.load(str(tmp_path / "copy"), name="second")
    assert (hf.infer(["the cat", "a dog sat"]).embeddings == wanted).all()


def test_a_model_with_a_head_is_saved_without_them(hf, folder, tmp_path):
    """It does not embed; and where it replaces one that did, those files go."""
    describe(folder, "Pooling")
    hf.load(str(folder), name="first")
    hf.save("first", str(tmp_path / "copy"))
    hf.load(str(folder), name="head", class_="BertForMaskedLM")
    saved = hf.save("head", str(tmp_path / "copy"), overwrite=True)
    assert "modules.json" in saved.removed
    assert not (tmp_path / "copy" / "modules.json").exists()


def test_modules_outside_of_the_checkpoint_are_not_read(hf, folder):
    """A path that leaves the folder is refused, whatever lies there."""
    describe(folder, "Pooling")
    write(folder.parent / "elsewhere" / "config.json", {"pooling_mode_cls_token": True})
    kind = "sentence_transformers.models.Pooling"
    for path in ("../elsewhere", str(folder.parent / "elsewhere")):
        write(folder / "modules.json", [{"path": path, "type": kind}])
        assert "is not inside of the checkpoint" in refused(hf, folder)


@pytest.mark.parametrize("default", ["query", None])
def test_a_pooling_without_the_prompt_is_named(hf, folder, default):
    """A prompt that is not pooled over is not done here; without a default prompt it is the same."""
    shared = {"prompts": {"query": "query: "}, "default_prompt_name": default}
    describe(folder, "Pooling", pooling=POOLING | {"include_prompt": False}, shared=shared)
    hf.load(str(folder))
    named = ("Pooling without the prompt",) if default else ()
    assert hf.session.current.sentence.skipped == named
    assert hf.infer("a cat").task == ("features" if default else "embed")
