"""TEXT is payload: the raw rest of a line, and the lines of a cell."""

import pytest


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "a  b   c",
        "\"quoted\" and 'single'",
        '"never closed',
        "'tis never closed",
        "it's",
        "costs $5 and $nothing",
        '{"a": 1}',
        '{"a": "never closed',
        "[1, 2",
        "{1+1} {f()} {x!r} {no_name} {}",
        "$$ and $",
        "a -n b --model c --help --no-special -q",
        "see -- there",
        "max_length=3 and x=[1",
        "100% %s %d %(x)s",
        "C:\\models\\new",
        "semicolon;",
        "# no comment",
        "tab\there",
        "ünï çødé 🤗 中文",
        "-5 degrees",
        "- a dash",
        "--- three",
    ],
)
def test_text_on_the_line_arrives_as_typed(texts, text):
    """Quotes, spaces, braces, dollars and what looks like options are text in TEXT."""
    assert texts(f"%hf_tokens {text}") == (text,)


@pytest.mark.parametrize("text", ["--help", "-q", "--model tiny", "-m", "-- twice", "hello"])
def test_what_follows_two_dashes_is_text(texts, text):
    """``--`` is dropped, and whatever follows it is text."""
    assert texts(f"%hf_tokens -- {text}") == (text,)


def test_options_end_where_the_text_begins(texts, session):
    """Options before the text are options, the same words in it are not."""
    assert texts("%hf_tokens --no-special -m tiny hello -m other --no-special") == (
        "hello -m other --no-special",
    )
    assert session.log[-1].names == ("tiny",)
    assert session.log[-1].special is False


def test_help_in_a_text_is_text(texts):
    """``--help`` is an option before the text only."""
    assert texts("%hf_tokens what does --help do") == ("what does --help do",)
    assert texts("%%hf_tokens\n--help") == ("--help",)


def test_a_text_that_begins_like_an_option_is_an_error_that_tells_the_way(tiny):
    """The line says that ``--`` goes before such a text."""
    assert "-- goes before a text" in tiny.error("%hf_tokens -Wait, what")


def test_a_cell_is_one_input_a_line(texts):
    """Blank lines are skipped; every other character of a line stays."""
    cell = "%%hf_tokens\nfirst\n\n   \n  indented  \n$HOME {x} --no-special\n%hf_models\n"
    assert texts(cell) == ("first", "  indented  ", "$HOME {x} --no-special", "%hf_models")


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r"])
def test_only_a_line_feed_parts_the_lines_of_a_cell(texts, odd):
    """A form feed, a Unicode line separator or a lone carriage return is a character of its line."""
    assert texts(f"%%hf_tokens\na{odd}b\n") == (f"a{odd}b",)


def test_a_cell_of_windows_has_no_carriage_returns(tiny, session):
    """The line end of Windows is a line end, of which nothing stays."""
    tiny.ip.run_cell_magic("hf_tokens", "", "a\r\n\r\nb\r\n")
    assert session.log[-1].texts == ("a", "b")


def test_whole_takes_the_cell_as_one_input(texts):
    """``--whole`` keeps blank lines and indentation."""
    assert texts("%%hf_tokens --whole\na\n\n  b\n") == ("a\n\n  b",)


def test_a_tab_parts_a_pair(tiny):
    """The two texts of a pair have one row of IDs, with a separator between them."""
    ids = tiny.run("%%hf_tokens\nhello\tcool\nnice\n").ids
    assert ids == [[101, 7592, 102, 4658, 102], [101, 3835, 102]]


def test_text_comes_from_one_place(tiny):
    """Text on both the line and the cell, or beside ``-i``, is an error."""
    tiny.names["given"] = "hello"
    for cell in (
        "%%hf_tokens one\ntwo",
        "%%hf_infer -- one\ntwo",
        "%%hf_infer -i given\ntwo",
        "%hf_tokens -i given two",
    ):
        assert "text is given twice" in tiny.error(cell)


@pytest.mark.parametrize(
    "cell", ["%hf_infer", "%hf_infer --", "%hf_infer -m tiny", "%%hf_infer\n   \n\t\n"]
)
def test_no_text_is_an_error(tiny, cell):
    """Without a text the line says where one can stand."""
    assert "there is no text" in tiny.error(cell)


def test_the_name_of_a_variable_in_the_text_is_filled_in(texts, tiny):
    """``$name`` and ``{dotted.name}`` of the notebook stand for their values."""
    tiny.names.update(word="cool", data={"inner": {"key": "nice"}})
    assert texts("%hf_tokens $word {word} {data.inner.key}!") == ("cool cool nice!",)
    assert texts("%hf_tokens $$word {{word}} $words {data.none}") == (
        "$word {word} $words {data.none}",
    )


def test_a_value_that_was_filled_in_is_not_filled_in_again(texts, tiny):
    """What a variable holds is text, whatever it looks like."""
    tiny.names.update(word="$other {other} --help", other="x")
    assert texts("%hf_tokens $word") == ("$other {other} --help",)


def test_a_variable_of_a_function_is_found(tiny, session):
    """Inside a function its own variables are seen, as IPython's own magics see them."""
    tiny.run("def ask(words):\n    %hf_tokens $words\n    shown = %hf_tokens -i words")
    tiny.run("ask('hello there')")
    assert [one.texts for one in session.log[-2:]] == [("hello there",)] * 2


def test_nothing_is_evaluated(tiny, texts):
    """An expression or a call in braces stays as it is typed, and is not run."""
    tiny.names["called"] = []
    typed = "{called.append(1)} {1+1} {called[0]} ${called}"
    assert texts(f"%hf_tokens {typed}") == (typed.replace("${called}", "$[]"),)
    assert tiny.names["called"] == []


def test_a_property_that_fails_leaves_the_text_as_typed(texts, tiny):
    """Whatever a look-up raises, the name just can't be resolved."""
    tiny.run(
        "class Odd:\n    @property\n    def part(self):\n        raise ValueError('no')\nodd = Odd()"
    )
    assert texts("%hf_tokens {odd.part} {odd.a.b}") == ("{odd.part} {odd.a.b}",)
    assert "odd.part" in tiny.error("%hf_tokens -m {odd.part} hello")
