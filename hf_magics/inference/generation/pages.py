"""The page of a generation: the text on its tints, the tokens, and how much was written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from hf_magics.display.numbers import plural, prob, seconds
from hf_magics.display.parts import Bar, Cell, Column, Fold, Marked, Part, Span, Table, Text
from hf_magics.display.words import left_out, shortened
from hf_magics.inference.generation.recording import Step
from hf_magics.inference.generation.written import Sequence_, Written

_MOST_SPANS = 400  # a page of 64 KiB has room for so many
_MOST_ROWS = 20  # of the folded table: a page is 16 KiB then
_NEXT = 3  # alternatives beside a token


def parts(
    prompts: tuple[str, ...], written: Written, words: Mapping[int, str], rows: int
) -> tuple[Part, ...]:
    """Return the text of each prompt, the folded table of its tokens, and the last line.

    Args:
        prompts: What was written on.
        written: What was written.
        words: The tokens that it names, as they are read.
        rows: How many rows a table shows.
    """
    known = any(_known(step) for one in written.sequences for step in one.steps)
    folded = (_tokens(written, words, rows),) if known else ()
    legend = (Text(_legend(written)),) if known else ()
    return (*_texts(prompts, written, rows), *legend, *folded, Text(last_line(written)))


def last_line(written: Written) -> str:
    """Say how many tokens went in and came out, how fast, and why it stopped."""
    speed = ""
    if written.new_tokens and written.seconds:
        speed = f", {written.new_tokens / written.seconds:,.1f} tokens/s"
    read = written.prompt_tokens
    came = "? tokens" if read is None else plural(read, "token")
    counted = f"{came} in, {written.new_tokens:,} out"
    drawn = f" {written.drawn[:1].upper()}{written.drawn[1:]}." if written.drawn else ""
    return f"{counted} in {seconds(written.seconds)}{speed}; stopped: {_stops(written)}.{drawn}"


def marked(one: Sequence_, *, processed: bool, most: int) -> Marked:
    """Return a text with a tint for each token, the first ``most`` of them."""
    spans = [
        Span(start, end, _label(step, processed=processed), "", _strength(step))
        for step, (start, end) in zip(one.steps[:most], one.spans, strict=False)
        if end > start and _known(step)
    ]
    return Marked(one.text, tuple(spans))


def _texts(prompts: tuple[str, ...], written: Written, rows: int) -> Iterator[Part]:
    sequences = written.sequences[:rows]
    share = _MOST_SPANS // max(1, len(sequences))
    texts = [marked(one, processed=written.processed, most=share) for one in sequences]
    if len(written.sequences) == 1:
        yield Text(shortened(prompts[0]))
        yield texts[0] if texts[0].text else Text("(nothing was written)")
        return
    several = max(one.number for one in written.sequences) > 1
    columns = (Column("prompt"), *([Column("number", "right")] if several else []))
    cells: list[tuple[Cell, ...]] = [
        (
            shortened(prompts[one.line - 1]),
            *([str(one.number)] if several else []),
            text,
            one.stop,
        )
        for one, text in zip(sequences, texts, strict=True)
    ]
    more = left_out(len(written.sequences), rows)
    yield Table(
        (*columns, Column("written"), Column("stopped")), tuple(cells), "What was written", more
    )


def _legend(written: Written) -> str:
    said = (
        "The stronger the tint, the less likely the token ([brackets] in text: under one tenth); "
    )
    if written.chances:
        said += written.chances
    elif written.processed:
        said += "probabilities are those after the processors (penalties, temperature, top-k …)"
    else:
        said += "probabilities are raw, no processor changed them"
    longest = max(len(one.ids) for one in written.sequences) * len(written.sequences)
    if longest > _MOST_SPANS:
        said += f"; the first {_MOST_SPANS // len(written.sequences)} tokens are tinted"
    return said + "."


def _tokens(written: Written, words: Mapping[int, str], rows: int) -> Fold:
    steps = [(one, step) for one in written.sequences for step in one.steps]
    several = len(written.sequences) > 1
    shown = tuple(
        (*([_name(one)] if several else []), *_row(step, words, processed=written.processed))
        for one, step in steps[: min(rows, _MOST_ROWS)]
    )
    columns = [
        *([Column("text")] if several else []),
        Column("token", mono=True),
        Column("after processors" if written.processed else "probability"),
        Column("rank", "right"),
        *([Column("raw", "right")] if written.processed else []),
        Column("instead", mono=True),
        *([Column("raw, instead", mono=True)] if written.processed else []),
    ]
    table = Table(
        tuple(columns), shown, "Each token as it was chosen", left_out(len(steps), len(shown))
    )
    return Fold(f"{plural(len(steps), 'token')} with what else was likely", (table,))


def _row(step: Step, words: Mapping[int, str], *, processed: bool) -> tuple[Cell, ...]:
    raw = (_prob(step.raw_prob),) if processed else ()
    chosen = "?" if math.isnan(step.prob) else Bar(step.prob, prob(step.prob))
    return (
        *(words[step.id], chosen, str(step.rank or "?"), *raw),
        _instead(step.id, step.top, words),
        *([_instead(step.id, step.raw_top, words)] if processed else []),
    )


def _instead(chosen: int, top: tuple[tuple[int, float], ...], words: Mapping[int, str]) -> str:
    others = [f"{words[one]} {prob(value)}" for one, value in top if one != chosen]
    return ", ".join(others[:_NEXT])


def _name(one: Sequence_) -> str:
    return f"{one.line}.{one.number}" if one.number > 1 else str(one.line)


def _label(step: Step, *, processed: bool) -> str:
    raw = f" (raw {_prob(step.raw_prob)})" if processed and step.raw_prob != step.prob else ""
    return f"{_prob(step.prob)}{raw}, rank {step.rank or '?'}"


def _known(step: Step) -> bool:
    return not math.isnan(step.prob)


def _prob(value: float) -> str:
    return "?" if math.isnan(value) else prob(value)


def _strength(step: Step) -> float:
    return 0.0 if math.isnan(step.prob) else 1 - step.prob


def _stops(written: Written) -> str:
    counted = Counter(one.stop for one in written.sequences)
    if len(written.sequences) == 1 or len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{number} × {stop}" for stop, number in counted.items())
