"""A line and a cell to what was asked: options, arguments, fields and text."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from IPython.core.magic_arguments import MagicArgumentParser

from hf_magics.display.words import nearest
from hf_magics.errors import InputError, OptionError
from hf_magics.literals import literal
from hf_magics.magics.lines import Word, Words, expand, expand_text, look_up
from hf_magics.magics.options import option_names
from hf_magics.paths import path_of

_FIELD = re.compile(r"[A-Za-z_][\w.]*=")
_NAME = re.compile(r"[^\W\d]\w*(?:\.\w+)*")


@dataclass
class Asked:
    """What a line and a cell asked for.

    ``options`` are the parsed options, ``names`` the plain arguments, ``fields`` the
    ``FIELD=VALUE`` ones, ``text`` the payload of the line (``""`` where there is none), ``cell``
    the cell's body.
    """

    options: argparse.Namespace
    names: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    text: str = ""
    cell: str | None = None


def read(
    parser: MagicArgumentParser,
    line: str,
    cell: str | None,
    variables: Mapping[str, Any],
    *,
    has_text: bool,
) -> Asked:
    """Parse a magic's line.

    Args:
        parser: The magic's own parser.
        line: The rest of the line, as typed.
        cell: The cell's body, None for a line magic.
        variables: The notebook's variables.
        has_text: Whether the rest of the line, after the options, is text.

    Raises:
        OptionError: An unknown option, a missing value, a variable that is not there.
    """
    taken: list[str] = []
    seen: set[str] = set()
    plain: list[Word] = []
    stream = Words(line)
    while not (has_text and stream.at_text) and (word := next(stream, None)):
        if word.text == "--" and not word.quoted:
            break
        if word.is_option:
            given = _option(parser, word, stream, variables)
            _check_once(parser, given[0].partition("=")[0], seen)
            taken += given
        else:
            plain.append(word)
    text = line[stream.start :].rstrip() if has_text else ""
    asked = Asked(_parse(parser, taken), text=expand_text(text, variables), cell=cell)
    plain += () if has_text else stream
    for word in plain:
        _place(asked, word, variables)
    return asked


def payload(asked: Asked, variables: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the inputs of a magic that takes text, and the variable that they came from.

    Raises:
        InputError: There are none, or they come from two places.
    """
    body = asked.cell if asked.cell is not None and asked.cell.strip() else None
    variable = getattr(asked.options, "input", "") or ""
    given = [one for one in (asked.text, body, variable) if one]
    if len(given) > 1:
        raise InputError(
            "text is given twice: on the line, in the cell or with -i; one of them is meant"
        )
    if not given:
        raise InputError(
            "there is no text: write it after the magic, one input a line in a cell, or -i VAR"
        )
    if variable and _NAME.fullmatch(variable):
        return look_up(variable, variables), variable
    if variable:
        return _path(variable), ""
    if body is not None:
        return cell_lines(body, whole=asked.options.whole), ""
    return asked.text, ""


def _path(word: str) -> Path:
    """Return the file that ``-i`` names in place of a variable.

    Raises:
        OptionError: It is none either.
    """
    path = path_of(word)
    if not path.is_file():
        raise OptionError(
            f"-i takes a variable or a file, and '{word}' is neither; what has to be computed goes "
            "into a variable first"
        )
    return path


def cell_lines(body: str, *, whole: bool) -> list[str]:
    """Return the inputs of a cell: a line each, blank ones skipped; or the whole as one."""
    if whole:
        return [body.strip("\r\n")]
    lines = (line.removesuffix("\r") for line in body.split("\n"))
    return [line for line in lines if line.strip()]


def pairs(words_: Iterable[str] | None) -> dict[str, Any]:
    """Return the ``KEY=VALUE`` words of ``--set``, their values read as JSON where they are.

    Raises:
        OptionError: A word is no ``KEY=VALUE``.
    """
    found = {}
    for word in words_ or ():
        key, equals, value = word.partition("=")
        if not equals:
            raise OptionError(f"--set takes KEY=VALUE, not '{word}'")
        if key in found:
            raise OptionError(f"--set {key} is given twice")
        found[key] = literal(value)
    return found


# what a tokenizer of transformers is asked for: the option that does the same here, and how
_INSTEAD = {
    "--truncation": ("--max-length", "what is too long is cut: --max-length N says where"),
    "--return-tensors": ("-o", "-o NAME keeps the result: NAME.ids"),
    "--return_tensors": ("-o", "-o NAME keeps the result: NAME.ids"),
}


def _option(
    parser: MagicArgumentParser, word: Word, rest: Iterable[Word], variables: Mapping[str, Any]
) -> list[str]:
    """Return one option and its value as argparse takes them: spelled out, with no abbreviation."""
    known = option_names(parser)
    spelled, equals, value = word.text.partition("=")
    action = known.get(spelled)
    if action is None:
        raise OptionError(_unknown(spelled, known))
    if action.nargs == 0:
        if equals:
            raise OptionError(f"{spelled} takes no value")
        return [spelled]
    following = Word(value, word.start) if equals else next(iter(rest), None)
    if following is None or (following.is_option and following.text in known):
        raise OptionError(f"{spelled} needs a value: {action.metavar or 'VALUE'}")
    given = expand(following, variables)
    if action.type is int and not re.fullmatch(r"-?\d+", given):
        raise OptionError(f"{spelled} takes a whole number, not '{given}'")
    if action.type is float and not _is_float(given):
        raise OptionError(f"{spelled} takes a number, not '{given}'")
    return [f"{action.option_strings[-1]}={given}"]


def _unknown(spelled: str, known: Mapping[str, argparse.Action]) -> str:
    """Say that there is no such option, and what does the same or is spelt like it."""
    instead = _INSTEAD.get(spelled)
    if instead and instead[0] in known:
        return f"no option '{spelled}': {instead[1]}"
    hint = "; -- goes before a text that begins so" if "--whole" in known else ""
    if "--class" in known:
        field = spelled.strip("-").replace("-", "_")
        hint = f"; a field of the config is written {field}=VALUE"
    return f"no option '{spelled}'{nearest(spelled, known)}; --help lists them{hint}"


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_once(parser: MagicArgumentParser, name: str, seen: set[str]) -> None:
    """Refuse an option that is given twice where only the last would count."""
    action = option_names(parser)[name]
    repeatable = isinstance(action, argparse._AppendAction) or action.nargs == 0  # noqa: SLF001
    if action.dest in seen and not repeatable:
        raise OptionError(f"{name} is given twice")
    seen.add(action.dest)


def _parse(parser: MagicArgumentParser, taken: list[str]) -> argparse.Namespace:
    namespace, _ = parser.parse_known_args(taken)
    return namespace


def _place(asked: Asked, word: Word, variables: Mapping[str, Any]) -> None:
    text = expand(word, variables)
    if not word.quoted and _FIELD.match(word.text):
        name, _, value = text.partition("=")
        if name in asked.fields:
            raise OptionError(f"{name} is given twice")
        asked.fields[name] = value
    else:
        asked.names.append(text)
