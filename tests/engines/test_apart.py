"""What is installed apart from the rest, because it would change the rest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APART = Path(sys.prefix) / "apart"


def test_the_tests_of_torchao_pass_where_it_is():
    """Transformers imports torchao wherever it is installed, and that logs: so does no other test."""
    if not (APART / "torchao").is_dir() and not os.environ.get("HF_MAGICS_REQUIRE_ENGINES"):
        pytest.skip("./tests/run installs torchao apart")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/engines/test_quantized.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(APART)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
