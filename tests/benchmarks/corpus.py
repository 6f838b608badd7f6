"""A corpus for the benchmarks: docstrings of installed packages, all different, 10 to 512 tokens."""

from __future__ import annotations

import ast
import functools
import importlib.util
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

from timing import minilm_folder

_PACKAGES = ("torch", "transformers", "numpy", "pandas", "IPython")
_SHORTEST, _LONGEST = 10, 512


@functools.cache
def docstrings(count: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """So many docstrings in an order that is always the same, and the tokens of each."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(minilm_folder())
    texts = sorted({" ".join(text.split()) for package in _PACKAGES for text in _of(package)})
    random.Random(0).shuffle(texts)
    found: dict[str, int] = {}
    for text in texts:
        tokens = len(tokenizer(text, verbose=False)["input_ids"])
        if _SHORTEST <= tokens <= _LONGEST:
            found[text] = tokens
        if len(found) == count:
            break
    return tuple(found), tuple(found.values())


def _of(package: str) -> Iterator[str]:
    """The docstrings of a package's functions and classes, by its source."""
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    for path in sorted(Path(next(iter(spec.submodule_search_locations or ()))).rglob("*.py")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of others' escapes
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (
                text := ast.get_docstring(node)
            ):
                yield text
