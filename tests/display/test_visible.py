"""Visible: what can't be seen is escaped, and nothing else is touched."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_magics.display.visible import visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("user\u202etxt", r"user\u202etxt"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\ud800", r"\ud800"),
        ("\ue000\U0010fffd", r"\ue000\U0010fffd"),
        ("\U000e0041", r"\U000e0041"),
        ("\ufffe\U0001ffff", r"\ufffe\U0001ffff"),
    ],
)
def test_invisible(text, shown):
    """Each kind of invisible character reads as its escape."""
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "naïve é e\u0301",
        "日本語",
        "👍🏽 ❤\ufe0f 🇫🇷",
        "Ġtoken ▁token",
        "a\u00a0b",
        "<b>&",
    ],
)
def test_ordinary(text):
    """Ordinary text of any script stays as it is."""
    assert visible(text) == text


def test_newlines():
    """Line breaks stay where asked; other controls don't."""
    assert visible("a\n\tb\r\n", keep_newlines=True) == "a\n\\tb\\r\n"


@given(ANY_TEXT)
def test_nothing_hidden_is_left(text):
    """What comes out has no control, surrogate, private or bidirectional character."""
    shown = visible(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Co", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in shown} & {
        "RLO",
        "LRO",
        "RLE",
        "LRE",
        "PDF",
        "RLI",
        "LRI",
        "FSI",
        "PDI",
    }
    shown.encode()


@given(ANY_TEXT, ANY_TEXT)
def test_pieces_read_as_the_whole(first, second):
    """A text cut anywhere shows as the same characters."""
    assert visible(first) + visible(second) == visible(first + second)
