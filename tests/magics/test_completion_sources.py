"""What Tab offers of models on disk, in the cache and in transformers: sources, types, classes, fields."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
import transformers
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from hf_magics.modeling import catalog, load_options
from tests.hub.children import hub_environment, run_python

OWN = {one.name for one in dataclasses.fields(transformers.PreTrainedConfig)}


def test_the_source_may_be_in_a_variable(shell, tab, minilm, tmp_path):
    """Its fields and classes are offered all the same, those of every type where it is unknown."""
    shell.names.update(text=minilm, path=Path(minilm), new=f"{tmp_path}/none", other=object())
    for name in ("text", "path"):
        assert tab(f"%hf_load ${name} hidden_d") == [f"%hf_load ${name} hidden_dropout_prob="]
        found = tab(f"%hf_load ${name} --class BertFor")
        assert f"%hf_load ${name} --class BertForMaskedLM" in found
        assert tab(f"%hf_load ${name} --class GPT2L") == []
    for name in ("new", "other", "not_there"):
        found = tab(f"%hf_load ${name} --class GPT2LM")
        assert found == [f"%hf_load ${name} --class GPT2LMHeadModel"]


def test_the_classes_of_every_type_are_those_of_the_auto_classes():
    """Every class that one of them can give, and nothing else."""
    named = vars(modeling_auto).items()
    tables = [table for name, table in named if re.fullmatch(r"MODEL_\w+NAMES", name)]
    listed = [name for table in tables for name in table.values()]
    single = {name for name in listed if isinstance(name, str)}
    several = {one for name in listed if not isinstance(name, str) for one in name}
    found = set(catalog.all_classes())
    assert len(found) > 500
    assert single <= found <= single | several


def test_what_a_load_passes_on_is_offered(tab):
    """``--set`` offers what ``from_pretrained`` takes, without what has an option of its own."""
    offered = {one.removeprefix("%hf_load a --set ") for one in tab("%hf_load a --set ")}
    assert offered == {f"{name}=" for name in catalog.LOAD_ARGUMENTS}
    assert tab("%hf_load a --set sub") == ["%hf_load a --set subfolder="]
    assert not offered & {f"{name}=" for name in {*load_options._RESERVED, *load_options._ALWAYS}}
    taken = transformers.PreTrainedModel.from_pretrained
    words = re.findall(r"\w+", inspect.getsource(taken))
    assert set(catalog.LOAD_ARGUMENTS) <= set(words)


def test_the_nearest_come_first(tiny, tab, tmp_path, monkeypatch, hub_cache):
    """A config's target: the session's models, then folders, the cache's models, then types."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t_folder").mkdir()
    hub_cache("t_cached")
    found = [one.removeprefix("%hf_config ") for one in tab("%hf_config t")]
    assert found[:3] == ["tiny", "t_folder/", "t_cached"]
    assert set(found[3:]) == {one for one in catalog.model_types() if one.startswith("t")}


def test_cached_ids_are_offered(hub_cache, tab):
    """The repositories of the hub's cache, found by their folders."""
    hub_cache("bert-base-cased")
    hub_cache("somebody/bert-two")
    assert "%hf_load bert-base-cased" in tab("%hf_load bert-b")
    assert tab("%hf_load somebody/") == ["%hf_load somebody/bert-two"]
    assert "%hf_config somebody/bert-two" in tab("%hf_config some")


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_the_cache_is_where_the_hub_client_has_it(tmp_path, variable):
    """Each variable that moves the cache moves what Tab looks at."""
    code = (
        "from huggingface_hub import constants; from hf_magics.modeling import catalog\n"
        "assert str(catalog._cache()) == constants.HF_HUB_CACHE, catalog._cache()"
    )
    env = hub_environment("http://127.0.0.1:9", tmp_path)
    del env["HF_HOME"]
    run_python(code, env | {variable: str(tmp_path / "elsewhere")})
    run_python(code, env)


def test_folders_and_gguf_files_are_offered(tmp_path, monkeypatch, tab):
    """Folders end in a slash; other files and hidden folders are not offered."""
    monkeypatch.chdir(tmp_path)
    for folder in ("models/bert", "models/bart", "models/.hidden"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("models/b.gguf", "models/b.txt"):
        (tmp_path / file).touch()
    found = {f"%hf_load models/{name}" for name in ("bart/", "bert/", "b.gguf")}
    assert set(tab("%hf_load models/b")) == found
    assert tab("%hf_load mod") == ["%hf_load models/"]
    assert "%hf_save models/" in tab("%hf_save mod")
    assert [one for one in tab("%hf_load models/") if "hidden" in one] == []
    assert tab(f"%hf_load {tmp_path}/mod") == [f"%hf_load {tmp_path}/models/"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tab("%hf_load ~/mod") == ["%hf_load ~/models/"]


def test_the_fields_of_a_folder_are_offered(minilm, tab):
    """``%hf_load SOURCE`` knows the type from the folder's own config."""
    assert f"%hf_load {minilm} hidden_dropout_prob=" in tab(f"%hf_load {minilm} hidden_d")
    assert f"%hf_load {minilm} --class BertForMaskedLM" in tab(
        f"%hf_load {minilm} --class BertForMa"
    )


def test_the_fields_of_a_cached_id_are_offered(hub_cache, tab):
    """And from the config of a cached repository."""
    hub_cache("somebody/two", '{"model_type": "gpt2"}')
    assert tab("%hf_load somebody/two n_hea") == ["%hf_load somebody/two n_head="]


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "xlm-roberta", "clip_text_model", "t5"])
def test_the_fields_are_those_of_transformers(kind):
    """Read from the source, they are the dataclass fields that importing it gives."""
    fields = {one.name for one in dataclasses.fields(CONFIG_MAPPING[kind])}
    found = {name for name, _ in catalog.config_fields(kind)}
    assert found - {"num_labels"} == fields - (OWN - found)
    assert all(takes for _, takes in catalog.config_fields(kind))


def test_the_types_are_those_of_transformers():
    """Every model type that transformers has, and nothing else."""
    assert set(catalog.model_types()) == set(CONFIG_MAPPING_NAMES)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "xlm-roberta", "t5"])
def test_the_classes_are_classes(kind):
    """Each class that is offered for a type is one of transformers'."""
    found = catalog.classes(kind)
    assert len(found) > 3
    assert [name for name in found if not hasattr(transformers, name)] == []


def test_adapters_are_folders_and_cached_ids(tab, tmp_path, monkeypatch, hub_cache):
    """What may be one: never a model of the session."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_lora").mkdir()
    hub_cache("my_cached")
    found = tab("%hf_load base --adapter my_")
    assert found == [f"%hf_load base --adapter {one}" for one in ("my_cached", "my_lora/")]
    assert tab("%hf_load base --ad") == ["%hf_load base --adapter"]


def test_what_can_not_be_read_offers_nothing(tab, tmp_path, capsys):
    """IPython would show a traceback in the middle of the line."""
    (tmp_path / "config.json").write_text('{"a":' * 100_000, encoding="utf-8")
    tab("%hf_map ~nobody_at_all/a.csv --column ")
    tab(f"%hf_load {tmp_path} hidden")
    assert capsys.readouterr().err == ""
