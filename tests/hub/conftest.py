"""A hub with something on it, and the environment of a child process that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hub.checkpoints import save_tiny_bert
from tests.hub.children import hub_environment
from tests.hub.server import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two tiny BERTs, equal but for their weights: what the hub serves as `main` and as `v1`."""
    root = tmp_path_factory.mktemp("checkpoints")
    seeds = {"main": 0, "v1": 1}
    return {name: save_tiny_bert(root / name, seed) for name, seed in seeds.items()}


@pytest.fixture
def hub(checkpoints: dict[str, Path]) -> Iterator[Hub]:
    """A running hub: org/tiny-bert (revisions main and v1), org/private-bert and org/gated-bert."""
    main, v1 = checkpoints["main"], checkpoints["v1"]
    with Hub() as hub:
        hub.add("org/tiny-bert", main, revisions={"v1": v1})
        hub.add("org/private-bert", main, private=True)
        hub.add("org/gated-bert", main, gated=True)
        yield hub


@pytest.fixture
def hub_env(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """For `run_python` and `run_ipython`: this hub, an empty cache, no token."""
    return hub_environment(hub.url, tmp_path)
