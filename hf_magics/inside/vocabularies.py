"""Two tokenizers: their vocabularies, their special tokens, and the rules by which they cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_EXAMPLES = 8
_RULES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


@dataclass(frozen=True)
class Some:
    """How many there are, and the first few of them."""

    count: int
    examples: tuple[str, ...]

    @classmethod
    def of(cls, words: Iterable[str]) -> Some:
        """Count words and keep a few."""
        listed = list(words)
        return cls(len(listed), tuple(listed[:_EXAMPLES]))


@dataclass(frozen=True)
class Vocabularies:
    """How two tokenizers differ; pairs are of the first and the second.

    ``only`` are tokens that one alone has, in the order of their IDs; ``renumbered`` those that
    have another ID in the second. ``special`` has a row a role, such as ``pad_token``, with the
    token and ID in each, where these differ. ``rules`` are the steps that differ.
    """

    kinds: tuple[str, str]
    sizes: tuple[int, int]
    only: tuple[Some, Some]
    renumbered: Some
    special: tuple[tuple[str, str, str], ...]
    rules: tuple[str, ...]

    @property
    def same_vocabulary(self) -> bool:
        """Whether each ID stands for the same token."""
        return not (self.only[0].count or self.only[1].count or self.renumbered.count)

    @property
    def same(self) -> bool:
        """Whether nothing that is known here differs."""
        return self.same_vocabulary and not self.special and not self.rules


def vocabularies_of(one: Any, other: Any) -> Vocabularies:
    """Return how two tokenizers of transformers differ."""
    first, second = one.get_vocab(), other.get_vocab()
    return Vocabularies(
        (type(one).__name__, type(other).__name__),
        (len(first), len(second)),
        (_lacking(first, second), _lacking(second, first)),
        Some.of(
            f"{token} ({at} and {second[token]})"
            for token, at in _by_id(first)
            if second.get(token, at) != at
        ),
        _special(one, other),
        _rules(one, other),
    )


def _by_id(vocabulary: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(vocabulary.items(), key=lambda item: item[1])


def _lacking(vocabulary: dict[str, int], other: dict[str, int]) -> Some:
    return Some.of(token for token, _ in _by_id(vocabulary) if token not in other)


def _special(one: Any, other: Any) -> tuple[tuple[str, str, str], ...]:
    first, second = _roles(one), _roles(other)
    rows = (
        (role, first.get(role, "—"), second.get(role, "—"))
        for role in dict.fromkeys([*first, *second])
    )
    return tuple(row for row in rows if row[1] != row[2])


def _roles(tokenizer: Any) -> dict[str, str]:
    """Return each role with its token and ID."""
    found = {}
    for role, value in tokenizer.special_tokens_map.items():
        tokens = [str(one) for one in (value if isinstance(value, list | tuple) else [value])]
        numbers = tokenizer.convert_tokens_to_ids(tokens)
        found[role] = ", ".join(f"{t} = {n}" for t, n in zip(tokens, numbers, strict=True))
    return found


def _rules(one: Any, other: Any) -> tuple[str, ...]:
    """Return the steps that differ; tokenizers without Rust tell nothing of theirs."""
    first, second = (getattr(each, "backend_tokenizer", None) for each in (one, other))
    if first is None or second is None:
        return ()
    return tuple(
        f"{name}: {left} and {right}"
        for name in _RULES
        if (left := _written(first, name)) != (right := _written(second, name))
    )


def _written(backend: Any, name: str) -> str:
    return str(getattr(backend, name) or "none")
