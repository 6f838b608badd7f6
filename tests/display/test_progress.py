"""The line of progress: there after a second, one for all that is inside, gone at the end."""

from __future__ import annotations

import time

import pytest

from hf_magics.display import progress as module
from hf_magics.display.progress import lines_from, progress


@pytest.fixture
def said(monkeypatch):
    """What lines show, "" where one is taken away; patience is short here."""
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(module, "_PERIOD_S", 0.0)
    shown: list[str] = []

    class Line:
        def show(self, text: str) -> None:
            shown.append(text)

        def clear(self) -> None:
            shown.append("")

    with lines_from(Line):
        yield shown


def wait_for(said: list[str], count: int) -> None:
    end = time.monotonic() + 5
    while len(said) < count and time.monotonic() < end:
        time.sleep(0.005)


def test_short_work_shows_nothing(said, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 60)
    with progress("quick") as meter:
        meter.advance(1, 2)
    assert said == []


def test_work_that_counts_nothing_is_named_too(said):
    """A hub that is slow to answer gives nothing to count: the label comes by itself."""
    with progress("asking the hub"):
        wait_for(said, 1)
    assert said == ["asking the hub …", ""]


def test_what_was_said_early_is_shown_when_the_line_comes(said):
    """The size of a download is known before its first bytes, which may take long."""
    with progress("loading") as meter:
        meter.advance(0, 440_000_000, "B", "downloading")
        wait_for(said, 1)
    assert said == ["downloading: 0 B of 440.0 MB", ""]


def test_a_block_inside_shares_the_line(said):
    """One line tells of all: its parts name themselves, and the whole is named after them."""
    with progress("loading") as outer:
        with progress("downloading") as inner:
            assert inner is outer
            inner.at_once()
        outer.at_once()
    assert said == ["downloading …", "loading …", ""]


def test_a_late_thread_brings_no_line_back(said):
    """A download that goes on after an error or an interrupt finds the line gone."""
    with progress("loading") as meter:
        meter.at_once()
    meter.at_once()
    meter.advance(1, 2)
    assert said == ["loading …", ""]
