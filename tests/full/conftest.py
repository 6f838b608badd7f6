"""The wheel, the environments that it is installed in, and what is run there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.full.declared import BOUNDS
from tests.full.layers import Layer, run
from tests.hub.checkpoints import save_tiny_bert
from tests.hub.children import ROOT, hub_environment
from tests.hub.server import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator

SMOKE = Path(__file__).with_name("smoke.py")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this tree, built as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT])
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def torch_alone(tmp_path_factory) -> Layer:
    """An environment with torch and what it needs."""
    return Layer(tmp_path_factory.mktemp("torch") / "env", ()).make().install("torch")


@pytest.fixture(scope="session")
def installed(tmp_path_factory, torch_alone, wheel) -> Layer:
    """``pip install hf-magics`` in a fresh environment: the newest of everything else."""
    return torch_alone.over(tmp_path_factory.mktemp("installed") / "env").install(wheel)


@pytest.fixture(scope="session")
def oldest(tmp_path_factory, torch_alone, wheel) -> Layer:
    """The lower bound of each dependency in pyproject.toml, but torch's."""
    layer = torch_alone.over(tmp_path_factory.mktemp("oldest") / "env")
    return layer.install(wheel, *(f"{name}=={version}" for name, version in BOUNDS.items()))


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> Iterator[Hub]:
    """A hub with one tiny BERT on it."""
    with Hub() as hub:
        hub.add("org/tiny-bert", save_tiny_bert(tmp_path_factory.mktemp("hub") / "bert", seed=0))
        yield hub


@pytest.fixture
def env(hub, tmp_path) -> dict[str, str]:
    """The variables of a child: the installed package is its only one."""
    own = hub_environment(hub.url, tmp_path)
    del own["PYTHONPATH"]
    return own


@pytest.fixture
def child(env, tmp_path):
    """Runs code in an environment, in an empty folder; returns what it printed."""

    def go(layer: Layer, code: str) -> str:
        return run([layer.python, "-c", code], env=env, cwd=tmp_path, timeout=300).stdout

    return go


@pytest.fixture
def smoke(env, tmp_path, minilm):
    """Runs the main job in an environment; returns the versions that it ran with."""

    def go(layer: Layer) -> dict[str, str]:
        command = [layer.python, SMOKE, minilm, "org/tiny-bert"]
        done = run(command, env=env, cwd=tmp_path, timeout=300)
        versions = json.loads(done.stdout.splitlines()[-1])
        print(versions)  # shown with -s: which versions "newest" were
        return versions

    return go
