"""The line of progress: there after a second, one for all that is inside, gone at the end."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tqdm import tqdm

from hf_magics.display import progress as module
from hf_magics.display.progress import Nowhere, TerminalLine, lines_from, progress


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


def test_the_speed_of_a_block_is_its_own_again_after_one_inside(said):
    """The bytes of the outer one came in all of its time, and not since the inner one began."""
    with progress("outer") as meter:
        begun = meter._part_started
        with progress("inner"):
            assert meter._part_started > begun
        assert meter._part_started == begun


def test_each_thread_has_its_lines_where_it_wants_them():
    """Also where two leave in the order in which they came: neither takes the other's."""

    def places(begin: threading.Event, end: threading.Event) -> list[type]:
        begin.wait()
        with lines_from(Nowhere):
            there.set()
            end.wait()
            with progress("in the thread") as meter:
                return [meter._make_line]

    class Elsewhere(Nowhere):
        """Where the lines of this thread go."""

    begin, there, end = threading.Event(), threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as at_the_end:
        at_the_end.callback(end.set)  # the pool waits for its thread
        with lines_from(Elsewhere):
            found = pool.submit(places, begin, end)
            begin.set()
            there.wait()
            with progress("here") as meter:
                assert meter._make_line is Elsewhere
        with progress("behind") as meter:
            assert meter._make_line is TerminalLine
        end.set()
        assert found.result() == [Nowhere]


def test_what_cannot_be_seen_is_an_escape(said):
    """A folder, a model or a bar of a library may have any name: the line stays one."""
    with progress("loading \x1b[31m\u202ered") as meter:
        meter.at_once()
        meter.say("a\nb\r\x9bc")
        meter.at_once()
    assert said == [r"loading \x1b[31m\u202ered …", *[r"a\nb\r\x9bc"] * (len(said) - 2), ""]
    assert len(said) > 2


def test_a_late_thread_brings_no_line_back(said):
    """A download that goes on after an error or an interrupt finds the line gone."""
    with progress("loading") as meter:
        meter.at_once()
    meter.at_once()
    meter.advance(1, 2)
    assert said == ["loading …", ""]


def test_a_long_text_is_cut_to_the_line(terminal, monkeypatch):
    """What goes over the end of a line could not be taken back."""
    monkeypatch.setenv("COLUMNS", "20")
    line = TerminalLine()
    line.show("loading " + "x" * 40)
    line.clear()
    written = terminal()
    drawn = [part.rstrip() for part in written.split("\r") if part.strip()]
    assert drawn == ["loading xxxxxxxxxx…"]
    assert "\n" not in written


def test_a_bar_of_another_library_is_not_moved_by_ours(terminal):
    """It begins in its own first row: else it would move the cursor, and ours with it."""
    line = TerminalLine()
    line.show("loading")
    text = io.StringIO()
    with tqdm(total=2, file=text, ascii=True) as other:
        other.update()
    line.clear()
    assert "\x1b" not in text.getvalue()
    assert "\n" not in text.getvalue().rstrip("\n")


@pytest.fixture
def terminal(monkeypatch):
    """A real terminal as standard error; gives a function that reads all that was written.

    It passes on what is written when it comes to that: one read may find only the start of it.
    """
    other_end, end = pty.openpty()

    def written() -> str:
        file.write("\0")
        file.flush()
        text = b""
        while not text.endswith(b"\0"):
            text += os.read(other_end, 4096)
        return text[:-1].decode()

    with os.fdopen(end, "w") as file:
        monkeypatch.setattr("sys.__stderr__", file)
        yield written
    os.close(other_end)
