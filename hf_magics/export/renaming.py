"""Names in code: which ones a model's code defines, and how they are changed."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping


def defined(code: str) -> list[str]:
    """Return the names that code gives to something outside of its functions, in order."""
    found: list[str] = []
    for statement in ast.parse(code).body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found.append(statement.name)
            continue
        nodes = ast.walk(statement)
        stored = (one for one in nodes if isinstance(one, ast.Name))
        found += [one.id for one in stored if isinstance(one.ctx, ast.Store)]
    return list(dict.fromkeys(found))


def renamed(code: str, names: Mapping[str, str]) -> str:
    """Return code in which variables have other names: no attributes, no keywords of a call."""
    if not names:
        return code
    lines = code.split("\n")
    for token in reversed(list(_variables(code, names))):
        row, begin = token.start[0] - 1, token.start[1]
        rest = lines[row][begin + len(token.string) :]
        lines[row] = f"{lines[row][:begin]}{names[token.string]}{rest}"
    return "\n".join(lines)


def _variables(code: str, names: Mapping[str, str]) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens that are one of these variables, in order."""
    tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    depth = 0
    for at, token in enumerate(tokens):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        if token.type != tokenize.NAME or token.string not in names:
            continue
        is_attribute = at > 0 and tokens[at - 1].string == "."
        is_keyword = depth > 0 and tokens[at + 1].string == "="
        if not is_attribute and not is_keyword:
            yield token
