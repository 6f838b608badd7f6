"""A magic's line to words: quotes, brackets, variables, and where the text begins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import OptionError
from hf_magics.inference.mapping.sources import labels_of

_REFERENCE = re.compile(
    r"\$(?P<escaped>\$)?(?P<name>[A-Za-z_][\w]*)|\{(?P<open>\{)?(?P<dotted>[A-Za-z_][\w.]*)\}(?P<close>\})?"
)
_ASSIGNED = re.compile(r"(?:--?[A-Za-z][\w-]*=)?(?P<field>[A-Za-z_][\w.]*=)?")
_JSON = re.compile(r"[A-Za-z_][\w.]*=[\[{]")
_OPTION = re.compile(r"--?[A-Za-z]|--(?!\S)")
_BRACKETS = {"[", "{"}
_QUOTES = {'"', "'"}


@dataclass(frozen=True)
class Word:
    """A word of a line without its quotes; it began at ``start``."""

    text: str
    start: int
    quoted: bool = False

    @property
    def is_option(self) -> bool:
        """Whether it reads as an option: ``-n``, ``--name``, ``--name=value``."""
        return not self.quoted and re.match(r"--?[A-Za-z]", self.text) is not None

    @property
    def is_json(self) -> bool:
        """Whether it is a list or an object for a field, which never expands."""
        return _JSON.match(self.text) is not None


class Words:
    """The words of a line one by one, read no further than is asked for.

    White space parts words. A word, or the value of an option or field, may stand in quotes; the
    value of a field that begins with a bracket runs to the closing one. A backslash is a backslash.
    ``start`` is where the next word begins.

    Raises:
        OptionError: A quote or bracket is not closed.
    """

    def __init__(self, line: str, start: int = 0) -> None:
        self._line = line
        self.start = _skip_space(line, start)

    def __iter__(self) -> Iterator[Word]:
        return self

    def __next__(self) -> Word:
        if self.start >= len(self._line):
            raise StopIteration
        word, end = _word(self._line, self.start)
        self.start = _skip_space(self._line, end)
        return word

    @property
    def at_text(self) -> bool:
        """Whether what follows is no option: where text is taken, it begins here."""
        return self.start < len(self._line) and not _OPTION.match(self._line, self.start)


def expand(word: Word, variables: Mapping[str, Any]) -> str:
    """Return an option's value or an argument with its ``$name`` and ``{dotted.name}`` filled in.

    Raises:
        OptionError: A name is not there.
    """
    if "\0" in word.text:
        raise OptionError("only a text can have a NUL character in it")
    if word.is_json:
        return word.text
    return _REFERENCE.sub(lambda match: _known(match, variables, strict=True), word.text)


def expand_text(text: str, variables: Mapping[str, Any]) -> str:
    """Return a text with the references that can be resolved filled in; others stay as typed."""
    return _REFERENCE.sub(lambda match: _known(match, variables, strict=False), text)


def look_up(name: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of a dotted name: attributes, then keys; nothing is evaluated.

    Raises:
        OptionError: It is not there; the message names the part that is missing.
    """
    first, *rest = name.split(".")
    if first not in variables:
        close = nearest_variable(first, variables)
        raise OptionError(f"there is no variable '{first}' in the notebook{close}")
    value = variables[first]
    for part in rest:
        value = _member(value, part, name)
    return value


def nearest_variable(word: str, variables: Mapping[str, Any]) -> str:
    """Ask whether the nearest variable was meant, ``""`` where none is near."""
    return nearest(word, [one for one in variables if one not in _SHELLS_OWN])


_SHELLS_OWN = {"In", "Out", "exit", "get_ipython", "open", "quit"}


def _known(match: re.Match[str], variables: Mapping[str, Any], *, strict: bool) -> str:
    name = match["name"] or match["dotted"]
    try:
        value = look_up(name, variables)
    except OptionError:
        if strict and not (match["escaped"] or match["open"]):
            raise
        return match.group()
    if match["escaped"]:
        return f"${name}"
    if match["open"]:
        return f"{{{name}}}" + ("" if match["close"] else "}")
    return f"{value}{match['close'] or ''}"


_MEANT = {"input_ids": "ids"}  # what transformers calls the same


def _member(value: Any, part: str, name: str) -> Any:
    try:
        return getattr(value, part) if hasattr(value, part) else value[part]
    except Exception:  # noqa: BLE001 - a property or an index of the notebook's own, anything can come
        columns = list(map(str, labels_of(value)))
        names = columns or (value if isinstance(value, Mapping) else dir(value))
        there = f"; it has {sentence_list(columns)}" if columns else ""
        meant = nearest(part, map(str, names), _MEANT) or there
        raise OptionError(f"'{name}': {type(value).__name__} has no '{part}'{meant}") from None


def _skip_space(line: str, at: int) -> int:
    while at < len(line) and line[at].isspace():
        at += 1
    return at


def _word(line: str, start: int) -> tuple[Word, int]:
    if line[start] in _QUOTES:
        text, end = _quoted(line, start)
        if end == len(line) or line[end].isspace():
            return Word(text, start, quoted=True), end
    assigned = _ASSIGNED.match(line, start)
    at = assigned.end() if assigned else start
    if assigned and assigned["field"] and line[at : at + 1] in _BRACKETS:
        end = _balanced(line, at)
        return Word(line[start:end], start), end
    if at > start and line[at : at + 1] in _QUOTES:
        text, end = _quoted(line, at)
        return Word(line[start:at] + text, start), end
    end = start
    while end < len(line) and not line[end].isspace():
        end += 1
    return Word(line[start:end], start), end


def _quoted(line: str, at: int) -> tuple[str, int]:
    end = line.find(line[at], at + 1)
    if end < 0:
        raise OptionError(f"the quote {line[at]} is not closed: {line[at : at + 40]}")
    return line[at + 1 : end], end + 1


def _balanced(line: str, at: int) -> int:
    """Return where the bracket that opens at ``at`` is closed; strings in it are passed over."""
    depth, here = 0, at
    while here < len(line):
        if line[here] == '"':
            here = _end_of_string(line, here)
        depth += (line[here] in "[{") - (line[here] in "]}")
        here += 1
        if depth == 0:
            return here
    raise OptionError(f"the bracket {line[at]} is not closed: {line[at : at + 40]}")


def _end_of_string(line: str, at: int) -> int:
    match = re.compile(r'"(?:[^"\\]|\\.)*"').match(line, at)
    if match is None:
        raise OptionError(f'the quote " is not closed: {line[at : at + 40]}')
    return match.end() - 1
