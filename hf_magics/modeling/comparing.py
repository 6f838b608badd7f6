"""What was written, compared with what is in memory: bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from hf_magics.display.numbers import plural
from hf_magics.errors import SaveError


def compare(model: Any, folder: Path) -> int:
    """Compare each tensor of the safetensors files in a folder with the model's own, bit by bit.

    Returns how many were compared.

    Weights that are tied stand once on disk, and formats that transformers converts on loading are
    compared in the form that it writes.

    Raises:
        SaveError: A tensor differs, or one is on one side only.
    """
    state = remove_tied_weights_from_state_dict(_plain_state(model), model)
    expected = revert_weight_conversion(model, state)
    seen, different = set(), []
    for name, tensor in _tensors(folder):
        seen.add(name)
        if name not in expected or not _same_bits(tensor, expected[name]):
            different.append(name)
    different += sorted(_to_be_saved(expected, model) - seen)
    if different:
        raise SaveError(
            f"what was written is not what is in memory, nothing was replaced: {different[0]} and "
            f"{plural(len(different) - 1, 'other tensor')} differ"
        )
    return len(seen)


def _plain_state(model: Any) -> dict[str, torch.Tensor]:
    """Return a model's tensors by name, as they are written: quantised ones in their parts."""
    quantizer = getattr(model, "hf_quantizer", None)
    plain = quantizer.get_state_dict_and_metadata(model)[0] if quantizer is not None else None
    return dict(plain or model.state_dict())


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                yield name, file.get_tensor(name)


def _to_be_saved(expected: dict[str, Any], model: Any) -> set[str]:
    ignored = model._keys_to_ignore_on_save or []  # noqa: SLF001 - what save_pretrained leaves out
    return {name for name in expected if not any(mark in name for mark in ignored)}


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    other = other.detach().cpu()
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(_bits(one), _bits(other))


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return (
        tensor.contiguous().reshape(-1).view(torch.uint8)
    )  # NaN equals NaN, -0.0 does not equal 0.0
