"""What a task gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hf_magics.display.parts import Part


@dataclass(frozen=True)
class Answer:
    """A task's answer in numbers and strings.

    ``parts`` are those of its page; ``records`` its data, a dict a row; ``values`` its main value
    for each input, which ``-o df.column`` takes; ``text`` what was written, for tasks that write.
    ``raw`` are arrays or tensors under the name by which the result gives them, such as
    ``embeddings``: they are kept as outputs are. ``main`` names the one whose rows are the main
    values in place of ``values``, and a column of the data as well.
    """

    parts: tuple[Part, ...]
    records: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    text: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    main: str = ""
