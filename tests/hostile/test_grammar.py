"""Lines and cells of any kind: a text arrives as it was typed, and what is wrong is one line."""

import contextlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

import hf_magics as hf

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
HARD = settings(
    max_examples=int(os.environ.get("HF_MAGICS_EXAMPLES", "100")),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
WORDS = (
    *("--model", "-m", "-n", "--help", "--", "-", "---", "--no-such", "-q", "--rows", "-o"),
    *("tiny", "none", "a=1", "a=[", "=", "x==y", '"', "'", '"a b"', "\\", "C:\\new", "$tiny", "$"),
    *("{", "}", "{tiny}", "{1/0}", "{__import__('os')}", "?", "??", "%", "%%", "!", "#", ";"),
    *("\ud800", "\u202e", "\u200b", "\x1b[31m", "\0", "中文", "🤗", "<script>", "$x^2$", "~", "*"),
)
TEXT = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), min_size=1, max_size=6).map(" ".join)
MAGICS = (
    *("hf", "hf_models", "hf_use", "hf_drop", "hf_config", "hf_load", "hf_new", "hf_tokens"),
    *("hf_infer", "hf_generate", "hf_chat", "hf_layers", "hf_attention", "hf_lens", "hf_score"),
    *("hf_compare", "hf_map", "hf_explain"),
)


@pytest.fixture
def ip(shell, minilm, tmp_path, monkeypatch):
    """A shell with a tiny model, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    hf.new("bert", name="tiny", tokenizer=minilm, seed=1, vocab_size=30_522, **SIZES)
    return shell.ip


def one_line(error: BaseException | None) -> None:
    """Whether it went well, or ended with a line for the user."""
    assert error is None or type(error) is UsageError, repr(error)
    assert error is None or "\n" not in str(error)


@HARD
@given(text=TEXT)
def test_a_text_behind_two_dashes_arrives_as_typed(ip, text):
    text = " ".join(text.split())
    with contextlib.suppress(UsageError):  # a text that no tokenizer takes
        ip.run_line_magic("hf_tokens", f"-m tiny -- {text}")
        assert hf.session.steps[-1].spec.texts == (text,)


@HARD
@given(body=st.lists(TEXT, min_size=1, max_size=3))
def test_the_lines_of_a_cell_arrive_as_typed(ip, body):
    """None of them is an option, whatever it begins with."""
    lines = [" ".join(line.split()) for line in body]
    with contextlib.suppress(UsageError):
        ip.run_cell_magic("hf_tokens", "-m tiny", "\n".join(lines))
        assert hf.session.steps[-1].spec.texts == tuple(line for line in lines if line)


@HARD
@given(magic=st.sampled_from(MAGICS), line=TEXT)
def test_a_line_of_any_kind_is_answered(ip, magic, line):
    """A page, or one line: no traceback, whatever is typed."""
    result = ip.run_cell(f"%{magic} {' '.join(line.split())}", silent=True)
    one_line(result.error_in_exec)
    if "tiny" not in hf.session:
        hf.new("bert", name="tiny", seed=1, vocab_size=30_522, **SIZES)


def test_a_text_of_megabytes_is_taken(ip):
    """Cut to what the model takes, or refused: in one line."""
    for text in ("word " * 400_000, "x" * 2_000_000):
        result = ip.run_cell(f"%%hf_tokens -m tiny --max-length 16\n{text}", silent=True)
        one_line(result.error_in_exec)
