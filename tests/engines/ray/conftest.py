"""Ray has processes of its own, and wants more than one core for them."""

import os

import pytest

from tests.conftest import ALL_CORES


@pytest.fixture(scope="package", autouse=True)
def _cores():
    if not ALL_CORES:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ALL_CORES)
    yield
    os.sched_setaffinity(0, before)
