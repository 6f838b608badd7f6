"""Scripts run where their owner takes them: a fresh process that can't import hf_magics.

One process imports torch and transformers, and nothing of ours, and waits; each script runs in a
fork of it, so that it begins as fresh and takes no second more than it has to.
"""

import atexit
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

_SERVER = Path(__file__).with_name("home_server.py")
_FILL_IN = re.compile(r"^(\w+) = \.\.\.  # .*: fill it in$", re.MULTILINE)
_running: list[subprocess.Popen[str]] = []


def run_home(code: str, **given: Any) -> dict[str, Any]:
    """Run a script in a process without hf_magics, and return what its variables hold.

    Args:
        code: The script.
        given: What it leaves to be filled in, by name.

    Raises:
        AssertionError: It fails there, and the message is its traceback; or ruff finds something.
    """
    faults = lint(code)
    assert not faults, f"{faults}\n{code}"
    left = set(_FILL_IN.findall(code)) - given.keys()
    assert not left, f"to be filled in: {left}"
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        filled = _FILL_IN.sub(lambda found: f"# {found[0]}", code)
        (there / "cwd.txt").write_text(str(Path.cwd()), encoding="utf-8")
        (there / "script.py").write_text(filled, encoding="utf-8")
        # sums of one thread are others than those of two, in the last bits
        (there / "threads.txt").write_text(str(torch.get_num_threads()), encoding="utf-8")
        torch.save({name: _packed(value) for name, value in given.items()}, there / "given.pt")
        said = _ask(folder)
        assert said == "done", (there / "error.txt").read_text(encoding="utf-8")
        return torch.load(there / "found.pt", weights_only=False)


def run_alone(code: str, shown: str, **env: str | None) -> Any:
    """Run a script as `run_home` does, in a process that it has from the start, with its warnings.

    Args:
        code: The script.
        shown: An expression for what is returned, of JSON's types.
        env: Variables of the environment; None takes one away.

    Raises:
        AssertionError: It fails there, and the message is what it said.
    """
    whole = f"{_WITHOUT_US}{code}\nimport json\nprint(json.dumps({shown}))"
    around = {name: one for name, one in {**os.environ, **env}.items() if one is not None}
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, check=False, env=around
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_WITHOUT_US = 'import sys\nsys.modules["hf_magics"] = None\n'


def _packed(value: Any) -> Any:
    """Return a model without what keeps it from another process: hooks that are closures."""
    if not isinstance(value, torch.nn.Module):
        return value
    bare = copy.deepcopy(value)
    for module in bare.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    # transformers has hooks of its own there, which it installs again where this is not set
    bare.__dict__.pop("_output_capturing_hooks_installed", None)
    return bare


def on_given(code: str) -> str:
    """Return a script that makes a random model as one that takes the model ``given``."""
    return code.replace("model.eval()", "model = given  # noqa: F821\nmodel.eval()")


def lint(code: str) -> str:
    """Return what ruff finds in a script, imports out of order among it."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--stdin-filename"]
    rules = ["script.py", "--select", "E4,E7,E9,F,I,W", "-"]
    done = subprocess.run(
        [*command, *rules], input=code, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _ask(folder: str) -> str:
    if not _running or _running[0].poll() is not None:
        _running[:] = [_started()]
    server = _running[0]
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{folder}\n")
    server.stdin.flush()
    return server.stdout.readline().strip()


def _started() -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    server = subprocess.Popen(
        [sys.executable, "-P", str(_SERVER)], stdin=pipe, stdout=pipe, text=True, cwd="/"
    )
    atexit.register(server.kill)
    return server
