"""A magic and the verb of its name: the same words, the same result, one log of specs."""

import dataclasses
import inspect
import pkgutil

import pytest

import hf_magics as hf
from hf_magics import specs
from hf_magics.magics.magics import HFMagics
from tests.magics.words import SIZES, page_of, tiny_line

MAGICS = sorted({**HFMagics.magics["line"], **HFMagics.magics["cell"]} - {"hf": 0}.keys())
NOTEBOOK_ONLY = {"help", "output", "quiet", "whole", "input"}
SPELLED = {"no_special": "special"}
SCRIPT_ONLY = {"settings", "on_text", "variable", "fields"}
ONLY_ITS_OWN = {"hf_drop": {"notebook"}}
ARGUMENTS = {
    "hf_load": {"source"},
    "hf_new": {"model_type"},
    "hf_config": {"target"},
    "hf_use": {"name"},
    "hf_drop": {"names"},
    "hf_save": {"name", "where"},
    "hf_tokens": {"inputs"},
    "hf_infer": {"inputs"},
    "hf_layers": {"target", "inputs"},
    "hf_attention": {"inputs"},
    "hf_compare": {"name", "other", "inputs"},
    "hf_lens": {"inputs"},
    "hf_score": {"inputs"},
    "hf_map": {"inputs"},
    "hf_generate": {"inputs"},
    "hf_models": set(),
    "hf_chat": {"text"},
    "hf_code": {"name"},
    "hf_explain": {"name"},
}


@pytest.mark.parametrize("name", MAGICS)
def test_each_magic_is_a_verb_with_the_same_words(name):
    """Every option is a keyword of the verb, and every keyword an option or an argument."""
    verb = getattr(hf, name.removeprefix("hf_"))
    words = set(inspect.signature(verb).parameters) - SCRIPT_ONLY - ONLY_ITS_OWN.get(name, set())
    options = {action.dest for action in getattr(HFMagics, name).parser._actions} - NOTEBOOK_ONLY
    assert {SPELLED.get(one, one) for one in options} | ARGUMENTS[name] == words
    assert verb.__name__ in hf.__all__


@pytest.mark.parametrize("name", MAGICS)
def test_the_words_are_explained_on_both_sides(name):
    """A verb's docstring names each of its keywords, where it has several."""
    verb = getattr(hf, name.removeprefix("hf_"))
    words = [one for one in inspect.signature(verb).parameters if one != "notebook"]
    if len(words) > 4:
        assert [one for one in words if f"{one}: " not in verb.__doc__] == []


def test_no_verb_is_hidden_by_a_module():
    """Nothing directly under the package has a verb's name."""
    modules = {one.name for one in pkgutil.iter_modules(hf.__path__)}
    assert modules & set(hf.__all__) == set()
    for name in modules:
        __import__(f"hf_magics.{name}")
    assert all(not inspect.ismodule(getattr(hf, name)) for name in hf.__all__)


def test_a_line_and_a_call_give_the_same_page(tiny, session, tmp_path, minilm):
    """Every verb, called by its magic and by a script, on the same session."""
    given = tiny.names["given"] = ["hello", "cool\tnice"]
    sizes = {name: int(size) for name, size in (one.split("=") for one in SIZES.split())}
    folder = tmp_path / "saved"
    for line, call in (
        ("%hf_models", hf.models),
        ("%hf_config tiny", lambda: hf.config("tiny")),
        ("%hf_config bert --vs gpt2 --all", lambda: hf.config("bert", vs="gpt2", all=True)),
        ("%hf_use tiny --dtype float32", lambda: hf.use("tiny", dtype="float32")),
        ("%hf_tokens hello", lambda: hf.tokens("hello")),
        (
            "%hf_tokens --max-length 3 -i given",
            lambda: hf.tokens(given, max_length=3, variable="given"),
        ),
        ("%%hf_tokens --no-special\na\nb\n", lambda: hf.tokens(["a", "b"], special=False)),
        ("%hf_layers --depth 2", lambda: hf.layers(depth=2)),
        ("%%hf_infer --task features\na\nb c\n", lambda: hf.infer(["a", "b c"], task="features")),
        (f"%hf_save {folder} --overwrite", lambda: hf.save(str(folder), overwrite=True)),
        (f"%hf_load {folder} -n a --replace", lambda: hf.load(str(folder), name="a", replace=True)),
        ("%hf_compare tiny a", lambda: hf.compare("tiny", "a")),
        (
            tiny_line("b", "--seed 1 --replace"),
            lambda: hf.new("bert", name="b", seed=1, replace=True, **sizes),
        ),
        ("%hf_drop b", lambda: (hf.new("bert", name="b", **sizes), hf.drop("b"))[1]),
    ):
        shown = page_of(tiny.run(line))
        spec = session.log[-1]
        assert memory_aside(page_of(call())) == memory_aside(shown), line
        assert session.log[-1] == spec, line


