"""A line to words: quotes, brackets, paths, FIELD=VALUE, and names of the notebook."""

import pytest

from hf_magics.errors import OptionError
from hf_magics.magics.asked import Asked, read
from hf_magics.magics.lines import nearest_variable
from hf_magics.magics.magics import HFMagics

VARIABLES = {"n": 3, "folder": "/data", "paths": {"model": "/data/bert"}, "name": "small"}


def ask(line: str) -> Asked:
    return read(HFMagics.hf_load.parser, line, None, VARIABLES, has_text=False)


@pytest.mark.parametrize(
    "line",
    [
        "bert -n one --replace hidden_size=32",
        "-n one bert hidden_size=32 --replace",
        "hidden_size=32 --replace --name one bert",
        "--replace hidden_size=32 bert --name=one",
        "  --name   one\tbert   --replace  hidden_size=32  ",
    ],
)
def test_options_and_arguments_mix_freely(line):
    """Their order changes nothing."""
    asked = ask(line)
    assert (asked.names, asked.fields) == (["bert"], {"hidden_size": "32"})
    assert (asked.options.name, asked.options.replace) == ("one", True)


@pytest.mark.parametrize(
    "option",
    ['--name "a b"', "--name 'a b'", '--name="a b"', "--name='a b'", '-n "a b"', '-n="a b"'],
)
def test_a_quoted_value_loses_its_quotes(option):
    """Either quotes, with a space or an equals sign before them."""
    assert ask(f"{option} x").options.name == "a b"


@pytest.mark.parametrize(
    "path",
    [
        "C:\\models\\new",
        "\\\\server\\share\\n",
        ".\\bert",
        "~/models",
        "/data/it's",
        '/data/5"',
        "/data/a=b",
        "./x={y",
        "a-b_c.d",
        "ünï",
    ],
)
def test_a_path_arrives_as_typed(path):
    """A backslash is a backslash; a quote or bracket inside of a word is nothing special."""
    assert ask(path).names == [path]
    assert ask(f"--tokenizer {path} x").options.tokenizer == path


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_quoted_path_may_have_spaces(quote):
    """Quotes keep the words of a path together, and its backslashes."""
    assert ask(f"{quote}C:\\my models\\x{quote} -n y").names == ["C:\\my models\\x"]


def test_a_quoted_word_is_never_an_option_or_a_field():
    """``"--replace"`` and ``"a=b"`` are plain arguments."""
    asked = ask("\"--replace\" 'a=b'")
    assert (asked.names, asked.fields, asked.options.replace) == (["--replace", "a=b"], {}, False)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("x=3", "3"),
        ("x=", ""),
        ('x="a b"', "a b"),
        ("x='a b'", "a b"),
        ("x=a=b", "a=b"),
        ("x=[1, 2]", "[1, 2]"),
        ('x={"0": "a b", "1": ["c"]}', '{"0": "a b", "1": ["c"]}'),
        ('x={"a": "} ] \\" {"}', '{"a": "} ] \\" {"}'),
        ('x=["$n", "{n}"]', '["$n", "{n}"]'),
        ("x={n}", "{n}"),
        ("x=$n", "3"),
        ("x=a{n}", "a3"),
        ('x="$n"', "3"),
    ],
)
def test_the_value_of_a_field(typed, value):
    """Quotes go, names expand, a list or object runs to its closing bracket and never expands."""
    asked = ask(f"bert {typed} -n one")
    assert asked.fields == {"x": value}
    assert (asked.names, asked.options.name) == (["bert"], "one")


def test_a_dotted_field_is_a_field():
    """The fields of a sub-config have a dot in their names."""
    assert ask("clip text_config.hidden_size=32").fields == {"text_config.hidden_size": "32"}


def test_the_value_of_set_may_be_an_object():
    """``--set KEY=VALUE`` reads JSON to its closing bracket, with either spelling."""
    for option in ('--set x={"a": [1, 2]}', '--set=x={"a": [1, 2]}'):
        assert ask(f"{option} bert").options.set == ['x={"a": [1, 2]}']


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("$name", "small"),
        ("{name}", "small"),
        ("{paths.model}", "/data/bert"),
        ("$folder/x", "/data/x"),
        ("{folder}/x", "/data/x"),
        ("a-$n-b", "a-3-b"),
        ("$$name", "$name"),
        ("{{name}}", "{name}"),
        ('"{paths.model} $n"', "/data/bert 3"),
        ("$5", "$5"),
        ("{1+1}", "{1+1}"),
        ("{f()}", "{f()}"),
    ],
)
def test_names_of_the_notebook_expand(typed, value):
    """In an option's value and in an argument; what is no name stays."""
    assert ask(f"--revision {typed} x").options.revision == value
    assert ask(f"--revision={typed} x").options.revision == value
    assert ask(typed).names == [value]


@pytest.mark.parametrize("typed", ["$nope", "{nope}", "{paths.nope}", "{paths.model.nope}", "$n_"])
@pytest.mark.parametrize("line", ["--revision {}", "--revision={}", "{}", "x={}a", "-n {} y"])
def test_a_name_that_is_not_there_is_an_error_that_names_it(typed, line):
    """In an option's value, an argument or a field."""
    if line.startswith("x=") and typed.startswith("{"):
        line = "x=a{}"  # at the beginning it would be JSON
    with pytest.raises(OptionError, match=r"n_|nope"):
        ask(line.format(typed))


def test_the_shells_own_names_are_never_what_was_meant():
    """``open`` is nearest to ``nope``, and is no input of anybody's."""
    own = {"open": open, "In": [], "texts": []}
    assert nearest_variable("nope", own) == ""
    assert "'texts'" in nearest_variable("text", own)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--nmae x", "did you mean '--name'"),
        ("--nam x", "did you mean '--name'"),
        ("--rev x", "no option '--rev'; did you mean '--revision'"),
        ("--set-key x", "no option '--set-key'"),
        ("-z x", "no option '-z'"),
        ("-nx", "no option '-nx'"),
        ("bert --name", "--name needs a value: NAME"),
        ("bert --name --replace", "--name needs a value: NAME"),
        ("bert --replace=yes", "--replace takes no value"),
        ('bert "x', 'the quote " is not closed: "x'),
        ("bert x=[1, 2", "the bracket [ is not closed"),
        ('bert x={"a": "b}', 'the quote " is not closed'),
        ("bert x=1 x=2", "x is given twice"),
    ],
)
def test_a_line_that_cannot_be_read(line, says):
    """No option is abbreviated, and each error names the word and what is wrong with it."""
    with pytest.raises(OptionError) as caught:
        ask(line)
    assert says in str(caught.value)


def test_what_follows_two_dashes_is_no_option():
    """Also where there is no text: a file may be called ``--replace``."""
    asked = ask("-n one -- --replace")
    assert (asked.names, asked.options.replace) == (["--replace"], False)
