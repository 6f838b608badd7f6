"""The README's table of magics, written from their own help."""

from __future__ import annotations

from hf_magics.magics.magics import HFMagics, summaries

BEGIN, END = "<!-- magics -->", "<!-- /magics -->"


def table() -> str:
    """A row a magic: how it is written, and the first line of its help."""
    rows = [("magic", "what it does"), ("---", "---")]
    rows += [(f"`{name}`", summary) for name, summary in summaries(HFMagics).items()]
    return "\n".join(f"| {name} | {words.replace('|', '&#124;')} |" for name, words in rows)


def with_table(readme: str) -> str:
    """A README with the table of today between its markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md needs a line {BEGIN} and, below it, a line {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"
