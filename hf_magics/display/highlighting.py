"""Python code with its comments, strings and keywords told apart, sparingly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, String, _TokenType

# no colour of letters has a contrast of 4.5 both on white and on a dark page: they keep their own
_STYLES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "font-style:italic;opacity:.75"),
    (String.Affix, ""),
    (String, "background-color:rgba(60,160,80,.15)"),
    (Keyword.Constant, ""),
    (Keyword, "font-weight:bold"),
)


def highlighted(code: str) -> Iterator[tuple[str, str]]:
    """Yield the code in stretches, each with the CSS of its kind, ``""`` for most."""
    tokens = PythonLexer(stripnl=False, ensurenl=False).get_tokens(code)
    for style, some in itertools.groupby(tokens, key=lambda token: _style(token[0])):
        yield "".join(text for _, text in some), style


def _style(kind: _TokenType) -> str:
    return next((style for one, style in _STYLES if kind in one), "")
