"""Python and IPython in a process of their own, with an environment of their own.

The endpoint of the hub and the place of its cache are read when huggingface_hub is imported, so a
test that wants others can't ask for them in the process that pytest runs in.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parents[2]
SHELL = Path(__file__).with_name("ipython_child.py")
# all that a child gets of the tester's own: no tokens, settings or proxies
PASSED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Cell:
    """What one cell of a shell left behind.

    `result` is the repr of its value, `error` the class of what it raised, `message` its words.
    """

    stdout: str
    stderr: str
    result: str | None
    error: str | None
    message: str | None


def hub_environment(url: str, home: Path) -> dict[str, str]:
    """The variables for a child that knows one hub, and whose caches all lie under `home`."""
    own = {name: os.environ[name] for name in PASSED if name in os.environ}
    return own | {
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def put_in_cache(repo_id: str, folder: Path, commit: str, env: Mapping[str, str]) -> None:
    """Leave in the child's cache what a download of the branch `main` leaves there."""
    place = Path(env["HF_HOME"], "hub", f"models--{repo_id.replace('/', '--')}")
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)


def run_python(
    code: str, env: Mapping[str, str], *, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run code to its end, in `HOME`, where no folder is mistaken for a hub id."""
    return _run(["-c", code], env, timeout=timeout)


def run_ipython(
    cells: Iterable[str], env: Mapping[str, str], *, timeout: float = 120
) -> list[Cell]:
    """Run lines or cells, magics included, in one real shell; a failed cell stops nothing."""
    done = _run([str(SHELL)], env, timeout=timeout, stdin=json.dumps(list(cells)))
    return [Cell(**cell) for cell in json.loads(done.stdout.splitlines()[-1])]


def run_magics(lines: Iterable[str], env: Mapping[str, str], *, timeout: float = 120) -> list[Cell]:
    """Run lines in a shell that has the magics; returns what became of them, and nothing else."""
    first, *cells = run_ipython(["%load_ext hf_magics", *lines], env, timeout=timeout)
    assert first.error is None, first.message
    return cells


def one_line(cell: Cell) -> str:
    """The one line of an error that a user meets: no traceback, and nothing beside it."""
    assert cell.error == "UsageError", cell
    assert "\n" not in cell.message, cell.message
    assert "Traceback" not in cell.stdout + cell.stderr
    return cell.message


def page(cell: Cell) -> str:
    """The page of a cell that shows one, with nothing on standard error."""
    assert cell.error is None, cell.message
    assert cell.stderr == ""
    return cell.result or ""


def _run(
    arguments: list[str], env: Mapping[str, str], *, timeout: float, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=env["HOME"],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    said = f"exit {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    assert done.returncode == 0, said
    return done
