"""Steps: what was done in a session, each as its spec and the plain code that does it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_magics.snippets import Snippet, script


@dataclass(frozen=True)
class Owner:
    """A model that code works on: its number and name, and how it came to be what it was then."""

    number: int
    name: str
    snippet: Snippet


@dataclass(frozen=True)
class Piece:
    """Code of a step, and the model that ``model`` and ``tokenizer`` stand for in it, if any."""

    snippet: Snippet
    owner: Owner | None = None


@dataclass(frozen=True)
class Step:
    """What one verb did. Strings alone: it keeps no model and no tensor alive."""

    spec: Any
    pieces: tuple[Piece, ...]

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the models it worked on."""
        return frozenset(piece.owner.number for piece in self.pieces if piece.owner is not None)

    @property
    def code(self) -> str:
        """The step as one script, with the models that it needs."""
        snippets: list[Snippet] = []
        made: Owner | None = None
        for piece in self.pieces:
            if piece.owner is not None and piece.owner != made:
                made = piece.owner
                snippets.append(made.snippet)
            snippets.append(piece.snippet)
        return script(*snippets)
