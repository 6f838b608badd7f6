"""`save`: what is written loads again bit by bit, and lands whole or not at all."""

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForMaskedLM, BertModel

from hf_magics.errors import OptionError, SaveError, SessionNameError
from hf_magics.modeling import comparing, saving
from tests.modeling.test_creating import TYPES, as_words
from tests.modeling.tiny import BERT, DECODER, same, state_of, states_of_scripts, vocabulary


@pytest.fixture
def bert(hf):
    """A tiny random BERT of the session, with the head for masked tokens."""
    return hf.new("bert", name="bert", task="fill-mask", seed=1, **BERT).model


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("model_type", TYPES)
def test_plain_transformers_loads_it_back(hf, tmp_path, model_type):
    """Every bit that was saved comes back through the plain class."""
    made = hf.new(model_type, **as_words(TYPES[model_type][1]))
    saved = hf.save(str(tmp_path / "out"))
    assert same(type(made.model).from_pretrained(tmp_path / "out"), made.model)
    files = {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert saved.files == files
    assert saved.kept == saved.removed == ()


@pytest.mark.parametrize(
    ("model_type", "words"),
    [("gpt2", {"task": "text-generation"}), ("bert", {"task": "fill-mask"})],
)
def test_tied_weights_stay_tied(hf, tmp_path, model_type, words):
    """Weights that are one tensor stand once on disk and are one tensor again."""
    made = hf.new(model_type, **as_words(TYPES[model_type][1]), **words)
    hf.save(str(tmp_path / "out"))
    back = type(made.model).from_pretrained(tmp_path / "out")
    assert same(back, made.model)
    tied = back.get_input_embeddings().weight
    assert back.get_output_embeddings().weight is tied
    on_disk = load_file(tmp_path / "out" / "model.safetensors")
    assert sum(one.shape == tied.shape for one in on_disk.values()) == 1


def test_a_format_that_is_converted_comes_back(hf, tmp_path):
    """A mixture of experts has another form on disk than in memory: compared and reloaded alike."""
    made = hf.new("mixtral", **DECODER | {"num_local_experts": 4})
    hf.save(str(tmp_path / "out"))
    assert same(AutoModel.from_pretrained(tmp_path / "out"), made.model)
    on_disk = load_file(tmp_path / "out" / "model.safetensors")
    assert on_disk.keys() != made.model.state_dict().keys()


def test_the_tokenizer_gives_the_same_ids(hf, minilm, tmp_path):
    """The real MiniLM and its tokenizer come back the same."""
    loaded = hf.load(minilm, name="minilm")
    hf.save(str(tmp_path / "out"), name="minilm")
    texts = ["Hello!", "déjà vu 北京 🙂", "a" * 300, ""]
    back = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert back(texts).input_ids == loaded.tokenizer(texts).input_ids
    assert same(BertModel.from_pretrained(tmp_path / "out"), loaded.model)


def test_half_precision_and_odd_values_come_back(hf, tmp_path):
    """NaN, infinities and minus zero in bfloat16 are bits like others."""
    made = hf.new("bert", dtype="bfloat16", **BERT)
    odd = torch.tensor([float("nan"), float("inf"), -0.0, float("-inf")])
    made.model.embeddings.word_embeddings.weight.data[5, :4] = odd
    hf.save(str(tmp_path / "out"))
    assert same(BertModel.from_pretrained(tmp_path / "out"), made.model)


def test_shards_are_written_and_compared(hf, bert, tmp_path):
    """--max-shard-size splits the weights, which come back whole."""
    saved = hf.save(str(tmp_path / "out"), max_shard_size="40KB")
    shards = [name for name in saved.files if name.endswith(".safetensors")]
    assert len(shards) > 1
    assert same(BertForMaskedLM.from_pretrained(tmp_path / "out"), bert)


def test_the_page_shows_files_and_the_comparison(hf, bert, tmp_path):
    """The page has each file with its size, and says how many tensors are equal."""
    saved = hf.save(str(tmp_path / "out"))
    text = repr(saved)
    assert all(name in text for name in saved.files)
    count = len(load_file(tmp_path / "out" / "model.safetensors"))
    assert f"all {count} tensors on disk equal the weights in memory" in text


@pytest.mark.slow
def test_code_saves_the_same(hf, tmp_path, masked_bert):
    """The plain code of a save writes the same tensors in a fresh process."""
    hf.load(str(masked_bert), name="bert")
    saved = hf.save(str(tmp_path / "out"))
    before = load_file(tmp_path / "out" / "model.safetensors")
    (tmp_path / "out" / "model.safetensors").unlink()
    states_of_scripts({"bert": saved.code}, tmp_path)
    after = load_file(tmp_path / "out" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_code_saves_below_the_home_folder(hf, tmp_path, masked_bert, monkeypatch):
    """Transformers takes ~ for the name of a folder, and so the script makes a path of it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    hf.load(str(masked_bert), name="bert")
    saved = hf.save("~/out")
    assert 'model.save_pretrained(os.path.expanduser("~/out"))' in saved.code
    assert str(tmp_path / "out") not in saved.code


def test_a_folder_with_anything_in_it_is_refused(hf, bert, tmp_path):
    """Without --overwrite a folder that is not empty stays as it is."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SaveError, match="is not empty: --overwrite"):
        hf.save(str(tmp_path))
    assert contents(tmp_path) == {"notes.txt": b"mine"}
    assert names_in(tmp_path) == ["notes.txt"]


def test_an_empty_folder_is_taken(hf, bert, tmp_path):
    """An empty folder is no obstacle."""
    (tmp_path / "out").mkdir()
    hf.save(str(tmp_path / "out"))
    assert same(BertForMaskedLM.from_pretrained(tmp_path / "out"), bert)


@pytest.mark.parametrize("path", ["file", "file/under"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_file_in_the_way_is_never_replaced(hf, bert, tmp_path, path, overwrite):
    """A file at the path, or where a folder should be, is an error and stays."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SaveError, match=r"is a file|can't be written"):
        hf.save(str(tmp_path / path), overwrite=overwrite)
    assert contents(tmp_path) == {"file": b"mine"}


def test_overwrite_leaves_other_files_and_removes_stale_shards(hf, bert, tmp_path):
    """Only checkpoint files are replaced: notes, sub-folders and links stay, old shards go."""
    out = tmp_path / "out"
    hf.save(str(out), max_shard_size="40KB")
    shards = sorted(path.name for path in out.glob("model-*-of-*.safetensors"))
    (out / "notes.txt").write_text("mine")
    (out / "runs").mkdir()
    (out / "runs" / "model.safetensors").write_text("a name like ours, in a folder")
    (out / "link").symlink_to("notes.txt")
    (out / "vocab.txt").write_text("of the model before")
    inode = (out / "notes.txt").stat().st_ino
    saved = hf.save(str(out), overwrite=True)
    assert saved.kept == ("link", "notes.txt", "runs")
    assert "vocab.txt" in saved.removed
    assert "model.safetensors.index.json" in saved.removed
    assert [name for name in saved.removed if "-of-" in name] == shards
    assert all(name in "".join(repr(saved).split()) for name in saved.removed)
    assert names_in(out) == sorted([*saved.files, *saved.kept])
    assert "model.safetensors" in saved.files
    assert (out / "notes.txt").stat().st_ino == inode
    assert (out / "link").read_text() == "mine"
    assert (out / "runs" / "model.safetensors").read_text().startswith("a name like ours")
    assert same(BertForMaskedLM.from_pretrained(out), bert)


def test_a_model_can_overwrite_the_folder_it_came_from(hf, bert, tmp_path):
    """Weights that are mapped from the very file are saved over it."""
    out = tmp_path / "out"
    hf.save(str(out))
    loaded = hf.load(str(out), name="again")
    with torch.no_grad():
        loaded.model.bert.embeddings.word_embeddings.weight.add_(1)
    hf.save(str(out), name="again", overwrite=True)
    assert same(BertForMaskedLM.from_pretrained(out), loaded.model)
    assert not same(loaded.model, bert)


def test_the_folder_one_stands_in_can_be_overwritten(hf, bert, tmp_path, monkeypatch):
    """A notebook that lies in the folder goes on working in it."""
    out = tmp_path / "out"
    hf.save(str(out))
    (out / "notebook.ipynb").write_text("{}")
    monkeypatch.chdir(out)
    hf.save(".", overwrite=True)
    assert out.samefile(".")
    assert Path("notebook.ipynb").read_text() == "{}"
    assert names_in(tmp_path) == ["out"]


def test_what_was_written_is_really_compared(hf, bert, tmp_path, monkeypatch):
    """A tensor that differs on disk by one bit is found, and nothing is replaced."""
    hf.save(str(tmp_path / "out"))
    before = contents(tmp_path / "out")
    write = saving._write

    def flawed(loaded, staging, *rest):
        write(loaded, staging, *rest)
        path = staging / "model.safetensors"
        tensors = load_file(path)
        tensors["bert.encoder.layer.0.output.dense.bias"].view(torch.uint8)[0] ^= 1
        save_file(tensors, path, metadata={"format": "pt"})

    monkeypatch.setattr(saving, "_write", flawed)
    with pytest.raises(SaveError, match=r"not what is in memory.*layer.0.output.dense.bias"):
        hf.save(str(tmp_path / "out"), overwrite=True)
    assert contents(tmp_path / "out") == before
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize("change", ["drop", "add", "cast"])
def test_compare_sees_what_is_missing_or_of_another_kind(bert, tmp_path, change):
    """A tensor too few, too many, or of another dtype is a difference."""
    bert.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    name = "bert.embeddings.LayerNorm.weight"
    changed = {
        "drop": {key: value for key, value in tensors.items() if key != name},
        "add": tensors | {"another": torch.zeros(1)},
        "cast": tensors | {name: tensors[name].to(torch.float64)},
    }
    assert comparing.compare(bert, tmp_path) == len(tensors)
    save_file(changed[change], path, metadata={"format": "pt"})
    with pytest.raises(SaveError, match="another" if change == "add" else name):
        comparing.compare(bert, tmp_path)


def test_saving_changes_nothing_in_memory(hf, bert, tmp_path):
    """The model that was saved is the same object with the same bits and config."""
    before, config = state_of(bert), bert.config.to_dict()
    hf.save(str(tmp_path / "out"))
    assert hf.session["bert"].model is bert
    assert state_of(bert) == before
    written = {"architectures": ["BertForMaskedLM"]}  # save_pretrained itself notes the class
    assert bert.config.to_dict() == config | written


def test_the_tokenizer_of_a_variable_is_saved(hf, tmp_path):
    """A model and tokenizer that were added are both written."""
    tokenizer = transformers.BertTokenizer(vocab=str(vocabulary(tmp_path)))
    hf.add(BertModel(BertConfig(**BERT)), tokenizer, "mine")
    hf.save(str(tmp_path / "out"))
    back = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert back("red foxes jump").input_ids == tokenizer("red foxes jump").input_ids


def test_an_unknown_model_is_named(hf, bert, tmp_path):
    """A name that is not there is an error, and no folder is made."""
    with pytest.raises(SessionNameError, match="no model named 'brt'; loaded: bert"):
        hf.save(str(tmp_path / "out"), name="brt")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("where", [(), ("bert", "another", "out")])
def test_what_is_neither_a_folder_nor_a_model_and_a_folder_is_refused(hf, bert, where):
    with pytest.raises(OptionError, match="a folder, or the name of a model and a folder"):
        hf.save(*where)
