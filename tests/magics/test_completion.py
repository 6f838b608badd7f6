"""What Tab offers."""

import dataclasses
import gzip
import inspect
import re
from pathlib import Path

import pytest
import transformers
from IPython.core.completer import provisionalcompleter
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from hf_magics.inference.tasks import TASKS as ANSWERS
from hf_magics.magics.magics import HFMagics
from hf_magics.modeling import catalog, reading
from hf_magics.modeling.heads import TASKS
from tests.hub.children import hub_environment, run_python

NAMES = sorted({**HFMagics.magics["line"], **HFMagics.magics["cell"]})
OWN = {one.name for one in dataclasses.fields(transformers.PreTrainedConfig)}


@pytest.fixture
def tab(shell):
    """The lines that Tab could make of a line."""

    def offers(line: str) -> list[str]:
        with provisionalcompleter():
            return [
                line[: one.start] + one.text + line[one.end :]
                for one in shell.ip.Completer.completions(line, len(line))
            ]

    return offers


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_offered(tab, name):
    """Each spelling of each option of each magic."""
    offered = tab(f"%{name} -")
    for action in getattr(HFMagics, name).parser._actions:
        for option in action.option_strings:
            assert f"%{name} {option}" in offered


@pytest.mark.parametrize("start", ["%hf_load --de", "x = %hf_load --de", "  %hf_load a --de"])
def test_an_option_is_completed_wherever_the_magic_stands(tab, start):
    """Also behind an assignment or an indentation; nothing else is offered then."""
    assert tab(start) == [f"{start}vice"]


def test_cell_magics_complete_as_line_magics_do(tab):
    """``%%hf_infer`` has the options of ``%hf_infer``, on its first line."""
    assert "%%hf_infer --max-length" in tab("%%hf_infer --max")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%hf_load a --dtype ", ["auto", "float32", "bfloat16", "float16"]),
        ("%hf_load a --device ", ["auto", "cpu", "cuda", "mps"]),
        ("%hf_load a --attn ", ["eager", "sdpa"]),
        ("%hf_tokens --padding ", ["longest", "max_length"]),
        ("%hf_load a --task ", list(TASKS)),
        ("%hf_new bert --task fill", ["fill-mask"]),
        ("%hf_infer --task ", list(ANSWERS)),
        ("%hf_infer --aggregate ", ["first", "average", "max"]),
        ("%hf_generate --set repet", ["repetition_penalty="]),
        ("%hf_chat --te", ["--temperature"]),
        ("%hf_new bert --class BertForM", ["BertForMaskedLM", "BertForMultipleChoice"]),
        ("%hf_new -n x bert --class BertForM", ["BertForMaskedLM", "BertForMultipleChoice"]),
        ("%hf_load a --class AutoModelForMas", ["AutoModelForMaskedLM"]),
        ("%hf_new ber", ["bert", "bert-generation"]),
        ("%hf_config xlm-rob", ["xlm-roberta", "xlm-roberta-xl"]),
        ("%hf_new bert num_hidden", ["num_hidden_layers="]),
        ("%hf_new bert -n x vocab_size=3 hidden_s", ["hidden_size="]),
        ("%hf_new -n x bert num_lab", ["num_labels="]),
    ],
)
def test_values_are_offered(tab, line, offered):
    """Choices, tasks, classes, types and fields."""
    start = line[: line.rfind(" ") + 1]
    found = tab(line)
    assert {start + one for one in offered} <= set(found)
    assert all(one.startswith(line) for one in found)


def test_the_tasks_of_an_inference_are_those_there_are(tab):
    """``%hf_infer --task`` offers every task that can be shown, and no other."""
    offered = tab("%hf_infer --task ")
    assert sorted(offered) == sorted(f"%hf_infer --task {name}" for name in ANSWERS)


def test_session_names_are_offered(tiny, tab):
    """Wherever the name of a model can stand."""
    for line in (
        *("%hf_use t", "%hf_drop t", "%hf_save t", "%hf_config t", "%hf_infer -m t"),
        *("%hf_tokens --model t", "%hf_config bert --vs t", "%hf_new bert --tokenizer t"),
        *("%hf_drop other t", "%%hf_tokens -m tiny -m t"),
    ):
        assert f"{line}iny" in tab(line), line


def test_every_field_of_a_generation_is_offered(tab):
    """``--set`` of what writes offers what transformers' own config has, and nothing else."""
    fields = {name for name in vars(transformers.GenerationConfig()) if not name.startswith("_")}
    assert {one.rpartition(" ")[2][:-1] for one in tab("%hf_generate --set ")} == fields


