"""Virtual environments in layers: one torch is installed for all, and seen by a path file, not copied."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.hub.children import ROOT

CONSTRAINTS = ROOT / "examples" / "constraints.txt"
VERSIONS = """
import importlib.metadata, json
print(json.dumps({one.name.lower(): one.version for one in importlib.metadata.distributions()}))
"""


@dataclass(frozen=True)
class Layer:
    """A virtual environment that sees what is installed in others under it."""

    folder: Path
    under: tuple[Path, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @functools.cached_property
    def packages(self) -> Path:
        """Where it installs to."""
        done = run([self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        return Path(done.stdout.strip())

    def make(self) -> Layer:
        """Make the environment; nothing is in it, pip neither."""
        run([sys.executable, "-m", "venv", "--without-pip", self.folder])
        (self.packages / "under.pth").write_text("\n".join(map(str, self.under)))
        return self

    def install(self, *what: str | Path) -> Layer:
        """Install with the tester's pip; only wheels, since a user may have no compiler."""
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check"]
        options = ["--quiet", "--no-compile", "--only-binary", ":all:", "--constraint", CONSTRAINTS]
        run([*pip, "install", *options, *what])
        return self

    def over(self, folder: Path) -> Layer:
        """Make an environment that sees all of this one."""
        return Layer(folder, (self.packages, *self.under)).make()

    def versions(self) -> dict[str, str]:
        """What is installed in it and under it, names parted by hyphens as in pyproject.toml."""
        found = json.loads(run([self.python, "-c", VERSIONS]).stdout)
        return {name.replace("_", "-"): version for name, version in found.items()}


def run(command: list, **more) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(one) for one in command], capture_output=True, encoding="utf-8", check=False, **more
    )
    said = f"exit {done.returncode} of {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, said
    return done
