"""Streams: one place, not too often, nothing left."""

import io

import pytest

from hf_magics.display.progress import progress
from hf_magics.display.streaming import Stream, TerminalText, stream, streams_from


class Place:
    """Keeps what was shown."""

    def __init__(self) -> None:
        self.shown = []

    def show(self, text: str) -> None:
        """Note the text."""
        self.shown.append(text)

    def clear(self) -> None:
        """Note that it is gone."""
        self.shown.append(None)


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def on_screen(text: str) -> list[str]:
    """The lines of a terminal after it has shown this text, cursor movements obeyed."""
    lines, row, column = [""], 0, 0
    at = 0
    while at < len(text):
        if text.startswith("\x1b[J", at):
            lines[row:] = [lines[row][:column]]
            at += 3
        elif text.startswith("\x1b[", at):
            end = text.index("A", at)
            row -= int(text[at + 2 : end])
            at = end + 1
        elif text[at] in "\r\n":
            column = 0
            row += text[at] == "\n"
            lines += [""] * (row + 1 - len(lines))
            at += 1
        else:
            lines[row] = lines[row][:column] + text[at]
            column += 1
            at += 1
    return lines


def test_a_stream_is_updated_twenty_times_a_second_at_most(monkeypatch):
    """The first text is shown at once, then one every 50 ms."""
    clock = [100.0]
    monkeypatch.setattr("hf_magics.display.streaming.time.monotonic", lambda: clock[0])
    shown = Stream(place := Place())
    for at in range(1000):
        clock[0] = 100 + at / 500
        shown.show("x" * (at + 1))
    assert place.shown[0] == "x"
    assert len(place.shown) <= 40


def test_nobody_looks_unless_a_place_is_given():
    """In a script there is no stream; in a block with a place there is, empty at the end."""
    with stream() as shown:
        assert shown is None
    place = Place()
    with streams_from(lambda: place), stream() as shown:
        shown.show("a\x1b[31m")
    assert place.shown == [r"a\x1b[31m", None]


def test_a_place_is_cleared_when_the_block_fails():
    """Whatever ends it."""
    place = Place()

    def fail() -> None:
        with streams_from(lambda: place), stream() as shown:
            shown.show("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert place.shown[-1] is None


def test_progress_has_the_same_place_until_the_text_begins():
    """A line says what is done; the text takes its place, and it does not come back."""
    place = Place()
    with streams_from(lambda: place), stream() as shown, progress("reading") as meter:
        meter.at_once()
        shown.show("text")
        meter.at_once()
    assert place.shown == ["reading …", "text", None]


def test_a_terminal_shows_the_end_and_then_nothing(monkeypatch):
    """Never more lines than the screen has; wide characters are counted as two."""
    monkeypatch.setenv("COLUMNS", "11")
    monkeypatch.setenv("LINES", "6")
    file = Terminal()
    place = TerminalText(file)
    file.write("above\n")
    place.show("one two three four five six seven eight nine ten")
    assert on_screen(file.getvalue()) == [
        "above",
        "ree four f",
        "ive six se",
        "ven eight ",
        "nine ten",
    ]
    place.show("日本語日本語")
    assert on_screen(file.getvalue()) == ["above", "日本語日本", "語"]
    place.clear()
    assert on_screen(file.getvalue()) == ["above", ""]
    place.clear()
    assert on_screen(file.getvalue()) == ["above", ""]


def test_what_is_no_terminal_is_left_alone():
    """A file gets nothing."""
    file = io.StringIO()
    place = TerminalText(file)
    place.show("text")
    place.clear()
    assert file.getvalue() == ""
