"""A large padded batch in groups of rows about as long: less padding, and the same output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from hf_magics.inference.batching import Batch, halving, plan_batches
from hf_magics.inference.merging import Merger, can_merge
from hf_magics.inference.told import reads_padding
from hf_magics.modeling.forwarding import parameters_of
from hf_magics.modeling.store import LoadedModel

_FEW = 8
_ON_CPU, _ON_GPU = 1_024, 16_384  # tokens of a batch where nobody measured


def budget_of(loaded: LoadedModel) -> int:
    """Return the tokens of a batch: what was measured for this model, else the device's usual."""
    usual = _ON_CPU if loaded.model.device.type == "cpu" else _ON_GPU
    return loaded.batch_tokens or usual


def outputs_of(
    loaded: LoadedModel,
    inputs: Mapping[str, Any],
    run: Callable[[dict[str, Any]], Any],
    apart: torch.Tensor | None = None,
) -> Any:
    """Return the output for all rows, run in groups; None where they are to be run as they are.

    Args:
        loaded: The model.
        inputs: One padded batch.
        run: Runs a part of it.
        apart: The mask of a batch whose rows are to be run without padding.

    Raises:
        FitError: The device has no room for a single row.
    """
    lengths = _lengths(loaded, inputs) if apart is None else apart.sum(dim=1).tolist()
    budget = budget_of(loaded)
    is_one = len(lengths) <= _FEW or len(lengths) * max(lengths) <= budget
    as_given = len(set(lengths)) > 1 and reads_padding(loaded.model)  # its padding counts
    if apart is None and (is_one or as_given):
        return None
    cacheless = without_cache(loaded)
    merger = Merger()
    for batch in plan_batches(lengths, budget, mixed=apart is None):
        found = halving(
            batch, lambda rows: run({**rows_of(loaded, inputs, rows, lengths), **cacheless})
        )
        for rows, outputs in found:
            if not can_merge(outputs, len(rows)) or not merger.takes(outputs):
                return None
            merger.add(rows, outputs)
    return merger.merged()


def rows_of(
    loaded: LoadedModel, inputs: Mapping[str, Any], rows: Batch, lengths: list[int]
) -> Mapping[str, Any]:
    """Return some rows of a batch, as wide as the longest; a mask only where there is padding."""
    width = max(lengths[row] for row in rows)
    index = torch.tensor(rows)
    return without_idle_mask(loaded, {name: one[index, :width] for name, one in inputs.items()})


def without_idle_mask(loaded: LoadedModel, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the batch without a mask that hides nothing: attention is faster without.

    It stays where a text holds the pad token itself, of which transformers would warn, and for an
    encoder-decoder, which may make one from that token.
    """
    mask, ids = inputs.get("attention_mask"), inputs.get("input_ids")
    if mask is None or ids is None or loaded.config.is_encoder_decoder or not bool(mask.all()):
        return inputs
    pad = getattr(loaded.config.get_text_config(), "pad_token_id", None)  # RWKV has no such field
    if pad is not None and bool((ids == pad).any()):
        return inputs
    return {name: value for name, value in inputs.items() if name != "attention_mask"}


def _lengths(loaded: LoadedModel, inputs: Mapping[str, Any]) -> list[int]:
    """Return the tokens of each row of a batch that is padded on the right, ``[]`` of any other."""
    mask = inputs.get("attention_mask")
    if mask is None or "input_ids" not in inputs or loaded.config.is_encoder_decoder:
        return []
    shapes = {tuple(getattr(one, "shape", ())) for one in inputs.values()}
    if len(shapes) > 1 or mask.dim() != 2:  # noqa: PLR2004 - rows and tokens
        return []
    lengths = mask.sum(dim=1)
    on_the_right = torch.arange(mask.shape[1], device=mask.device) < lengths[:, None]
    if not bool((on_the_right == mask.bool()).all()) or not bool((lengths > 0).all()):
        return []
    return [int(one) for one in lengths.tolist()]


def without_cache(loaded: LoadedModel) -> dict[str, Any]:
    """Return what keeps a decoder from handing out its keys and values, a memory of all rows."""
    takes = parameters_of(loaded.model)
    return {"use_cache": False} if "use_cache" in takes else {}
