"""A text in Markdown is a text: in the renderer of nbconvert, which keeps markup as it is."""

import pytest
from nbconvert.filters.markdown import markdown2html

from hf_magics.display.markdown import markdown
from hf_magics.display.visible import visible
from tests.hostile.reading import Read
from tests.hostile.texts import ALL, FORMULAS

ORDINARY = ("Save tiny to my_bert", "one_by_one", "_x_ and __y__", "*a* **b**", "a | b", "~~c~~")


@pytest.mark.parametrize("text", [*ALL, *ORDINARY], ids=lambda text: ascii(text)[:40])
def test_it_reads_as_it_is(text):
    """Nothing but the heading's own tags, and the same characters."""
    read = Read(markdown2html(f"## 1. {markdown(text)}"))
    assert [one for one in read.foreign if one not in HEADING] == []
    assert read.text.strip().rstrip("¶") == f"1. {visible(text)}"


# the address that nbconvert puts beside every heading
HEADING = ("h2", "h2 id", "a", "a class", "a href")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_formula_begins(text):
    """What begins one is not in the source, where a notebook looks for it."""
    assert not set("$\\") & set(markdown(text))


def test_an_ordinary_text_stays_as_it_is():
    """A source that is read by a person has no entities where none are needed."""
    assert markdown('Run "A cat." through my_bert: features') == (
        'Run "A cat." through my_bert: features'
    )
