"""What belongs to the whole process, such as a logger, heard by several threads at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Listener = TypeVar("Listener")


@dataclass(eq=False)
class _Entry(Generic[Listener]):
    """One who listens: of two with equal listeners each is its own."""

    listener: Listener


class Channel(Generic[Listener]):
    """Brings what the process says to the thread that it is said in.

    Whatever takes the place of a part of the process, and puts back what it found, goes wrong where
    two threads do it and leave in the order in which they came: one then puts back the other's. So
    it is put in place once, for as long as anybody listens, and asks here whose turn it is.

    Args:
        installed: Returns the context that puts it in place.
    """

    def __init__(
        self, installed: Callable[[Channel[Listener]], AbstractContextManager[Any]]
    ) -> None:
        self._installed = installed
        self._context: AbstractContextManager[Any] | None = None
        self._all: list[_Entry[Listener]] = []
        self._own = threading.local()
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Let the listener have what is said in this thread, and in those where nobody listens."""
        entry = _Entry(listener)
        own = self._own.__dict__.setdefault("entries", [])
        try:
            self._enter(entry)
            own.append(entry)
            yield
        finally:
            if entry in own:
                own.remove(entry)
            self._leave(entry)

    @property
    def listener(self) -> Listener | None:
        """Whose turn it is: the innermost of this thread, else the latest of all."""
        own = getattr(self._own, "entries", None) or list(self._all)
        return own[-1].listener if own else None

    def _enter(self, entry: _Entry[Listener]) -> None:
        with self._lock:
            if self._context is None:
                context = self._installed(self)
                context.__enter__()
                self._context = context
            self._all.append(entry)

    def _leave(self, entry: _Entry[Listener]) -> None:
        with self._lock:
            if entry in self._all:
                self._all.remove(entry)
            if not self._all and self._context is not None:
                context, self._context = self._context, None
                context.__exit__(None, None, None)
