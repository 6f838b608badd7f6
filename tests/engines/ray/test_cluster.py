"""Ray that is started for a job goes with it, in silence; one that is not there is told at once."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

ROOT = str(Path(__file__).parents[3])


def run(code: str, **env: str) -> subprocess.CompletedProcess:
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
        env={**os.environ, "PYTHONPATH": ROOT, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_comes_and_goes_without_a_word():
    """Started for the job, gone after it; stderr has nothing but our one line of progress."""
    done = run(
        """
        import logging, ray, ray.data
        log = logging.getLogger("ray.data")
        level = log.level
        far = hf.map(ids, task="embed", on="ray")
        assert not ray.is_initialized()
        assert log.level == level
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


def ray_runs():
    """Whether this machine has a cluster, as another process of the tests may have begun one."""
    return any(one.info["name"] == "gcs_server" for one in psutil.process_iter(["name"]))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_a_cluster_that_is_not_there_is_one_line(address):
    """At once, and what is finished stays."""
    alone = not ray_runs()
    done = run(
        f"""
        import time
        started = time.monotonic()
        try:
            hf.map(ids, task="embed", on="ray", address="{address}")
        except hf.HFMagicsError as error:
            print(error)
        assert time.monotonic() - started < 60
        """
    )
    if address == "auto" and not (alone and not ray_runs()):
        pytest.skip("auto finds the cluster of another test")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"no Ray cluster answers at {address}")
    assert "ray start --head" in done.stdout


TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a cluster that ``ray start`` has started, which asks for a token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("r")
    ray = Path(sys.executable).with_name("ray")
    options = f"--block --port={port} --node-ip-address=127.0.0.1 --temp-dir={folder} --num-cpus=2"
    with subprocess.Popen(
        [ray, "start", "--head", "--include-dashboard=false", *options.split()],
        env={**os.environ, **TOKEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as started:
        wait_for(port, started)
        yield f"127.0.0.1:{port}"
        for one in psutil.Process(started.pid).children(recursive=True):
            one.kill()  # asked to end, it takes half a minute


def wait_for(port: int, started: subprocess.Popen) -> None:
    """Wait until something listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end and started.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("ray start has not started")


ON_IT = """
    import numpy as np
    near = hf.map(ids, task="embed")
    try:
        for _ in range(2):
            far = hf.map(ids, task="embed", on="ray", address="{address}")
            print(np.abs(far.embeddings - near.embeddings).max() < 1e-5)
    except hf.HFMagicsError as error:
        print(error)
"""


@pytest.mark.full
def test_a_cluster_that_was_started_elsewhere_is_used_and_left(served):
    """Twice the answers of the local map: the first job has not taken the cluster down."""
    done = run(ON_IT.format(address=served), **TOKEN)
    assert done.stdout == "True\nTrue\n", done.stderr


@pytest.mark.full
def test_a_cluster_that_asks_for_a_token_says_what_to_type(served):
    """Ray itself says only that it has failed to connect."""
    done = run(ON_IT.format(address=served), RAY_AUTH_MODE="disabled")
    assert done.stdout.startswith(f"the Ray cluster at {served} asks for its token"), done.stderr
    assert "%env RAY_AUTH_MODE=token" in done.stdout
