"""What a page says of an engine, and of weights that were made smaller."""

from __future__ import annotations

from dataclasses import dataclass

from hf_magics.snippets import Snippet

_NOTHING = Snippet((), ())


@dataclass(frozen=True)
class EngineFacts:
    """What computes a model, in words for pages, and the plain code that makes the same.

    ``words`` is one line such as ``OpenVINO 2026.4.1, int8 weights``; ``rows`` are what its page
    adds, by label; ``snippet`` goes behind the model's own code; ``memory_bytes`` are of weights
    that it has beside the torch model's.
    """

    words: str
    rows: tuple[tuple[str, str], ...] = ()
    snippet: Snippet = _NOTHING
    memory_bytes: int = 0
