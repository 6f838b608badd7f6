"""What a task gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hf_magics.display.parts import Part


@dataclass(frozen=True)
class Answer:
    """A task's answer in numbers and strings: the parts of its page, rows of data, notes."""

    parts: tuple[Part, ...]
    records: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
