"""A marked text, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

from hf_magics.display.parts import Marked, Span


def segments(marked: Marked) -> Iterator[tuple[str, Span | None]]:
    """The pieces of a text in order, each with its span; together they are the whole text.

    Spans with nothing in them are skipped: special tokens have such, and so have all but the
    first of the tokens that share one character.
    """
    at = 0
    for span in marked.spans:
        start, end = max(at, span.start), min(span.end, len(marked.text))
        if start >= end:
            continue
        if at < start:
            yield marked.text[at:start], None
        yield marked.text[start:end], span
        at = end
    if at < len(marked.text):
        yield marked.text[at:], None
