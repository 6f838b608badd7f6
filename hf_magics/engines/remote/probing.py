"""What a server has and gives: its models, and one token of each way to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hf_magics.display.words import nearest, sentence_list
from hf_magics.engines.remote.replies import read
from hf_magics.engines.remote.wire import UNAUTHORISED, RefusedError, Server
from hf_magics.errors import EngineError, SourceError
from hf_magics.inference.generation.recording import ALTERNATIVES

CHAT = "chat/completions"
TEXT = "completions"
_USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
_ASKED: Mapping[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    TEXT: {"prompt": "Hello"},
}
_CHANCES: Mapping[str, dict[str, Any]] = {
    CHAT: {"logprobs": True, "top_logprobs": ALTERNATIVES},
    TEXT: {"logprobs": ALTERNATIVES},
}
_TOO_MANY = 429
_NOT_FOUND = 404


@dataclass(frozen=True)
class Way:
    """A way to write: ``words`` go with each request, ``chances`` came with the first token.

    ``refusal`` is what the server said where it has no such way, ``""`` where it has.
    """

    words: Mapping[str, Any] = field(default_factory=dict)
    chances: bool = False
    refusal: str = ""


def check_listed(server: Server, model: str) -> tuple[int | None, str]:
    """See whether a server lists a model; return its context in tokens where it tells, and a note.

    Raises:
        SourceError: It lists others.
        EngineError: The server can't be reached, or wants a token.
    """
    listed = _listed(server)
    if listed is None:
        return None, f"{server.address.url} lists no models: '{model}' was taken at its word"
    if model not in listed:
        raise SourceError(
            f"{server.address.url} has no model '{model}'{nearest(model, listed)}; it lists: "
            f"{sentence_list(listed)}"
        )
    context = listed[model].get("max_model_len")
    return context if isinstance(context, int) else None, ""


def find_ways(server: Server, model: str) -> Mapping[str, Way]:
    """Let a server write one token in each way, and see what comes with it.

    Raises:
        EngineError: The server writes in none, can't be reached, or wants a token.
    """
    ways = {path: _try(server, model, path) for path in _ASKED}
    if all(way.refusal for way in ways.values()):
        raise EngineError(ways[CHAT].refusal)
    return ways


def _listed(server: Server) -> dict[str, dict[str, Any]] | None:
    try:
        answer = server.get("models")
    except RefusedError as error:
        if error.status in (*UNAUTHORISED, _TOO_MANY):
            raise
        return None
    rows = answer.get("data") if isinstance(answer, dict) else None
    rows = rows if isinstance(rows, list) else []
    named = [one for one in rows if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return {one["id"]: one for one in named} or None


def _try(server: Server, model: str, path: str) -> Way:
    """Return how a way goes: with probabilities if that is taken, without if not."""
    refusal = ""
    chances = _CHANCES[path]
    for words in ({**chances, **_USAGE}, chances, _USAGE, {}):
        body = {"model": model, **_ASKED[path], "max_tokens": 1, "temperature": 0.0, **words}
        try:
            deltas = [read(event) for event in server.events(path, body)]
        except RefusedError as error:
            if error.status in (*UNAUTHORISED, _TOO_MANY):
                raise
            refusal = str(error)
            if error.status == _NOT_FOUND:
                break
        else:
            return Way(words, chances=any(delta.tokens for delta in deltas))
    return Way(refusal=refusal)
