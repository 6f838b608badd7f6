"""The program behind `run_ipython`: cells as JSON on stdin, what became of them on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


def main() -> None:
    """Run each cell in one shell, and print one line of JSON in the end."""
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False  # no database file, and no thread that writes to it
    shell.run_line_magic("colors", "nocolor")
    print(json.dumps([run(shell, cell) for cell in json.load(sys.stdin)]))


def run(shell: InteractiveShell, cell: str) -> dict[str, Any]:
    """Run one cell as if it were typed, with what it prints and displays caught."""
    with capture_output(display=False) as caught:
        ran = shell.run_cell(cell, store_history=True)
    error = ran.error_before_exec or ran.error_in_exec
    return {
        "stdout": caught.stdout,
        "stderr": caught.stderr,
        "result": None if ran.result is None else repr(ran.result),
        "error": None if error is None else type(error).__name__,
        "message": None if error is None else str(error),
    }


if __name__ == "__main__":
    main()
