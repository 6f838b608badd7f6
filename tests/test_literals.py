"""Words of a line to values: what is no JSON, whatever is wrong with it, is text."""

import pytest

from hf_magics.literals import literal, parsed

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("None", None),
        ("0.1", 0.1),
        ("[1, 2]", [1, 2]),
        ("{'a': 1}", "{'a': 1}"),
        ("", ""),
        (DEEP, DEEP),
    ],
)
def test_a_word_is_what_it_says(text, value):
    assert literal(text) == value


@pytest.mark.parametrize("text", ["", "[1", DEEP])
def test_what_is_no_json_is_one_kind_of_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        parsed(text)
