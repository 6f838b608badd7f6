"""An interrupt keeps what was written."""

import contextlib
import itertools
import os
import signal

import hf_magics as hf
from tests.inference.plain import notes


@contextlib.contextmanager
def interrupted_at(writer, step):
    """SIGINT comes in this forward pass."""
    calls = itertools.count(1)

    def interrupt(*_):
        if next(calls) == step:
            os.kill(os.getpid(), signal.SIGINT)

    handle = writer.model.register_forward_pre_hook(interrupt)
    try:
        yield
    finally:
        handle.remove()


def test_an_interrupt_keeps_what_was_written(writer):
    """A real SIGINT after some tokens: no error, those tokens, a note, and a model that is ready."""
    whole = hf.generate("one")
    for after in (1, 3, 7):
        seen = []

        def interrupt(piece, seen=seen, after=after):
            seen.append(piece)
            if len(seen) == after:
                os.kill(os.getpid(), signal.SIGINT)

        result = hf.generate("one", on_text=interrupt)
        assert after <= len(result.ids[0]) <= after + 1
        assert result.ids[0] == whole.ids[0][: len(result.ids[0])]
        assert f"interrupted after {len(result.ids[0])} token" in notes(result)[0]
        assert whole.text[0].startswith(result.text[0])
        assert "stopped: interrupted" in repr(result)
    assert hf.generate("one").ids == whole.ids


def test_an_interrupt_before_the_first_token_gives_an_empty_text(writer):
    """It comes while the prompt is read: the result is there, with nothing in it."""
    handle = writer.model.register_forward_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        for words in ({}, {"beams": 2}):
            result = hf.generate("one", **words)
            assert (result.text, result.ids, result.outputs) == ([""], [[]], None)
            assert any("interrupted after 0 tokens" in note for note in notes(result))
            assert "nothing was written" in repr(result)
    finally:
        handle.remove()


def test_an_interrupt_keeps_the_best_beam(writer):
    """Of beams the likeliest so far is kept."""
    with interrupted_at(writer, 5):
        result = hf.generate("one", beams=2)
    assert result.text[0]
    assert " two three four five six".startswith(result.text[0])


def test_an_interrupt_keeps_the_best_beams_of_each_prompt(writer):
    """With several sequences a text stands under the prompt that it goes on from."""
    with interrupted_at(writer, 5):
        result = hf.generate(["one", "france:"], beams=3, sequences=2)
    first, other = result.values
    assert (len(first), len(other)) == (2, 2)
    assert " two three".startswith(first[0])
    assert " paris".startswith(other[0])
    assert all(first + other)


def test_an_interrupt_of_what_is_not_recorded_says_so(writer):
    """Where several tokens are checked at once there is nothing to keep, and nothing is promised."""
    handle = writer.model.register_forward_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        result = hf.generate("one two", set={"prompt_lookup_num_tokens": 2})
    finally:
        handle.remove()
    assert result.text == [""]
    assert any("nothing is kept" in note for note in notes(result))
    assert not any("what was written is kept" in note for note in notes(result))
