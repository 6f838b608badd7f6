"""The colours of code, which stand on the page's own background."""

import re

import pytest

from hf_magics.display import html
from hf_magics.display.parts import Code, Page


def luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance of a hex colour."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(one * weight for one, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_the_colours_of_code_stand_out_in_both_themes(background):
    """A contrast of at least 3 by WCAG 2.1; other languages have no colours."""
    source = "# why\nfor one in 'text':\n    pass"
    drawn = html.render(Page("", (Code(source, "python"),)))
    colours = set(re.findall(r"color:(#\w{6})", drawn))
    assert len(colours) == 3
    for colour in colours:
        low, high = sorted((luminance(colour), luminance(background)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour
    assert "color:" not in html.render(Page("", (Code(source),)))
