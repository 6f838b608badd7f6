"""``%hf_chat`` in a real shell: a line, a cell, a variable, and errors of one line."""

import io
import sys

import pytest

import hf_magics as hf
from tests.inference.plain import notes


@pytest.fixture
def chatting(shell, talker):
    return shell


def users(result):
    return [one["content"] for one in result.messages if one["role"] == "user"]


def test_a_line_and_a_cell_are_a_turn_each(chatting):
    """A cell is one turn with its line breaks; options stand before the text."""
    chatting.run("%hf_chat --max-new-tokens 3 --temperature 0 hello there")
    turn = chatting.run('%%hf_chat --max-new-tokens 3 --system "Be brief."\nWhy\n\nso?\n')
    assert users(turn) == ["Why\n\nso?"]
    assert turn.messages[0] == {"role": "system", "content": "Be brief."}
    assert any("a new conversation" in note for note in notes(turn))
    assert len(turn.ids) == 3
    chatting.names["said"] = "from a variable"
    assert users(chatting.run("%hf_chat --max-new-tokens 3 -i said")) == [
        "Why\n\nso?",
        "from a variable",
    ]
    assert users(chatting.run("%hf_chat --undo")) == ["Why\n\nso?"]
    assert users(chatting.run("%hf_chat")) == ["Why\n\nso?"]
    assert users(chatting.run("%%hf_chat\n \n")) == ["Why\n\nso?"]
    assert chatting.run("%hf_chat --new").messages == []


def test_a_result_is_bound_with_its_tensors(chatting):
    """``-o`` pins them, ``-q`` shows nothing."""
    chatting.run("%hf_chat --max-new-tokens 3 -q -o out hello")
    out = chatting.names["out"]
    assert out.outputs.shape == (1, out.read.tokens + 3)
    assert out.text == hf.chat().text


def test_errors_are_one_line(chatting):
    """And say what to type."""
    assert "no turn that --undo" in chatting.error("%hf_chat --undo")
    assert "given twice" in chatting.error("%%hf_chat hello\nthere\n")
    assert "did you mean '--undo'" in chatting.error("%hf_chat --undoo")
    assert "leave out one" in chatting.error("%hf_chat --undo --new")
    chatting.names["number"] = 3
    assert "a turn is one text, not int" in chatting.error("%hf_chat -i number")
    assert "no variable" in chatting.error("%hf_chat -i nothing")


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        """Say that it is one."""
        return True


def test_the_reply_is_streamed_and_nothing_of_it_is_left(chatting, monkeypatch):
    """In a terminal: the text as it comes, then an empty place for the page."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    turn = chatting.run("%hf_chat --max-new-tokens 30 -q hello")
    monkeypatch.undo()
    shown = terminal.getvalue()
    streamed, erased, left = shown.rpartition("\r\x1b[J")
    assert turn.text.strip()[:1] in streamed
    assert erased
    assert left in ("", "Out[1]: ")  # IPython's own prompt


def test_a_script_hears_each_piece(talker):
    """``on_text``: together they are the reply."""
    pieces = []
    turn = hf.chat("hello", max_new_tokens=12, on_text=pieces.append)
    assert "".join(pieces) == turn.text
    assert len(pieces) > 3
