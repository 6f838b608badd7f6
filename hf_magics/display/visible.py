"""Characters that can't be seen, or that move others about, as escapes that can be read."""

from __future__ import annotations

import re

from hf_magics.errors import with_causes

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_FORMATS = (
    r"\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
# the last two variation selectors belong to ordinary emoji; the others carry hidden text
_SELECTORS = r"\ufe00-\ufe0d"
_PRIVATE = r"\ud800-\uf8ff\U000e0000-\U0010ffff"
_NO_CHARACTERS = r"\ufdd0-\ufdef\ufffe\uffff" + "".join(
    rf"\U000{plane:x}fffe\U000{plane:x}ffff" for plane in range(1, 14)
)
_INVISIBLE = re.compile(f"[{_CONTROLS}{_FORMATS}{_SELECTORS}{_PRIVATE}{_NO_CHARACTERS}]")
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: str, *, keep_newlines: bool = False) -> str:
    r"""The text with every invisible character as an escape, such as ``\u202e`` or ``\x1b``.

    Controls, bidirectional and zero-width characters, line separators, lone surrogates, private
    and non-characters are escaped; all other text stays as it is. What a character becomes
    doesn't depend on its neighbours, so that the pieces of a text read as the whole does.
    """
    if text.isascii() and text.isprintable():
        return text  # most strings, at a tenth of the time
    return _INVISIBLE.sub(_escape_in_line if keep_newlines else _escape, text)


def make_visible(error: BaseException) -> None:
    """Escape the messages of an error and of those behind it, which a traceback prints as they are.

    Line breaks and tabs stay: these are what a long message is laid out with.
    """
    for told in with_causes(error):
        told.args = tuple(_laid_out(one) if isinstance(one, str) else one for one in told.args)


def _laid_out(text: str) -> str:
    return "\t".join(visible(part, keep_newlines=True) for part in text.split("\t"))


def _escape_in_line(match: re.Match[str]) -> str:
    return "\n" if match.group() == "\n" else _escape(match)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code <= 0xFF:  # noqa: PLR2004 - what \x can say
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
