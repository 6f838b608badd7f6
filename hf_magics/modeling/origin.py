"""Where a model came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Where a model came from.

    ``kind`` is hub, folder, gguf, config, notebook or endpoint; ``where`` is the id, path, type,
    variable or address; ``commit`` is the hub's commit hash; ``mark`` changes when the files
    change; ``beside`` says that an adapter lies beside its weights.
    """

    kind: str
    where: str
    commit: str = ""
    disk_bytes: int = 0
    mark: tuple[Any, ...] = ()
    beside: bool = False
