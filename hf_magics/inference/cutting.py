"""What was lost where a text was over the limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.words import shortened


@dataclass(frozen=True)
class Cut:
    """A text that was over the limit: its number from 1, and what was lost of it."""

    line: int
    lost_tokens: int
    limit: int
    lost_text: str

    def words(self) -> str:
        """Say it in one sentence, with the text that was lost."""
        shown = shortened(self.lost_text, _SHOWN)
        return (
            f"line {self.line} is too long: it was cut to {plural(self.limit, 'token')}, and "
            f"{self.lost_tokens:,} {'was' if self.lost_tokens == 1 else 'were'} lost: “{shown}”"
        )


_SHOWN = 120


def find_cuts(
    tokenizer: Any,
    lines: Sequence[tuple[str, ...]],
    lengths: Sequence[int],
    limit: int | None,
    truncation: str = "longest_first",
) -> tuple[Cut, ...]:
    """Tokenise in full what may have been cut, and say what of it was lost.

    Args:
        tokenizer: What cut the lines.
        lines: A text each, or the two of a pair.
        lengths: Each line's tokens after the cut.
        limit: The most tokens of a line, None where there is no limit.
        truncation: Which text of a pair was cut.
    """
    if limit is None:
        return ()
    full = [number for number, length in enumerate(lengths) if length >= limit]
    found = (_cut(tokenizer, lines[number], number + 1, limit, truncation) for number in full)
    return tuple(one for one in found if one is not None)


def _cut(
    tokenizer: Any, parts: tuple[str, ...], line: int, limit: int, truncation: str
) -> Cut | None:
    whole = tokenizer(*parts, verbose=False)["input_ids"]
    lost = len(whole) - limit
    if lost <= 0:
        return None
    if tokenizer.is_fast:
        texts = _lost_stretches(tokenizer, parts, limit, truncation)
    else:
        texts = _lost_tokens(tokenizer, parts, lost, truncation)
    texts = [text.strip() for text in texts]
    return Cut(line, lost, limit, " … ".join(text for text in texts if text))


def _lost_tokens(tokenizer: Any, parts: tuple[str, ...], count: int, truncation: str) -> list[str]:
    """Return what of each text is lost, by a tokenizer without offsets that cuts so many tokens."""
    each = [tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"] for part in parts]
    cut = tokenizer.truncate_sequences(
        *each, num_tokens_to_remove=count, truncation_strategy=truncation
    )
    left = tokenizer.truncation_side == "left"
    return [
        tokenizer.decode(ids[: len(ids) - len(kept)] if left else ids[len(kept) :])
        for ids, kept in zip(each, cut, strict=False)
    ]


def _lost_stretches(
    tokenizer: Any, parts: tuple[str, ...], limit: int, truncation: str
) -> list[str]:
    """Return of each text the stretch that no kept token covers."""
    kept = tokenizer(*parts, truncation=truncation, max_length=limit, return_offsets_mapping=True)
    lost = []
    for number, part in enumerate(parts):
        spans = [
            span
            for span, sequence in zip(kept["offset_mapping"], kept.sequence_ids(0), strict=True)
            if sequence == number
        ]
        if tokenizer.truncation_side == "left":
            rest = part[: min((start for start, _ in spans), default=len(part))]
        else:
            rest = part[max((end for _, end in spans), default=0) :]
        lost.append(rest)
    return lost
