"""Lines that several tests type, and how a page is compared."""

import re

SIZES = "hidden_size=32 num_hidden_layers=1 num_attention_heads=2 intermediate_size=32"
_TIMES = re.compile(r"\d[\d.,]*\s?(ns|µs|us|ms|s|min)\b")


def tiny_line(name: str, more: str = "") -> str:
    """The line that makes a tiny BERT."""
    return f"%hf_new bert {SIZES} -n {name} {more}".rstrip()


def page_of(result) -> str:
    """A page as text, without the seconds that things took."""
    return _TIMES.sub("…", repr(result.page()))
