"""The options of the magics: usage, values, and lines of every kind."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

from hf_magics.display.shown import Shown
from hf_magics.magics.asked import read
from hf_magics.magics.magics import HFMagics, summaries
from hf_magics.magics.models import ModelMagics

NAMES = sorted({**HFMagics.magics["line"], **HFMagics.magics["cell"]})
WITH_TEXT = ("hf_tokens", "hf_infer")
PIECES = [
    *("--help", "--model", "-m", "-q", "--quiet", "-o", "-i", "--max-length", "--set", "--all"),
    *("--vs", "--device", "--dtype", "--seed", "--overwrite", "--whole", "--nope", "-z", "--"),
    *('"', "'", "[", "]", "{", "}", "=", "a=", "x=[", 'y={"', "$", "$name", "{name}", "{no}"),
    *("tiny", "tniy", "other", "a b", "\\", "5", "-5", "%", "ü", "\t", " ", "  ", "./nowhere"),
]


@pytest.mark.parametrize("name", NAMES)
def test_help_prints_the_usage(shell, name):
    """``--help`` shows every option with its help, wherever it stands among the options."""
    shown = repr(shell.run(f"%{name} --help"))
    assert f"%{name}" in shown
    for action in getattr(HFMagics, name).parser._actions:
        assert action.option_strings[-1] in shown
        assert re.sub(r"\s+", "", action.help % {}) in re.sub(r"\s+", "", shown)
    assert "%%%%" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_the_options_stands_in_a_column(shell, name):
    """Also behind a value that IPython's formatter puts marks around."""
    _, _, options = repr(shell.run(f"%{name} --help")).partition("options:\n")
    lines = options.partition("\n\n")[0].splitlines()
    helped = [found.end() for line in lines if (found := re.match(r"  -.*?\S {2,}| {8,}", line))]
    assert len(set(helped)) == 1
    assert not re.search("[<>]", "".join(lines))


def test_help_beside_other_arguments(shell, session):
    """Nothing is done where the line asks for help, and nothing need be right yet."""
    for line in ("%hf_new bert -n x --help", "%hf_load --help", "%hf_use --help nobody"):
        assert "options:" in repr(shell.run(line))
    assert len(session) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_question_mark_prints_the_usage(shell, capsys, name):
    """``%hf_load?`` shows what ``--help`` does."""
    shell.run(f"%{name}?")
    shown = capsys.readouterr().out
    for action in getattr(HFMagics, name).parser._actions:
        assert action.option_strings[-1] in shown


