"""The fixture `lab`: notebooks in a real JupyterLab, on a screen that nobody sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .lab import Lab, chromium, find_chromium
from .server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_CHROMIUM = "no Chromium on this machine (Debian, Ubuntu: sudo apt install chromium)"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    if path := find_chromium():
        return path
    if os.environ.get("HF_MAGICS_REQUIRE_BROWSER") == "1":
        pytest.fail(NO_CHROMIUM)
    pytest.skip(NO_CHROMIUM)


@pytest.fixture(scope="session")
def lab_server(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("lab")).running() as server:
        yield server


@pytest.fixture(scope="module")
def lab_of_module(chromium_path: str, lab_server: Server) -> Iterator[Lab]:
    # Playwright runs an event loop in this thread while it lives: not for longer than a module,
    # or an `asyncio.run` of any later test would fail.
    with chromium(chromium_path) as browser:
        yield Lab(lab_server, browser)


@pytest.fixture
def lab(lab_of_module: Lab) -> Iterator[Lab]:
    """Opens notebooks; they close, and their kernels end, with the test."""
    yield lab_of_module
    lab_of_module.close()
