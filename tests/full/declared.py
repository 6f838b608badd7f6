"""What pyproject.toml declares: dependencies with their lower bounds, and extras."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement

from tests.hub.children import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]


def named(requirement: str) -> tuple[str, str]:
    """Return ``("ipython", "9.0")`` for ``ipython>=9.0``; no version where there is none."""
    found = Requirement(requirement)
    return found.name, next((one.version for one in found.specifier), "")


def release(version: str) -> list[int]:
    """Return ``[9, 0]`` for ``9.0``, ``9.0.0`` and ``9.0+cpu``."""
    numbers = [int(one) for one in re.findall(r"\d+", version.partition("+")[0])]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


BOUNDS = {name: bound for name, bound in map(named, DEPENDENCIES) if name != "torch"}
