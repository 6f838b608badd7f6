"""An interrupt in the middle of a lazy import comes after it, and leaves no half of a module."""

import subprocess
import sys
import textwrap

import pytest

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
