"""The paths of modules: which one was meant by one that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hf_magics.display.words import nearest
from hf_magics.errors import InputError

_NUMBER = re.compile(r"\.\d+(?=\.|$)")


def folded(paths: Iterable[str]) -> list[str]:
    """Return paths as patterns, once each: ``encoder.layer.*.output`` for those of all blocks."""
    return list(dict.fromkeys(_NUMBER.sub(".*", path) for path in paths if path))


def paths_like(paths: Iterable[str], wanted: str) -> str:
    """Return a hint at the path, or the step of one, nearest to what was not found."""
    listed = folded(paths)
    steps = [step for path in listed for step in path.split(".") if step != "*"]
    return nearest(wanted, dict.fromkeys([*listed, *steps]))


def need_match(found: Iterable[Any], paths: Iterable[str], asked: str, option: str) -> None:
    """Refuse a pattern that matches no module.

    Raises:
        InputError: Naming the nearest paths.
    """
    if not list(found):
        raise InputError(
            f"{option} {asked}: no module has such a path{paths_like(paths, asked)}; %hf_layers "
            "shows them"
        )
