"""A text in a Markdown cell that reads as it is: no markup, no formula, no address to follow."""

from __future__ import annotations

import re

from hf_magics.display.visible import visible

# what begins anything inside of a line; an underscore within a word does not
_MARKS = re.compile(r"[&<>\\`*\[\]{}$~|^@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.")
_FORMULA = re.compile(r"[$\\]")


def markdown(text: str) -> str:
    """Return Markdown of a line of text.

    Entities in the place of backslashes: those who look for formulas before the Markdown is read,
    as nbconvert does, know no backslash. JupyterLab looks for them once more in what was made of
    it: there the classes say that there is none.
    """
    shown = visible(text)
    marked = _MARKS.sub(lambda mark: f"&#{ord(mark.group())};", shown)
    if not _FORMULA.search(shown):
        return marked
    return f'<span class="tex2jax_ignore mathjax_ignore">{marked}</span>'
