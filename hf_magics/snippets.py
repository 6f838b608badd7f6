"""Snippets of plain transformers code: what ``.code`` is made of.

Each loader and each task keeps its snippet beside the code that it mirrors.
"""

from __future__ import annotations

import keyword
import os
import re
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hf_magics.secret import SECRETS


@dataclass(frozen=True)
class Snippet:
    """Lines of Python, and the import statements that they need."""

    imports: tuple[str, ...]
    lines: tuple[str, ...]


class Given(str):
    """A line that stands above the code: a name for what a script can't hold, left to fill in.

    ``content`` is a hash of what it stands for, where that is known: a variable may change.
    """

    __slots__ = ("content",)
    content: int

    @property
    def name(self) -> str:
        """The name that is to be filled in."""
        return self.partition(" = ")[0]

    def called(self, name: str) -> Given:
        """Return the line that gives the same another name."""
        made = Given(f"{name}{self[len(self.name) :]}")
        made.content = self.content
        return made


def given(expression: str, about: str, content: Hashable = None) -> tuple[str, Given]:
    """Return a name for something of the notebook, and the line that says to fill it in.

    Args:
        expression: What it is called there: a variable, or ``df.text``.
        about: What it is.
        content: The thing itself, where it is known by its hash: the next of that name may be
            another.
    """
    name = expression if expression.isidentifier() else re.sub(r"\W+", "_", expression).strip("_")
    name = name if name.isidentifier() and not keyword.iskeyword(name) else f"given_{name}"
    line = Given(f"{name} = ...  # {about}: fill it in")
    line.content = hash(content)
    return name, line


def script(*snippets: Snippet) -> str:
    """Return one script: imports once at the top, what is to be filled in, then each snippet."""
    imports = imported(line for snippet in snippets for line in needed(snippet))
    above = dict.fromkeys(one for some in snippets for one in some.lines if isinstance(one, Given))
    return arranged(imports, "\n".join(above), *map(body, snippets))


def needed(snippet: Snippet) -> tuple[str, ...]:
    """Return the imports of a snippet, with the one for the environment and the home folder."""
    reads = any("os.environ[" in line or "os.path." in line for line in snippet.lines)
    return (*snippet.imports, "import os") if reads else snippet.imports


def body(snippet: Snippet) -> str:
    """Return the code of a snippet without its imports and what is to be filled in."""
    return "\n".join(line for line in snippet.lines if not isinstance(line, Given)).strip("\n")


def arranged(*blocks: str) -> str:
    """Return blocks of code as one text; two blank lines stand before a function."""
    text = "\n\n".join(block for block in blocks if block)
    return _BEFORE_DEF.sub("\n\n\n", text) + "\n"


_BEFORE_DEF = re.compile(r"\n\n+(?=(def|class) )")


def call(function: str, *arguments: object, **keywords: object) -> str:
    """Return the source of a call: ``f(source, key='value')`` with the values as literals.

    A ``Name`` among them stands as it is.
    """
    parts = [literal(value) for value in arguments]
    parts += [f"{name}={_keyword(name, value)}" for name, value in keywords.items()]
    line = f"{function}({', '.join(parts)})"
    if len(line) <= _WIDTH:
        return line
    return f"{function}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def assigned(name: str, values: Sequence[Any]) -> str:
    """Return the line that gives a name to a list, a value a line where it is long."""
    line = f"{name} = {literal(values)}"
    return line if len(line) <= _WIDTH else f"{name} = {listed(values)}"


def listed(values: Sequence[Any]) -> str:
    """Return the source of a list, a value a line."""
    return "[\n" + "".join(f"    {literal(one)},\n" for one in values) + "]"


def _keyword(name: str, value: object) -> str:
    """Return the source of a keyword's value: a secret is no part of a script."""
    if name in SECRETS and isinstance(value, str) and not isinstance(value, Name):
        return 'os.environ["HF_TOKEN"]'
    return literal(value)


class FromHome(str):
    """A path that was given with ``~``: whole, and in a script as it was given."""

    __slots__ = ("given",)
    given: str


def from_home(path: str) -> str:
    """Return a path whole, where it begins with ``~``: a `FromHome`, as transformers takes none."""
    whole = os.path.expanduser(path)  # noqa: PTH111 - the rest of it as it was given
    if whole == path:
        return path
    made = FromHome(whole)
    made.given = path
    return made


class Name(str):
    """A Python expression among literals: written without quotes."""

    __slots__ = ()


_WIDTH = 88


def literal(value: object) -> str:
    """Return the source of a value; a ``Name`` stands as it is."""
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, FromHome):
        return f"os.path.expanduser({quoted(value.given)})"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(literal(item) for item in value)
        return f"[{inner}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    return repr(value)


def quoted(value: str) -> str:
    """Return a string's literal, in double quotes where it can be."""
    body = repr(value)
    if body[0] == "'" and '"' not in body:
        return f'"{body[1:-1]}"'.replace("\\'", "'")
    return body


def imported(statements: Iterable[str]) -> str:
    """Return import statements as isort orders them: Python's own modules in a group before."""
    groups: dict[bool, list[str]] = {True: [], False: []}
    for statement in dict.fromkeys(statements):
        module = statement.split()[1].partition(".")[0]
        groups[module in sys.stdlib_module_names].append(statement)
    return "\n\n".join("\n".join(_merged(group)) for group in groups.values() if group)


def _merged(statements: list[str]) -> list[str]:
    """Merge ``from x import y`` lines of one module; plain imports come first."""
    names: dict[str, set[str]] = {}
    for statement in statements:
        if statement.startswith("from "):
            module, _, name = statement.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).add(name)
    plain = sorted(one for one in statements if one.startswith("import "))
    return [*plain, *(_from(module, sorted(names[module])) for module in sorted(names))]


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
