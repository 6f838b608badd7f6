"""The gallery: every page of every magic in one notebook, for whoever wants to look at them.

usage: python -m tests.browser.gallery    from the project's root; ./tests/run --gallery does that

The cells are those of the tests of the browser. What the notebook shows is as old as its last run,
so it is made anew and never committed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from .every_page import GROUPS

FILE = Path(__file__).parents[1] / "gallery.ipynb"
TIMEOUT_S = 300  # a cell


def gallery() -> NotebookNode:
    """The notebook before it has run: a heading above each group of cells."""
    cells = [new_markdown_cell("# Every page of every magic")]
    for heading, group in GROUPS.items():
        cells += [new_markdown_cell(f"## {heading}"), *map(new_code_cell, group)]
    return new_notebook(cells=cells)


def execute(notebook: NotebookNode) -> str:
    """Runs the cells from top to bottom, and says in a line which one failed, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        # a profile of its own: no start-up file of the user, no warning of the kernel's transport
        profile = Path(folder) / "ipython/profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 'ERROR'")
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env={**os.environ, "IPYTHONDIR": str(profile.parent)})
        except CellExecutionError as error:
            return f"{error.ename}: {error.evalue}"
    return ""


def main() -> int:
    notebook = gallery()
    failed = execute(notebook)
    nbformat.write(notebook, FILE)
    print(f"Every page as it ran:\n  {FILE}")
    if failed:
        print(f"One cell failed, and those after it did not run: {failed}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
