"""Snippets of plain transformers code: what ``.code`` is made of.

Each loader and each task keeps its snippet beside the code that it mirrors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Snippet:
    """Lines of Python, and the import statements that they need."""

    imports: tuple[str, ...]
    lines: tuple[str, ...]


def script(*snippets: Snippet) -> str:
    """Return one script: the imports once at the top, then each snippet's lines, once each."""
    distinct = list(dict.fromkeys(snippets))
    imports = _imports(line for snippet in distinct for line in snippet.imports)
    blocks = [imports, *("\n".join(snippet.lines) for snippet in distinct if snippet.lines)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def call(function: str, *arguments: object, **keywords: object) -> str:
    """Return the source of a call: ``f(source, key='value')`` with the values as literals.

    A ``Name`` among them stands as it is.
    """
    parts = [_literal(value) for value in arguments]
    parts += [f"{name}={_literal(value)}" for name, value in keywords.items()]
    line = f"{function}({', '.join(parts)})"
    if len(line) <= _WIDTH:
        return line
    return f"{function}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


class Name(str):
    """A Python expression among literals: written without quotes."""

    __slots__ = ()


_WIDTH = 88


def _literal(value: object) -> str:
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(_literal(item) for item in value)
        return f"[{inner}]"
    return repr(value)


def quoted(value: str) -> str:
    """Return a string's literal, in double quotes where it can be."""
    body = repr(value)
    if body[0] == "'" and '"' not in body:
        return f'"{body[1:-1]}"'.replace("\\'", "'")
    return body


def _imports(statements: Iterable[str]) -> str:
    """Merge ``from x import y`` lines of one module; plain imports come first."""
    plain, names = set(), dict[str, set[str]]()
    for statement in statements:
        if statement.startswith("from "):
            module, _, name = statement.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).add(name)
        else:
            plain.add(statement)
    merged = [
        f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)
    ]
    return "\n".join([*sorted(plain), *merged])
