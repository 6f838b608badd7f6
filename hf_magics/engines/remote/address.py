"""The address of a server: checked, and without what must not be seen."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from hf_magics.display.words import one_line
from hf_magics.errors import OptionError

_ENDS = ("/chat/completions", "/completions", "/models")
_LARGEST_PORT = 65_535


@dataclass(frozen=True)
class Address:
    """``url`` ends in ``/v1`` and names no user; ``stripped`` says that the line named one."""

    url: str
    stripped: bool = False

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:  # a name
            return False

    @property
    def private(self) -> bool:
        """Whether nobody on the way can read what goes there."""
        return self.loopback or self.url.startswith("https:")


def read_address(text: str) -> Address:
    """Return the address of a server, however much of its path is given.

    ``http://localhost:8000``, the same with ``/v1`` and with ``/v1/chat/completions`` are one.

    Raises:
        OptionError: It is no such address; what could be a password is not repeated.
    """
    shown = _shown(text)
    parts = _parts(text, shown)
    if parts.scheme not in {"http", "https"}:
        way = "" if "@" in text else f": --endpoint http://{shown.partition('://')[2] or shown}"
        raise OptionError(f"--endpoint {shown}: an address begins with http:// or https://{way}")
    if parts.query or parts.fragment or "@" in parts.path:
        raise OptionError(
            f"--endpoint {shown}: leave out what follows the path; a token comes from the "
            "environment (HF_MAGICS_ENDPOINT_TOKEN)"
        )
    user, _, place = parts.netloc.rpartition("@")
    return Address(urlunsplit((parts.scheme, place, _path(parts.path), "", "")), bool(user))


def _parts(text: str, shown: str) -> SplitResult:
    try:
        parts = urlsplit(text.strip())
        whole = parts.scheme not in {"http", "https"} or (parts.hostname and parts.port != 0)
    except ValueError:  # a bracket that is not closed, a port that is none
        whole = False
    if not whole or any(one.isspace() or not one.isprintable() for one in text.strip()):
        raise OptionError(
            f"--endpoint {shown}: this is no address of a server, such as http://localhost:8000 "
            f"(a port is a number up to {_LARGEST_PORT:,})"
        )
    return parts


def _path(path: str) -> str:
    path = path.rstrip("/")
    for end in _ENDS:
        path = path.removesuffix(end)
    path = path.rstrip("/")
    return path if path.endswith("/v1") else f"{path}/v1"


def _shown(text: str) -> str:
    """Return as much of an address as can be repeated: no user, no query."""
    begin = one_line(text).partition("?")[0].partition("#")[0]
    scheme, mark, rest = begin.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
