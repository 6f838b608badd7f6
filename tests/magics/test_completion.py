"""What Tab offers in a line: options, their values, and the names of the session and the notebook."""

import gzip
from pathlib import Path

import pytest
import transformers

from hf_magics.inference.tasks import TASKS as ANSWERS
from hf_magics.magics.magics import HFMagics
from hf_magics.modeling.heads import TASKS

NAMES = sorted({**HFMagics.magics["line"], **HFMagics.magics["cell"]})


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
        ("%hf_infer --keep ", ["mean", "last", "all"]),
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
        *("%hf_drop other t", "%%hf_tokens -m tiny -m t", "%hf_compare t", "%hf_compare other t"),
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


def test_nothing_is_offered_inside_of_a_text(tiny, tab):
    """Neither options nor names, once the text has begun."""
    for line in ("%hf_infer hello -", "%hf_tokens -m tiny a --mo", "%hf_infer hello -m t"):
        assert not [one for one in tab(line) if "--model" in one or one.endswith("tiny")]


@pytest.mark.parametrize("word", ["~nobody_here/x", "/no/such/x", "%hf", '"', "[", "$x"])
def test_tab_never_fails(tab, capsys, word):
    """A path that can't be one, or half a word, offers nothing and prints nothing."""
    for magic in ("hf_load", "hf_new x", "hf_config", "hf_infer", "hf_save", "hf_load --class"):
        assert all("Traceback" not in one for one in tab(f"%{magic} {word}"))
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


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


def test_modules_are_offered_as_patterns(tab, tiny):
    """Those of the current model, or of the one that the line names; blocks that repeat once."""
    line = "%hf_infer --capture encoder.layer.*.att"
    assert f"{line}ention.self" in tab(line)
    named = "%hf_infer -m tiny --capture pool"
    assert tab(named) == [f"{named}er", f"{named}er.dense", f"{named}er.activation"]
    assert tab("%hf_infer -m nobody --capture pool") == []
