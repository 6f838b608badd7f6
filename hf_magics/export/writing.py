"""Code to a file: a script, or a notebook of plain cells. It lands whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_magics.errors import SaveError
from hf_magics.paths import path_of

# nbformat's schema 4.5: https://nbformat.readthedocs.io/en/latest/format_description.html
_NOTEBOOK = {
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def write(where: str, text: str, *, suffix: str, overwrite: bool) -> None:
    """Write a text to a file.

    Args:
        where: Its path; ``~`` is the home folder.
        text: What goes in.
        suffix: What the path has to end in.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        SaveError: It has another ending, the file is there already, or it can't be written.
    """
    target = path_of(where, SaveError)
    if target.suffix != suffix:
        raise SaveError(f"{where} is to end in {suffix}")
    if target.exists() and not overwrite:
        raise SaveError(f"{where} is there already: --overwrite replaces it")
    try:
        _replace(target, text)
    except OSError as error:
        raise SaveError(f"{where} can't be written: {error.strerror or error}") from error


def _replace(target: Path, text: str) -> None:
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(beside).chmod(0o666 & ~mask)  # mkstemp lets the owner alone read it
        Path(beside).replace(target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def notebook(cells: Sequence[tuple[str, str]]) -> str:
    """Return a notebook: a text, where there is one, and a code cell for each pair."""
    made: list[dict[str, Any]] = []
    for text, code in cells:
        if text:
            made.append({"cell_type": "markdown", "metadata": {}, "source": text})
        made.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": code.strip("\n"),
            }
        )
    numbered = [one | {"id": f"step-{number}"} for number, one in enumerate(made)]
    for one in numbered:
        one["source"] = one["source"].splitlines(keepends=True)
    return json.dumps({"cells": numbered, **_NOTEBOOK}, indent=1, ensure_ascii=False) + "\n"
