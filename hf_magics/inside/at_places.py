"""The logits at one place of each row: the head reads that place alone where it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.errors import HFMagicsError
from hf_magics.inference import grouping, running
from hf_magics.inside.scorers import logits_of
from hf_magics.inside.tail import backbone_path, head_reading
from hf_magics.modeling.store import LoadedModel

Get = Callable[[dict[str, Any], Sequence[int]], torch.Tensor]


@dataclass(frozen=True)
class LogitsAt:
    """``get`` gives the logits (rows, vocabulary) of a batch at a column of each of its rows.

    ``alone`` says whether no others are made on the way.
    """

    get: Get
    alone: bool


def logits_at(loaded: LoadedModel, example: dict[str, Any], columns: Sequence[int]) -> LogitsAt:
    """Return what gives the logits at a place of each row of a batch.

    A head costs as much as the layers below it where the vocabulary is large. Where it gives the
    same for one state as within the line, as is tried on an example, it reads no other.

    Args:
        loaded: A model with a head that gives logits for each token.
        example: A batch of one row.
        columns: A place in it.

    Raises:
        HFMagicsError: The model gives no such logits, or does not take the batch.
    """

    def whole(inputs: dict[str, Any], columns: Sequence[int]) -> torch.Tensor:
        return logits_of(loaded, inputs, {})[range(len(columns)), columns]

    known = whole(example, columns)
    try:
        path = backbone_path(loaded.model, lambda: running.once(loaded, example, {}))
        found = _narrow(loaded, path)(example, columns)
    except HFMagicsError:  # no backbone of its own, or a head that needs the line
        return LogitsAt(whole, alone=False)
    is_same = found.shape == known.shape and torch.allclose(found, known, rtol=1e-3, atol=1e-4)
    return LogitsAt(_narrow(loaded, path) if is_same else whole, alone=is_same)


def _narrow(loaded: LoadedModel, path: str) -> Get:
    def narrow(inputs: dict[str, Any], columns: Sequence[int]) -> torch.Tensor:
        rows = range(len(columns))

        def at_places(output: Any) -> torch.Tensor:
            return output.last_hidden_state[rows, columns][:, None]  # type: ignore[no-any-return]

        with head_reading(loaded.model, path, at_places):
            outputs, _ = running.once(loaded, grouping.without_idle_mask(loaded, inputs), {})
        return outputs.logits[:, 0]  # type: ignore[no-any-return]

    return narrow
