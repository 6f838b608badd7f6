"""Take a model that is served elsewhere into the session."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hf_magics.display.numbers import seconds
from hf_magics.display.progress import progress
from hf_magics.display.words import nearest
from hf_magics.engines.entering import enter, refuse_others
from hf_magics.engines.remote.address import Address, read_address
from hf_magics.engines.remote.probing import CHAT, TEXT, Way, check_listed, find_ways
from hf_magics.engines.remote.wire import TOKEN, Server, has_token
from hf_magics.engines.remote.writer import RemoteWriter
from hf_magics.errors import OptionError
from hf_magics.inference.generation.recording import ALTERNATIVES
from hf_magics.modeling.elsewhere import About, EngineModel
from hf_magics.modeling.loading import last_part
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.store import Session
from hf_magics.settings import Settings
from hf_magics.specs import LoadSpec

_TIMEOUT_S = 120.0
_LONGEST_S = 86_400.0


def load(
    spec: LoadSpec,
    session: Session,
    settings: Settings,  # noqa: ARG001 - as every loader takes
    *,
    tokenizer: Any = None,
) -> ModelResult:
    """Take a model that a server has into the session, and make it current.

    Args:
        spec: What to load; its ``source`` is what the server calls the model.
        session: Where to.
        settings: Not used: nothing of it is the server's.
        tokenizer: refused, as the server has its own.

    Raises:
        OptionError: The address is none, or the line has options for torch.
        SourceError: The server has no such model.
        EngineError: The server can't be reached, or does not speak OpenAI's protocol.
    """
    refuse_others(spec, "a server", ("endpoint", "extra"), tokenizer)
    address = read_address(spec.endpoint)
    timeout = _timeout(dict(spec.extra))
    # from here on nothing has the user and password that the line may have had
    spec = dataclasses.replace(spec, endpoint=address.url)

    def make(named: LoadSpec) -> tuple[EngineModel, tuple[str, ...]]:
        server = Server(address, timeout)
        try:
            return _made(named, server, timeout)
        except BaseException:
            server.close()
            raise

    return enter(spec, session, last_part(spec.source), make)


def _made(spec: LoadSpec, server: Server, timeout: float) -> tuple[EngineModel, tuple[str, ...]]:
    with progress(f"asking {server.address.url}"):
        context, unlisted = check_listed(server, spec.source)
        ways = find_ways(server, spec.source)
    writer = RemoteWriter(server, spec.source, spec.name, ways, timeout)
    about = _about(spec, server.address, ways, context, timeout)
    origin = Origin("endpoint", server.address.url)
    notes = [unlisted] if unlisted else []
    notes += _notes(server.address)
    return EngineModel.of(spec, origin, writer, about), tuple(notes)


def _about(
    spec: LoadSpec,
    address: Address,
    ways: Mapping[str, Way],
    context: int | None,
    timeout: float,
) -> About:
    rows = {
        "model": spec.source,
        "%%hf_chat": ways[CHAT].refusal or "yes",
        "%%hf_generate": ways[TEXT].refusal or "yes",
        "token probabilities": _chances(ways),
        "context": f"{context:,} tokens" if context else "",
        "timeout": seconds(timeout),
        "token": f"the one of {TOKEN}" if has_token() else f"none ({TOKEN} would be one)",
    }
    return About(
        head="served model",
        runs=f"is served by {address.url}",
        instead="%hf_load SOURCE without --endpoint loads a model here",
        tokenizer="the server's own",
        more=tuple(rows.items()),
    )


def _chances(ways: Mapping[str, Way]) -> str:
    able = [way for way in ways.values() if not way.refusal]
    giving = [way for way in able if way.chances]
    if not giving:
        return "none: the server gives none"
    said = f"yes, with the {ALTERNATIVES} likeliest tokens"
    if len(giving) == len(able):
        return said
    return f"{said}; only in {'%%hf_chat' if ways[CHAT].chances else '%%hf_generate'}"


def _notes(address: Address) -> list[str]:
    said = []
    if address.stripped:
        said.append(
            "the user and password of the address were left out: a token comes from the "
            f"environment ({TOKEN})"
        )
    if has_token() and not address.private:
        said.append(
            "the token goes over the network unencrypted: an address with https:// hides it"
        )
    return said


def _timeout(words: dict[str, Any]) -> float:
    for name in words:
        if name != "timeout":
            raise OptionError(
                f"a server takes no --set {name}{nearest(name, ('timeout',))} (there is: timeout)"
            )
    value = words.get("timeout", _TIMEOUT_S)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_S:
        raise OptionError(f"--set timeout={value}: a number of seconds is needed, above 0")
    return float(value)
