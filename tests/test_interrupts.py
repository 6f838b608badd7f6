"""An interrupt comes where it leaves nothing half done: no module, no change to be taken back."""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref

import pytest

from hf_magics.interrupts import orderly_interrupts

WAIT_S = 20  # in which an interrupt comes, on a busy machine too

START = """
import os, signal, sys
class Interrupts:
    def find_spec(self, name, *_):
        if name == WHILE:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
"""
CLASS = """
from transformers import BertConfig
from hf_magics.modeling.architectures import choose_class
def use():
    return choose_class(BertConfig())
WHILE = "transformers.models.bert.modeling_bert"
"""
PACKAGE = """
from hf_magics.optional import optional
def use():
    return optional("pyarrow.parquet", extra="data"), None
WHILE = "pyarrow._parquet"
"""
END = """
try:
    use()
except KeyboardInterrupt:
    assert WHILE in sys.modules, "broken off"
else:
    raise AssertionError("the interrupt was lost")
print(use()[0].__name__)
"""


@pytest.mark.parametrize(("use", "name"), [(CLASS, "BertModel"), (PACKAGE, "pyarrow.parquet")])
def test_an_import_is_not_broken_off(use, name):
    """Neither that of a model's class nor that of an optional package."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(use + START + END)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == [name], done.stderr[-2_000:]


def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)


class Changing:
    """Changes something for the length of a block, and is interrupted while it does."""

    def __init__(self, *, entering=False, leaving=False):
        self.entering, self.leaving, self.changed = entering, leaving, False

    def __enter__(self):
        if self.entering:
            interrupt()
        self.changed = True

    def __exit__(self, *_):
        if self.leaving:
            interrupt()
        self.changed = False


@pytest.mark.parametrize("when", ["entering", "leaving"])
def test_a_block_is_entered_and_left_whole(when):
    """The interrupt comes after, in the same call of a verb, and once."""
    one = Changing(**{when: True})
    with pytest.raises(KeyboardInterrupt), orderly_interrupts():
        run(one)
    assert not one.changed


def run(block=None):
    """Go on for as long as nothing comes, in the block and after it."""
    with block or contextlib.nullcontext():
        time.sleep(0.1)
    time.sleep(WAIT_S)
    raise AssertionError("the interrupt was lost")


def test_what_ends_with_the_verb_is_interrupted_at_its_end():
    """Where no moment comes that is better."""
    one = Changing(leaving=True)
    with pytest.raises(KeyboardInterrupt), orderly_interrupts(), one:
        pass
    assert not one.changed
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_is_not_lost_where_the_verb_fails_meanwhile():
    """It waited for the end of a block, and the block ended in an error of its own."""

    class Entering:
        def __enter__(self):
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

        def __exit__(self, *_):
            """Nothing to leave."""

    with pytest.raises(KeyboardInterrupt), orderly_interrupts(), Entering():
        pass


def test_an_interrupt_is_not_lost_where_an_object_goes():
    """Python shows one that is raised there as ignored, and goes on."""
    seen = weakref.WeakSet()
    seen.data = Forgetting()
    for kind in (Going, Plain):
        with pytest.raises(KeyboardInterrupt), orderly_interrupts():
            let_go([kind()], seen)


def let_go(held, seen):
    if isinstance(held[0], Plain):
        seen.add(held[0])
    held.clear()
    run()


class Forgetting(set):
    """What a weak set keeps: an interrupt comes when something in it goes."""

    def discard(self, one):
        """Take one out."""
        interrupt()
        super().discard(one)


class Plain:
    """Goes in silence."""


class Going:
    """An interrupt comes when it goes."""

    def __del__(self):
        interrupt()


def test_a_block_that_takes_long_to_begin_is_broken_off():
    """A server that does not come up is not waited for."""

    @contextlib.contextmanager
    def slow():
        interrupt()
        time.sleep(WAIT_S)
        ended.append(True)
        yield

    ended = []

    with pytest.raises(KeyboardInterrupt), orderly_interrupts():
        run(slow())
    assert not ended


def test_a_block_of_others_around_the_verb_does_not_count():
    """What a notebook calls in an ``__enter__`` of its own is broken off at once."""

    class Around:
        def __enter__(self):
            with orderly_interrupts():
                interrupt()
                steps.append("went on")

        def __exit__(self, *_):
            pass

    steps = []
    with pytest.raises(KeyboardInterrupt), Around():
        pass
    assert steps == []


def test_an_import_within_a_verb_is_not_broken_off(tmp_path, monkeypatch):
    """However long it takes."""
    lines = "import os, time\nos.kill(os.getpid(), 2)\ntime.sleep(0.8)\nwhole = True\n"
    (tmp_path / "slow_to_import.py").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), orderly_interrupts():
        run(importlib.import_module("slow_to_import") and None)
    assert sys.modules.pop("slow_to_import").whole


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_process_that_has_no_handler_keeps_none(handler):
    """Where interrupts are ignored they stay ignored."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        with orderly_interrupts():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
