"""Tokens: what no page, script or traceback shows."""

from __future__ import annotations

from typing import Any

from hf_magics.errors import with_causes

SECRETS = frozenset({"token", "use_auth_token"})
"""Arguments of transformers that no one may read over a shoulder."""


class Secret(str):
    """A token: the string itself for who sends it, and nothing for who prints it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return dots."""
        return "'…'"


def hidden(name: str, value: Any) -> Any:
    """Return the value of an argument, as a `Secret` where it is one."""
    return Secret(value) if name in SECRETS and isinstance(value, str) else value


def without_frames(error: BaseException) -> BaseException:
    """Return an error of a library that spoke to a server, with its causes but without its frames.

    A verbose traceback shows the variables of each frame, and among them stands the token.
    """
    for one in with_causes(error):
        one.__traceback__ = None
    return error
