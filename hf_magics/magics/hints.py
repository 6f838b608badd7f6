"""What a line may have meant that was read as text: said on top of the page, never acted on."""

from __future__ import annotations

from collections.abc import Container

from IPython.core.magic_arguments import MagicArgumentParser

from hf_magics.magics.asked import Asked
from hf_magics.magics.options import option_names

_QUOTES = "\"'"


def hints_on(asked: Asked, parser: MagicArgumentParser, models: Container[str]) -> tuple[str, ...]:
    """Return a sentence for each sign that a word of the line's text was meant otherwise.

    Args:
        asked: What the line was read as.
        parser: The magic's parser: its options are what may have been meant.
        models: The names of the session.
    """
    words = (asked.text or "").split()
    if not words:
        return ()
    known = option_names(parser)
    found = [
        f"'{word}' was read as text: options go before the text"
        for word in words[1:]
        if word.partition("=")[0] in known
    ]
    if words[0] in models and len(words) > 1:
        found.append(f"'{words[0]}' was read as text: -m {words[0]} chooses that model")
    if words[0][0] in "–—":
        found.append(f"'{words[0]}' was read as text: an option begins with - or --")
    if words[0][0] in _QUOTES and words[-1][-1] == words[0][0]:
        found.append("the quotes are part of the text")
    return tuple(found)
