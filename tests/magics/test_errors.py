"""Bad input: one line that names the thing and says what to type; the session as it was."""

import contextlib
import errno
import sys

import pytest
from huggingface_hub import constants

from hf_magics.modeling import saving
from tests.magics.words import tiny_line


@pytest.fixture
def fails(tiny, session):
    """The line that a cell fails with, after a look at the session that it may not have changed."""

    def line(cell: str) -> str:
        before = picture(session)
        message = tiny.error(cell)
        assert picture(session) == before
        assert len(message) < 500
        return message

    return line


def picture(session) -> tuple:
    models = [(name, id(session[name].model), session[name].asked) for name in session]
    return models, session.current_name, list(session.log), session.kept.nbytes


def test_a_folder_that_is_not_there(fails, tmp_path, monkeypatch):
    """A path that looks like one is a missing folder, and the nearest that exists is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model").mkdir()
    says = fails("%hf_load ./my_modle")
    assert "./my_modle" in says
    assert "my_model'" in says


def test_a_hub_id_without_a_network(fails, monkeypatch, hub_cache, tmp_path):
    """The hub can't be reached: the line says so, and names the nearest id of the cache."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    hub_cache("bert-base-cased")
    says = fails("%hf_load bert-base-csaed")
    for part in ("bert-base-csaed", "can't be reached", "bert-base-cased"):
        assert part in says


def test_offline_and_not_cached(fails):
    """With ``--offline`` the line says that nothing was asked."""
    says = fails("%hf_load somebody/nothing --offline")
    assert "somebody/nothing" in says
    assert "offline" in says


def test_a_folder_without_a_checkpoint(fails, tmp_path):
    """An empty folder is named, with what is missing in it."""
    assert str(tmp_path) in fails(f'%hf_load "{tmp_path}"')


def test_a_task_that_the_architecture_does_not_have(fails):
    """The tasks that it has are listed."""
    says = fails("%hf_new bert --task image-classification")
    assert "image-classification" in says
    assert "fill-mask" in says
    assert "did you mean 'fill-mask'" in fails("%hf_new bert --task fill-maks")


def test_an_unknown_class(fails):
    """The nearest class is named."""
    says = fails("%hf_new bert --class BertForMaskLM")
    assert "BertForMaskLM" in says
    assert "BertForMaskedLM" in says


def test_an_unknown_type(fails):
    """The nearest type is named."""
    assert "bert" in fails("%hf_new brt")


def test_an_unknown_field(fails):
    """The nearest field is named."""
    assert "did you mean 'hidden_size'" in fails("%hf_new bert hiden_size=3")


def test_sizes_that_disagree(fails):
    """Both fields are named, with sizes that would fit."""
    says = fails("%hf_new bert hidden_size=100 num_attention_heads=12")
    assert "hidden_size=100" in says
    assert "num_attention_heads=12" in says


def test_text_without_a_tokenizer(tiny, fails):
    """The model is named, and how to give it a tokenizer."""
    tiny.run(tiny_line("mute"))
    for magic in ("%hf_infer hello", "%hf_tokens hello"):
        says = fails(magic)
        assert "mute" in says
        assert "--tokenizer" in says


def test_empty_text(tiny, fails):
    """No text at all, and an empty list."""
    tiny.names.update(nothing=[], blank="")
    for line in ("%hf_infer", "%hf_infer -i nothing", "%hf_tokens -i nothing"):
        assert "text" in fails(line)


@pytest.mark.parametrize("value", [None, 3.5, [None, "a"], ["a", 3], [1.5], {"a": 1}, object()])
def test_text_that_is_not_text(tiny, fails, value):
    """Whatever it is instead is named."""
    tiny.names["given"] = value
    kinds = (
        "NoneType",
        "None",
        "float",
        "int",
        "3",
        "1.5",
        "'a'",
        "object",
        "a is none",
        "input_ids",
    )
    for magic in ("%hf_infer", "%hf_tokens"):
        says = fails(f"{magic} -i given")
        assert any(kind in says for kind in kinds), says


