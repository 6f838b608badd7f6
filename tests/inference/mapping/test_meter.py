"""The line of progress: rows, tokens per second, and the seconds that are left."""

import contextlib
import gzip
import re
import time
from types import SimpleNamespace

import pytest

from hf_magics.inference.mapping import meter
from hf_magics.inference.mapping.meter import Speed
from hf_magics.inference.mapping.opening import open_source


@pytest.fixture
def said(monkeypatch):
    """What the line says."""
    lines = []

    @contextlib.contextmanager
    def progress(_):
        yield SimpleNamespace(say=lines.append)

    monkeypatch.setattr(meter, "progress", progress)
    return lines


def left(line) -> float:
    """The seconds that are left, as the line has them."""
    number, unit = re.search(r"· ([\d.]+) (ms|s) left", line).groups()
    return float(number) / (1_000 if unit == "ms" else 1)


def test_a_job_of_one_window_says_how_far_it_is(said):
    """Row by row, and not at its end alone."""
    started = time.perf_counter()
    with Speed(open_source(["a"] * 100, "texts"), 0) as speed:
        time.sleep(0.2)
        speed.advance(500, 50)
    assert "texts: 50 of 100 rows" in said[0]
    spent = time.perf_counter() - started
    assert 0.2 <= left(said[0]) <= spent + 0.001  # as long again; the line is rounded


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("start", [0, 5_000])
def test_a_file_says_what_is_left(said, tmp_path, packed, start):
    """By the bytes that were read, packed or not; where it goes on, from there."""
    path = tmp_path / ("a.txt.gz" if packed else "a.txt")
    opener = gzip.open if packed else open
    with opener(path, "wt") as file:
        file.writelines(f"{hash(('line', n))} {n * 7919 % 10_007}\n" for n in range(10_000))
    source = open_source(path)
    started = time.perf_counter()
    with Speed(source, start) as speed:
        windows = source.windows(1_000, 10**9, start)
        for count in range(1, 4):
            window = next(windows)
            time.sleep(0.1)
            speed.advance(10, 1_000)
            speed.finish(window.start + len(window.rows))
            speed.advance(10, 0)
            rest = (10_000 - start) // 1_000 - count
            expected = (time.perf_counter() - started) / count * rest
            assert expected / 2 < left(said[-1]) < expected * 1.5, (said[-1], expected)
