"""The kinds of words in code, told apart without a colour of letters."""

import re

from hf_magics.display import html
from hf_magics.display.parts import Code, Page


def test_the_kinds_of_words_are_told_apart_in_the_themes_own_colour():
    """Comments, keywords and strings of Python; other languages have no marks."""
    source = "# why\nfor one in 'text':\n    pass"
    drawn = html.render(Page("", (Code(source, "python"),)))
    marked = re.findall(r'<span style="([^"]+)">([^<]+)</span>', drawn)
    assert [word for _, word in marked] == ["# why", "for", "&#39;text&#39;", "pass"]
    assert len({style for style, _ in marked}) == 3
    assert not re.search(r"(?<!-)color:", drawn)
    assert "<span" not in html.render(Page("", (Code(source),)))