def test_the_columns_of_a_map_are_offered(shell, tab, tmp_path, monkeypatch):
    """Variables and files, the columns of a table, of a dataset and of each kind of file."""
    import datasets
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"text": ["a"], "the id": [1], "tag": ["b"]})
    shell.names["frame"] = frame
    shell.names["rows"] = datasets.Dataset.from_pandas(frame)
    frame.to_csv("films.csv", index=False)
    frame.to_csv("films.tsv.gz", index=False, sep="\t")
    frame.to_json("films.jsonl", orient="records", lines=True)
    frame.to_parquet("films.parquet")
    Path("films.txt").write_text("a\n")
    Path("films.doc").write_text("a\n")
    Path("broken.parquet").write_text("a\n")
    files = ("films.csv", "films.jsonl", "films.parquet", "films.tsv.gz", "films.txt")
    assert tab("%hf_map fil") == [f"%hf_map {one}" for one in files]
    assert "%hf_map frame" in tab("%hf_map fr")
    assert tab("%hf_map frame.t") == ["%hf_map frame.text", "%hf_map frame.tag"]
    for table in ("frame", "rows", *files[:4]):
        start = f"%hf_map {table} --column "
        assert tab(start) == [start + one for one in ("text", "'the id'", "tag")], table
    for table in ("films.txt", "broken.parquet", "no_such", "fil"):
        assert not any("--column t" in one for one in tab(f"%hf_map {table} --column t"))
    assert "%hf_map frame.text --task embed" in tab("%hf_map frame.text --task em")


@pytest.mark.parametrize("name", ["long.csv", "long.jsonl", "long.csv.gz"])
def test_a_file_without_an_end_of_line_is_not_read_at_tab(tab, tmp_path, name):
    """Columns are looked for in a first line of 1 MiB at most: Tab must not wait for gigabytes."""
    opener = gzip.open if name.endswith(".gz") else open
    for size, is_offered in ((2**19, True), (2**21, False)):
        first = f'{{"text": "{"a" * size}"}}' if "jsonl" in name else f"text,{'a' * size}"
        with opener(tmp_path / name, "wt") as file:
            file.write(first)
        start = f"%hf_map {tmp_path / name} --column t"
        assert (f"{start}ext" in tab(start)) is is_offered, size


def test_variables_are_offered(shell, tab):
    """For ``-i``, ``-o`` and ``--tokenizer``: the user's own, none of IPython's."""
    shell.names["my_texts"] = ["a"]
    for line in (
        *("%hf_infer -i ", "%hf_tokens --input ", "%hf_load a --tokenizer "),
        *("%hf_infer --context ", "%hf_generate -i "),
    ):
        assert f"{line}my_texts" in tab(line)
        assert f"{line}get_ipython" not in tab(line)


def test_variables_are_offered_behind_a_dollar_sign(shell, tab):
    """Wherever a word expands: as a source, an option's value, in a text; only the user's own."""
    shell.names["my_folder"] = "./x"
    for magic in ("hf_load", "hf_save", "hf_load a --tokenizer", "hf_infer", "hf_infer some text"):
        assert tab(f"%{magic} $my") == [f"%{magic} $my_folder"]
        assert f"%{magic} $get_ipython" not in tab(f"%{magic} $")


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
    assert not offered & {f"{name}=" for name in {*reading._RESERVED, *reading._ALWAYS}}
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


def test_nothing_is_offered_inside_of_a_text(tiny, tab):
    """Neither options nor names, once the text has begun."""
    for line in ("%hf_infer hello -", "%hf_tokens -m tiny a --mo", "%hf_infer hello -m t"):
        assert not [one for one in tab(line) if "--model" in one or one.endswith("tiny")]


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


@pytest.mark.parametrize("word", ["~nobody_here/x", "/no/such/x", "%hf", '"', "[", "$x"])
def test_tab_never_fails(tab, capsys, word):
    """A path that can't be one, or half a word, offers nothing and prints nothing."""
    for magic in ("hf_load", "hf_new x", "hf_config", "hf_infer", "hf_save", "hf_load --class"):
        assert all("Traceback" not in one for one in tab(f"%{magic} {word}"))
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


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


def test_the_kernel_completes(kernel):
    """Tab in a notebook: options, types, fields and choices, in the place of the word."""
    assert "%hf_load --device" in kernel.offers("%hf_load --dev")
    assert "%hf_new bert hidden_size=" in kernel.offers("%hf_new bert hidden_s")
    assert "%hf_new bert" in kernel.offers("%hf_new ber")
    assert "%%hf_infer --max-length" in kernel.offers("%%hf_infer --max-l")
    assert "%hf_load" in kernel.offers("%hf_lo")


def test_the_kernel_shows_the_usage(kernel):
    """Shift-Tab and ``?`` in a notebook show every option, and so does ``--help``."""
    pager = kernel.sent("%hf_load?")[0]["payload"][0]["data"]["text/plain"]
    for shown in (pager, kernel.help("%hf_load"), kernel.text("%hf_load --help")):
        assert "--trust-remote-code" in shown
        assert "%hf_load SOURCE" in shown
