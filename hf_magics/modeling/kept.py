"""What shown results keep: their output tensors, within a budget of bytes."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hf_magics.errors import EvictedError

_tickets = itertools.count(1)


class Kept:
    """Output tensors of shown results: the newest, within a budget of bytes."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._dropped: set[int] = set()

    def put(self, outputs: Any, nbytes: int, budget: int, owner: int = 0) -> int:
        """Keep these outputs and let go of the oldest that no longer fit; return a ticket.

        What is larger than the whole budget is not kept, and pushes nothing out.

        Args:
            outputs: What to keep.
            nbytes: Its size.
            budget: The bytes that may be kept in all.
            owner: The number of the model that made it: dropped with it.
        """
        ticket = next(_tickets)
        if nbytes <= budget:
            self._entries[ticket] = _Entry(outputs, nbytes, owner)
        while self.nbytes > budget:
            del self._entries[next(iter(self._entries))]
        return ticket

    def get(self, ticket: int) -> Any:
        """Return the outputs.

        Raises:
            EvictedError: They were let go.
        """
        if ticket in self._entries:
            return self._entries[ticket].outputs
        if ticket in self._dropped:
            raise EvictedError(
                "the tensors of this result were let go when its model was dropped: "
                "-o NAME keeps those of the next run"
            )
        raise EvictedError(
            "the tensors of this result were let go to stay within "
            "%config HFMagics.outputs_bytes: run it again with -o NAME to keep them"
        )

    @property
    def nbytes(self) -> int:
        """The bytes that are kept now."""
        return sum(one.nbytes for one in self._entries.values())

    def drop(self, owners: Collection[int]) -> int:
        """Let go of what these models made; return the bytes that it had."""
        return self._drop([key for key, one in self._entries.items() if one.owner in owners])

    def clear(self) -> int:
        """Let go of everything; return the bytes that it had."""
        return self._drop(list(self._entries))

    def _drop(self, tickets: list[int]) -> int:
        self._dropped.update(tickets)
        return sum(self._entries.pop(ticket).nbytes for ticket in tickets)


@dataclass(frozen=True)
class _Entry:
    outputs: Any
    nbytes: int
    owner: int
