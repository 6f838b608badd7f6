"""Events of OpenAI's protocol, of a chat or a completion, as what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hf_magics.errors import EngineError
from hf_magics.inference.generation.recording import Step
from hf_magics.inference.generation.writer import Lexicon, Piece, step_of


@dataclass(frozen=True)
class Token:
    """A token with its probability, and the likeliest in its place; NaN: not told."""

    text: str
    name: str
    prob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Usage:
    """The tokens of the prompt, those of them that were in a cache, and the new ones."""

    prompt: int | None
    reused: int | None
    written: int | None


@dataclass(frozen=True)
class Delta:
    """What one event adds.

    ``tokens`` is empty where the server tells of none; ``finish`` is why the text ended and
    ``stop`` the string that ended it; ``thought`` counts characters that are not of the text.
    """

    text: str = ""
    tokens: tuple[Token, ...] = ()
    finish: str = ""
    stop: str = ""
    thought: int = 0
    usage: Usage | None = None


def read(event: dict[str, Any]) -> Delta:
    """Return what an event says.

    Raises:
        EngineError: It is none of the protocol.
    """
    try:
        return _read(event)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise EngineError("the server sent what is no event of OpenAI's protocol") from error


def pieces(delta: Delta, lexicon: Lexicon) -> Iterator[Piece]:
    """Give the pieces of an event: one a token where tokens are told, else the text as it came."""
    left = delta.text
    if left and not delta.tokens:
        yield Piece(left, step_of(lexicon.id_of(left)))
    for at, token in enumerate(delta.tokens, 1):
        last = at == len(delta.tokens)
        # a token that is part of a character comes with an empty text, or none that fits
        part = left if last else token.text if left.startswith(token.text) else ""
        left = left[len(part) :]
        yield Piece(part, _step(token, lexicon))


def _read(event: dict[str, Any]) -> Delta:
    usage = _usage(event.get("usage"))
    choice = next((one for one in event.get("choices") or () if not one.get("index")), None)
    if choice is None:
        return Delta(usage=usage)
    delta = choice.get("delta") or {}
    stop = choice.get("stop_reason")
    return Delta(
        _text(delta.get("content")) or _text(choice.get("text")),
        tuple(_tokens(choice.get("logprobs") or {})),
        _text(choice.get("finish_reason")),
        stop if isinstance(stop, str) else "",
        len(_text(delta.get("reasoning_content")) or _text(delta.get("reasoning"))),
        usage,
    )


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError(value)


def _usage(given: Any) -> Usage | None:
    if not given:
        return None
    details = given.get("prompt_tokens_details") or {}
    return Usage(
        _count(given.get("prompt_tokens")),
        _count(details.get("cached_tokens")),
        _count(given.get("completion_tokens")),
    )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _tokens(given: dict[str, Any]) -> Iterator[Token]:
    """Give the tokens of a chat (``content``), or of a completion (three lists)."""
    for one in given.get("content") or ():
        top = ((_name(other), _prob(other["logprob"])) for other in one.get("top_logprobs") or ())
        yield Token(_text(one["token"]), _name(one), _prob(one["logprob"]), _sorted(top))
    texts = given.get("tokens") or ()
    for text, logprob, others in zip(
        texts,
        given.get("token_logprobs") or [None] * len(texts),
        given.get("top_logprobs") or [None] * len(texts),
        strict=True,
    ):
        top = ((_text(name), _prob(value)) for name, value in (others or {}).items())
        yield Token(_text(text), _text(text), _prob(logprob), _sorted(top))


def _name(token: dict[str, Any]) -> str:
    """Return a token's text; of one that is part of a character, its bytes."""
    raw = token.get("bytes")
    if raw:
        try:
            bytes(raw).decode()
        except UnicodeDecodeError:
            return "".join(f"<0x{one:02X}>" for one in raw)
    return _text(token["token"])


def _prob(logprob: Any) -> float:
    return math.nan if logprob is None else math.exp(min(float(logprob), 0.0))


def _sorted(top: Iterator[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(top, key=lambda one: -one[1]))


def _step(token: Token, lexicon: Lexicon) -> Step:
    top = tuple((lexicon.id_of(name), prob) for name, prob in token.top)
    return step_of(lexicon.id_of(token.name), token.prob, _rank(token), top)


def _rank(token: Token) -> int:
    """Return the rank, 0 where it is not sure.

    Some servers put the chosen token among the likeliest whatever its rank: behind it in the list
    has to be another, or nothing before it.
    """
    if token.name not in dict(token.top):
        return 0
    before = sum(prob > token.prob for _, prob in token.top)
    behind = any(prob < token.prob for _, prob in token.top)
    return before + 1 if behind or not before else 0