@pytest.mark.parametrize("name", sorted(vars(ModelMagics).keys() & set(NAMES)))
def test_the_help_ends_in_examples(shell, capsys, name):
    """Two or three lines that can be typed, in ``--help`` and ``?``; all their options exist."""
    parser = getattr(HFMagics, name).parser
    examples = parser.epilog.split("Examples:\n    ")[1].split("\n    ")
    assert 2 <= len(examples) <= 3
    for example in examples:
        line = example.partition(f"%{name}")[2]
        asked = read(parser, line, None, {}, has_text=False)
        assert not asked.options.help
        assert len(example) <= 96
    shown = repr(shell.run(f"%{name} --help"))
    shell.run(f"%{name}?")
    for one in (shown, capsys.readouterr().out.partition("File:")[0]):
        assert "Examples:\n  " in one
        assert one.index("--help") < one.rindex(examples[0])
    assert shown.rstrip().endswith(examples[-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_options_of_a_help_stand_in_columns(shell, capsys, name):
    """What each option does begins in the same place, in ``--help`` and ``?``; no marks of reST."""
    shown = repr(shell.run(f"%{name} --help"))
    shell.run(f"%{name}?")
    for text in (shown, capsys.readouterr().out):
        options = text.partition("options:\n")[2].partition("\n\n")[0].split("\n")
        beside = [re.search(r"(?<=\S)  +(?=\S)", line) for line in options]
        assert len({found.end() for found in beside if found}) == 1
        assert not re.search(r"::\n|<[A-Z]", text)


def test_the_overview_says_which_page_a_cell_shows(shell):
    """Of several magics in one cell, IPython shows the last: the others seem to do nothing."""
    assert "IPython shows the page of the last one alone" in repr(shell.run("%hf"))


def test_examples_are_no_part_of_the_summary():
    """The table of the magics has a magic's first line alone."""
    assert not any("Example" in one for one in summaries(HFMagics).values())


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_an_error(shell, name):
    """Of every magic, in one line that names it and what there is."""
    says = shell.error(f"%{name} --hepl")
    assert "'--hepl'" in says
    assert "did you mean '--help'" in says


@pytest.mark.parametrize("name", WITH_TEXT)
def test_the_help_of_what_takes_text_says_why_questions_go_in_cells(shell, name):
    """A line that ends in ``?`` never arrives: the help says so."""
    assert "ends in ?" in repr(shell.run(f"%{name} --help"))


def test_every_option_has_a_help():
    """No option of any magic is without a word of what it does."""
    for name in NAMES:
        for action in getattr(HFMagics, name).parser._actions:
            assert action.help, f"{name} {action.option_strings}"


def test_a_number_is_a_number(tiny):
    """An option that takes a number names what it got instead."""
    assert tiny.error("%hf_tokens --max-length three x") == (
        "--max-length takes a whole number, not 'three'"
    )
    assert "--seed takes a whole number, not '1.5'" in tiny.error("%hf_new bert --seed 1.5")


@pytest.mark.parametrize("value", ["0", "-3"])
def test_a_length_is_at_least_one(tiny, value):
    """``--max-length 0`` cuts nothing to nothing: it is an error."""
    for name in WITH_TEXT:
        assert value in tiny.error(f"%{name} --max-length {value} hello")


def test_set_passes_arguments_on(tiny):
    """``--set KEY=VALUE`` reaches ``forward``, its value read as what it is."""
    outputs = tiny.run("%hf_infer --set output_hidden_states=true hello").outputs
    assert len(outputs.hidden_states) == 2
    assert "--set takes KEY=VALUE, not 'x'" in tiny.error("%hf_infer --set x hello")


def test_set_reaches_from_pretrained(tiny, session, tmp_path):
    """``--set subfolder=…`` of ``%hf_load`` is an argument of ``from_pretrained``."""
    tiny.names["folder"] = str(tmp_path)
    tiny.run("%hf_save tiny $folder/inner")
    tiny.run("%hf_load $folder -n again --set subfolder=inner")
    assert dict(session.log[-1].extra) == {"subfolder": "inner"}
    assert session["again"].config.hidden_size == 32


def test_fields_reach_the_config(tiny, session):
    """Lists, objects with spaces, null and true arrive as such."""
    tiny.run(
        "%hf_new bert hidden_size=32 num_hidden_layers=1 num_attention_heads=2 -n two"
        ' id2label={"0": "a {name} b", "1": "c"} is_decoder=true classifier_dropout=null'
        ' hidden_act="relu"'
    )
    config = session["two"].config
    assert config.id2label == {0: "a {name} b", 1: "c"}
    assert (config.is_decoder, config.classifier_dropout, config.hidden_act) == (True, None, "relu")


@pytest.mark.parametrize("word", ["name=x", "device=cpu", "dtype=float16", "seed=1", "replace=1"])
def test_an_option_given_as_a_field_is_an_error(shell, word):
    """``name=x`` says that there is ``--name``."""
    assert f"--{word.partition('=')[0]} " in shell.error(f"%hf_new bert {word}")


@pytest.mark.parametrize("word", ["settings=1", "model_type=x", "fields=1", "source=x", "self=1"])
def test_no_field_reaches_the_verb_as_another_word(shell, word):
    """A field that is not there is an error, whatever the verb's own parameters are called."""
    for magic in ("%hf_new bert", "%hf_load ./nowhere"):
        name = word.partition("=")[0]
        assert name in shell.error(f"{magic} {word}") or magic.startswith("%hf_load")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%hf extra", "'extra'"),
        ("%hf a=1", "a=…"),
        ("%hf_models extra", "'extra'"),
        ("%hf_models a=1", "a=…"),
        ("%hf_load", "SOURCE is missing"),
        ("%hf_load a b", "'b'"),
        ("%hf_new", "TYPE is missing"),
        ("%hf_new bert gpt2", "'gpt2'"),
        ("%hf_config a b", "%hf_config a --vs b"),
        ("%hf_config a b c", "'b'"),
        ("%hf_config a b --vs c", "'b'"),
        ("%hf_config a=1", "a=…"),
        ("%hf_use a b", "'b'"),
        ("%hf_use tiny device=cpu", "device=…"),
        ("%hf_drop a=1", "a=…"),
        ("%hf_drop --all tiny", "'tiny'"),
        ("%hf_save", "say where to save"),
        ("%hf_save a b c", "say where to save"),
        ("%hf_save a=1", "a=…"),
        ("%hf_load -i tiny other", "'other'"),
        ("%hf_load -i tiny --device cpu", "--device"),
        ("%hf_load -i tiny hidden_size=3", "hidden_size=…"),
    ],
)
def test_an_argument_too_many_or_too_few_is_an_error(tiny, session, line, says):
    """Nothing on a line is ignored: the first word that means nothing is named."""
    assert says in tiny.error(line)
    assert list(session) == ["tiny"]


@given(
    name=st.sampled_from([name for name in NAMES if name not in {"hf_drop", "hf_save"}]),
    pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=8),
    glue=st.sampled_from([" ", "", "  "]),
)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_line_gives_a_result_or_one_line(tiny, name, pieces, glue):
    """No line makes a traceback: there is a result, or a UsageError of one line."""
    tiny.ip.run_line_magic("config", "HFMagics.offline = True")
    try:
        result = tiny.ip.run_line_magic(name, glue.join(pieces))
    except UsageError as error:
        result = error
    if isinstance(result, UsageError):
        assert type(result) is UsageError
        assert "\n" not in str(result)
    else:
        assert isinstance(result, Shown)
        assert repr(result)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_option_is_ever_read_out_of_a_text(tiny, session, text):
    """After ``--`` and after a first word, every text arrives whole, and as a text."""
    for before, typed in (("--", text), ("", f"a {text}")):
        meant = typed.strip()
        if not meant or meant.endswith("?") or "$" in meant or "{" in meant:
            continue
        session.steps.clear()
        tiny.ip.run_line_magic("hf_tokens", f"--no-special {before} {typed}")
        (spec,) = session.log
        assert (spec.texts, spec.special, spec.names) == ((meant,), False, ("tiny",))