def test_an_id_outside_of_the_vocabulary(tiny, fails):
    """The ID and the vocabulary's size are named."""
    for ids in ([[101, 99999, 102]], [[-1]]):
        tiny.names["ids"] = ids
        for magic in ("%hf_infer", "%hf_tokens"):
            says = fails(f"{magic} -i ids")
            assert str(ids[0][len(ids[0]) // 2]) in says
            assert "30522" in says.replace(",", "")


@pytest.mark.parametrize("name", ["my model", "1st", "a/b", "-x", "ü b", "", "a\tb", "a:b"])
def test_a_name_with_odd_characters(fails, name):
    """What a name may be made of is said."""
    if name:
        assert "letters, digits" in fails(f'%hf_new bert hidden_size=12 -n "{name}"')
    else:
        assert "needs a value" in fails("%hf_new bert hidden_size=12 -n")


def test_a_name_that_is_taken(fails):
    """``--replace`` and ``-n`` are both offered."""
    says = fails("%hf_new bert hidden_size=12 -n tiny")
    assert "--replace" in says
    assert "-n" in says


def test_a_name_that_nobody_has(fails):
    """The nearest name is offered by every magic that takes one."""
    for line in ("%hf_use tniy", "%hf_drop tniy", "%hf_infer -m tniy x", "%hf_tokens -m tniy x"):
        assert "did you mean 'tiny'" in fails(line)
    assert "tniy" in fails("%hf_save tniy somewhere")
    assert "tniy" in fails("%hf_config tniy --vs tiny")


def test_a_file_in_the_place_of_the_folder(fails, tmp_path):
    """An existing file is always an error, with ``--overwrite`` too."""
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "inner"):
        assert "file" in fails(f'%hf_save "{path}"')
        assert "file" in fails(f'%hf_save "{path}" --overwrite')
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a folder that root can't write")
def test_a_folder_that_cannot_be_written(fails):
    """The folder is named."""
    assert "/proc/nowhere" in fails("%hf_save /proc/nowhere")


def test_a_full_disk(fails, tmp_path, monkeypatch):
    """The line says how much is needed, and the folder is as it was."""

    def no_room(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(saving, "_write", no_room)
    says = fails(f'%hf_save "{tmp_path / "new"}"')
    assert "disk is full" in says
    assert "4.0 MB" in says
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_loaded(shell):
    """The two ways to a model are named."""
    for line in ("%hf_infer x", "%hf_tokens x", "%hf_save x", "%hf_use", "%hf_drop", "%hf_config"):
        says = shell.error(line)
        assert "%hf_load" in says
        assert "%hf_new" in says


def test_a_device_and_a_dtype_that_are_not_there(fails):
    """Both are named, and one that works."""
    assert "--device cpu" in fails("%hf_use tiny --device cuda:77")
    assert "float16" in fails("%hf_use tiny --dtype flaot16")


def test_a_variable_that_is_not_there(fails):
    """For ``-i`` it is named; for ``-o`` a name that can't be one is refused before anything runs."""
    assert "'nope'" in fails("%hf_infer -i nope")
    assert "'a b'" in fails('%hf_infer -o "a b" hello')
    assert "'class'" in fails("%hf_infer -o class hello")


def test_a_model_that_is_none(tiny, fails):
    """``%hf_load -i`` says what the variable holds instead of a model."""
    tiny.names["thing"] = 3
    assert "int" in fails("%hf_load -i thing -n x")


def test_a_failed_cell_stops_the_notebook(kernel):
    """In a notebook the cell is an error, with one line and no traceback."""
    reply, messages = kernel.sent("%hf_use nobody")
    assert (reply["status"], reply["ename"]) == ("error", "UsageError")
    (shown,) = (content for kind, content in messages if kind in {"stream", "error"})
    text = shown.get("text") or "\n".join(shown["traceback"])
    assert len(text.strip().splitlines()) == 1


def test_an_error_that_nobody_expected_keeps_its_traceback(tiny, monkeypatch, capsys):
    """Only errors of ours are one line: a bug can be reported with all there is."""

    def broken(*_args, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("hf_magics.api.models", broken)
    result = tiny.ip.run_cell("%hf_models")
    with contextlib.suppress(ZeroDivisionError):
        result.raise_error()
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "Traceback" in capsys.readouterr().out
