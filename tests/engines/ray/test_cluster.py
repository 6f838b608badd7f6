"""Ray that is started for a job goes with it, in silence; one that is not there is told at once."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

ROOT = str(Path(__file__).parents[3])


def run(code: str) -> subprocess.CompletedProcess:
    """Run a script that has a tiny model."""
    begin = """
        import hf_magics as hf
        from tests.inference.mapping.rows import TINY, rows_of
        hf.new("bert", name="small", seed=0, **TINY)
        ids = [[101, 7592 + n, 102] for n in range(40)]
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_comes_and_goes_without_a_word():
    """Started for the job, gone after it; stderr has nothing but our one line of progress."""
    done = run(
        """
        import ray
        far = hf.map(ids, task="embed", on="ray")
        assert not ray.is_initialized()
        import numpy as np
        near = hf.map(ids, task="embed")
        print(np.abs(far.embeddings - near.embeddings).max() < 1e-5)
        """
    )
    assert done.stdout == "True\n", done.stderr
    said = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.strip()]
    assert not [
        line for line in said if not line.startswith(("starting Ray", "mapping", "importing"))
    ]


def test_a_cluster_that_is_not_there_is_one_line():
    """At once, and what is finished stays."""
    done = run(
        """
        import time
        started = time.monotonic()
        try:
            hf.map(ids, task="embed", on="ray", address="127.0.0.1:1")
        except hf.HFMagicsError as error:
            print(error)
        assert time.monotonic() - started < 60
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no Ray cluster answers at 127.0.0.1:1")
    assert "ray start --head" in done.stdout