def memory_aside(page: str) -> str:
    """A page of ``drop`` measures the process, which is never the same twice."""
    return page.partition("came back")[0]


def test_each_verb_logs_its_resolved_spec(tiny, session, tmp_path):
    """What was chosen stands in the log, where the line left it open."""
    session.steps.clear()
    tiny.names["folder"] = str(tmp_path / "saved")
    for line in (
        *(tiny_line("two"), "%hf_config", "%hf_use tiny", "%hf_tokens a", "%hf_infer a"),
        *("%hf_save $folder", "%hf_load $folder", "%hf_drop saved", "%hf_models"),
    ):
        tiny.run(line)
    kinds = [type(one) for one in session.log]
    assert kinds == [
        *(specs.NewSpec, specs.ConfigSpec, specs.UseSpec, specs.TokensSpec, specs.InferSpec),
        *(specs.SaveSpec, specs.LoadSpec, specs.DropSpec),
    ]
    new, config, use, tokens, infer, save, load, drop = session.log
    assert (new.head, new.dtype, new.device) == ("BertModel", "float32", "cpu")
    assert dict(new.fields)["hidden_size"] == 32
    assert config.target == "two"
    assert (use.name, tokens.names, infer.name, save.name) == ("tiny", ("tiny",), "tiny", "tiny")
    assert infer.task == "features"
    assert (load.name, load.head, load.dtype) == ("saved", "BertModel", "float32")
    assert drop.names == ("saved",)


def test_a_failed_line_logs_nothing(tiny, session):
    """The log is what was done."""
    before = list(session.log)
    tiny.error("%hf_infer -m nobody hello")
    tiny.error("%hf_save /dev/null")
    assert session.log == before


def test_specs_are_frozen_and_hold_plain_values(tiny, session):
    """Numbers, strings and tuples of them: never a model, a tokenizer or a tensor."""
    tiny.names.update(tok=session["tiny"].tokenizer, ids=[[101, 102]], model=session["tiny"].model)
    tiny.run("%hf_new bert hidden_size=12 num_hidden_layers=1 -n other --tokenizer tok")
    tiny.run("%hf_infer -m tiny -i ids")
    tiny.run("%hf_infer -m tiny --set output_hidden_states=true -i ids")
    tiny.run("%hf_drop tiny")
    tiny.run("%hf_load -i model --tokenizer tok")
    for spec in session.log:
        with pytest.raises(dataclasses.FrozenInstanceError):
            spec.anything = 1
        assert is_plain(dataclasses.astuple(spec)), spec
        hash(spec)


def is_plain(value) -> bool:
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (str, int, float, bool))


def test_the_same_line_again_gives_what_is_there(tiny, session, minilm):
    """Same options, nothing changed: the same model, at once, and no error."""
    tiny.names["folder"] = minilm
    for name, line in (
        ("tiny", tiny_line("tiny", "--tokenizer $folder")),
        ("mini", "%hf_load $folder -n mini"),
        ("model", "%hf_load $folder"),
    ):
        tiny.run(line)
        model = session[name].model
        assert "already" in page_of(tiny.run(line)) or name == "tiny"
        assert session[name].model is model
    assert list(session) == ["tiny", "mini", "model"]


def test_what_a_result_is_made_of_is_in_reach(tiny, session):
    """``.model``, ``.tokenizer``, ``.config``, ``.ids``, ``.tokens``, ``.outputs``, ``.df``, ``.code``."""
    entry = session["tiny"]
    made, inferred, tokens = (
        tiny.run(line) for line in ("%hf_use tiny", "%hf_infer hello", "%hf_tokens hello")
    )
    assert (made.model, made.tokenizer, made.config) == (
        entry.model,
        entry.tokenizer,
        entry.config,
    )
    assert inferred.model is entry.model
    assert tokens.tokens == [["[CLS]", "hello", "[SEP]"]]
    assert all(len(one.df) for one in (made, inferred, tokens))
    assert "tokenizer(" in inferred.code
