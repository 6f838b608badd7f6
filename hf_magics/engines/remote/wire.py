"""HTTP to a server: events of a stream one by one, and every failure as one line.

The client is of the HTTP library that huggingface_hub has, and one of its own: hub's refuses every
address where ``HF_HUB_OFFLINE`` is set, and would send hub's token to a server that is not the hub.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from collections.abc import Iterator
from typing import Any

from huggingface_hub.errors import HfHubHTTPError

from hf_magics.display.numbers import seconds
from hf_magics.display.words import one_line
from hf_magics.engines.remote.address import Address
from hf_magics.errors import EngineError, OptionError
from hf_magics.literals import parsed
from hf_magics.secret import without_frames

TOKEN = "HF_MAGICS_ENDPOINT_TOKEN"  # noqa: S105 - the name of a variable
CONNECT_S = 10.0
UNAUTHORISED = (401, 403)
LIMIT = "max_tokens"
_OTHER_LIMIT = "max_completion_tokens"  # of servers that refuse the first, and name this one then
_BAD_REQUEST = 400
_LONGEST_LINE = 4_000_000  # bytes of one event
_LONGEST_REFUSAL = 64_000
_SAID = 300  # characters of what a server says of an error
_OK = 200
_REDIRECTS = range(300, 400)

# httpx2, or httpx where the hub is older
http: Any = importlib.import_module(HfHubHTTPError.__mro__[1].__module__.partition(".")[0])


class RefusedError(EngineError):
    """The server answered, and not with what was asked for; ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """A server that speaks OpenAI's protocol.

    The token is read from the environment for each request, and kept nowhere.

    Args:
        address: Where it is.
        timeout: How long it may send nothing, in seconds.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self.address = address
        self._timeout = timeout
        self._client = _client(address, timeout)
        self._limits: dict[str, str] = {}

    def get(self, path: str) -> Any:
        """Return what a path of the API holds.

        Raises:
            RefusedError: There is nothing, or no JSON.
            EngineError: The server can't be reached.
        """
        with self._asked("GET", path) as response:
            data = _body(response)
        try:
            return self._parsed(data)
        except EngineError as error:
            raise RefusedError(str(error), _OK) from error

    def events(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Ask for a stream, and give each of its events.

        Closing the iterator closes the connection, and the server stops. Where the server refuses
        the name of ``max_tokens`` and tells its own, it is asked once more, by that from then on.

        Raises:
            RefusedError: The server does not do it.
            EngineError: The server can't be reached, or its answer breaks off.
        """
        try:
            yield from self._streamed(path, body)
        except RefusedError as error:
            if not self._renames(path, error):
                raise
        else:
            return
        self._limits[path] = _OTHER_LIMIT
        yield from self._streamed(path, body)

    def limit_name(self, path: str) -> str:
        """Return what a path calls ``max_tokens``, as far as it has told."""
        return self._limits.get(path, LIMIT)

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def _renames(self, path: str, error: RefusedError) -> bool:
        told = error.status == _BAD_REQUEST and _OTHER_LIMIT in str(error)
        return told and self.limit_name(path) == LIMIT

    def _streamed(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        limit = self.limit_name(path)
        body = {limit if name == LIMIT else name: value for name, value in body.items()}
        with self._asked("POST", path, {**body, "stream": True}) as response:
            kind = response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                _body(response)
                raise RefusedError(
                    f"{self.address.url} answered with {one_line(kind)[:60] or 'no type'}, not "
                    "with a stream of events: is it a server of OpenAI's protocol?",
                    _OK,
                )
            yield from self._read(response)

    def _read(self, response: Any) -> Iterator[dict[str, Any]]:
        finished = False
        for line in _lines(response):
            if not line.startswith(b"data:"):
                continue  # a comment that keeps the connection open, the name of an event
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            event = self._parsed(data)
            if not isinstance(event, dict):
                raise EngineError(f"{self.address.url} sent what is no event of OpenAI's protocol")
            if event.get("error"):
                raise RefusedError(f"{self.address.url} gave up: {_told(event)}", _OK)
            finished = finished or _finishes(event)
            yield event
        if not finished:
            raise EngineError(f"{self.address.url} broke off: its answer has no end")

    @contextlib.contextmanager
    def _asked(self, method: str, path: str, body: Any = None) -> Iterator[Any]:
        url = self.address.url
        _check_token()
        try:
            with self._client.stream(method, f"{url}/{path}", json=body) as response:
                if response.status_code != _OK:
                    raise self._refusal(response)
                yield response
        except http.ConnectTimeout as error:
            raise EngineError(f"{url} can't be reached: no answer in time") from without_frames(
                error
            )
        except http.TimeoutException as error:
            raise EngineError(
                f"{url} sent nothing for {seconds(self._timeout)}: it is busy or slow; "
                "%hf_load … --set timeout=SECONDS waits longer"
            ) from without_frames(error)
        except (http.ConnectError, http.ProxyError) as error:
            raise EngineError(
                f"{url} can't be reached: {one_line(error)[:_SAID]}; is the server running?"
            ) from without_frames(error)
        except (http.HTTPError, http.InvalidURL) as error:
            raise EngineError(f"{url} broke off: {one_line(error)[:_SAID]}") from without_frames(
                error
            )

    def _refusal(self, response: Any) -> RefusedError:
        status, url = response.status_code, self.address.url
        if status in UNAUTHORISED:
            word = "refuses the token of" if _token() else "wants a token:"
            tail = "" if _token() else " in the environment holds one"
            return RefusedError(f"{url} {word} {TOKEN}{tail} ({status})", status)
        if status in _REDIRECTS:
            # a token is for the address that the line gave, and goes nowhere else
            return RefusedError(
                f"{url} sends elsewhere ({status}): give the address it has now", status
            )
        said = _told(_or_none(_body(response)))
        return RefusedError(f"{url} answered {status}" + (f": {said}" if said else ""), status)

    def _parsed(self, data: bytes) -> Any:
        try:
            return parsed(data)
        except ValueError as error:
            raise EngineError(f"{self.address.url} sent what is no JSON") from error


def has_token() -> bool:
    """Say whether the environment has a token."""
    return bool(_token())


def _client(address: Address, timeout: float) -> Any:
    # a server that was started anew would break off on a connection that is kept
    limits = http.Limits(max_keepalive_connections=0)
    # a transport of its own goes through no proxy, and none leads back to this machine
    direct = {"transport": http.HTTPTransport(limits=limits)} if address.loopback else {}
    waits = http.Timeout(timeout, connect=min(CONNECT_S, timeout))
    try:
        return http.Client(auth=_sign, timeout=waits, limits=limits, **direct)
    except (ImportError, ValueError, http.InvalidURL) as error:
        raise EngineError(
            f"the proxy that the environment names can't be used: {one_line(error)[:_SAID]}"
        ) from without_frames(error)


def _sign(request: Any) -> Any:
    if _token():
        request.headers["Authorization"] = f"Bearer {_token()}"
    return request


def _token() -> str:
    return os.environ.get(TOKEN, "").strip()


def _check_token() -> None:
    """Refuse what no header can hold: the HTTP library would repeat it in its error."""
    if not (_token().isascii() and _token().isprintable()):
        raise OptionError(f"{TOKEN} holds characters that no token has: set it anew")


def _lines(response: Any) -> Iterator[bytes]:
    """Give lines: only a line feed ends one, and not what else is a line's end in Unicode."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise EngineError("the server sent an event that is too long to be one")
        yield from lines
    yield rest


def _body(response: Any) -> bytes:
    """Return the first bytes of an answer that is no stream."""
    data = b""
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > _LONGEST_LINE:
            break
    return data


def _or_none(data: bytes) -> Any:
    try:
        return parsed(data[:_LONGEST_REFUSAL])
    except ValueError:
        return None


def _told(answer: Any) -> str:
    """Return what a server says of an error, in one line, without the token."""
    said = answer
    for name in ("error", "detail", "message"):
        if isinstance(said, dict) and said.get(name):
            said = said[name]
    text = one_line(said if isinstance(said, str) else json.dumps(said) if said else "")
    return (text.replace(_token(), "***") if _token() else text)[:_SAID]


def _finishes(event: dict[str, Any]) -> bool:
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(one, dict) and one.get("finish_reason") for one in choices
    )
