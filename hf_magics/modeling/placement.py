"""Where a model lives: device, dtype, and whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from hf_magics.display.numbers import size
from hf_magics.display.words import nearest, one_line
from hf_magics.errors import FitError, OptionError
from hf_magics.modeling.weights import all_tensors

_DTYPES = {
    "fp32": "float32",
    "float": "float32",
    "fp16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
    "fp64": "float64",
    "double": "float64",
}
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CGROUP_USED = Path("/sys/fs/cgroup/memory.current")


def resolve_device(word: str) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises:
        OptionError: It is no device's name, or there is none of its kind here.
    """
    if word in {"", "auto"}:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(word)
    except RuntimeError:
        raise OptionError(f"no device '{word}': there are cpu, cuda, cuda:1, mps") from None
    if device.type == "meta":
        raise OptionError("the device 'meta' holds no values: --device cpu, cuda, cuda:1 or mps")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = one_line(error).partition(". ")[0]
        raise OptionError(
            f"device '{word}' can't be used here: {reason}; try --device cpu"
        ) from None
    return device


def resolve_dtype(word: str) -> torch.dtype | None:
    """Return the dtype for ``float32``, ``bf16``, …; None for ``auto``.

    Raises:
        OptionError: It is no floating-point dtype.
    """
    if word in {"", "auto"}:
        return None
    word = word.removeprefix("torch.")
    found = getattr(torch, _DTYPES.get(word, word), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        known = ["float32", "bfloat16", "float16", "float64", *_DTYPES]
        raise OptionError(
            f"no dtype '{word}': there are float32, bfloat16, float16, float64"
            f"{nearest(word, known)}"
        )
    return found


def dtype_name(dtype: torch.dtype | None) -> str:
    """Return ``float32`` for ``torch.float32``, ``auto`` for None."""
    return str(dtype).removeprefix("torch.") if dtype is not None else "auto"


def move(model: Any, device: torch.device, dtype: torch.dtype | None = None) -> None:
    """Move and cast a model in place.

    Without a dtype each weight keeps its own: transformers leaves some in float32 for a reason.

    Raises:
        FitError: The device has no room for it; the model is where it was.
        OptionError: It is spread over several devices.
    """
    if _is_there(model, device) and dtype in {None, model.dtype}:
        return
    if is_spread(model):
        raise OptionError(
            f"the {type(model).__name__} is spread over devices by device_map, and stays where it "
            "is: load it again without --set device_map=…"
        )
    before = model.device
    check_fit(_growth(model, device, dtype), device, f"this {type(model).__name__}")
    try:
        model.to(device)
        if dtype is not None:
            model.to(dtype)
    except torch.OutOfMemoryError as error:
        model.to(before)
        raise FitError(f"{device} has no room for it: {one_line(error)}") from error


_NO_LIMIT = 2**63


def is_spread(model: Any) -> bool:
    """Say whether a model lies on several devices, or in part on disk."""
    return len(set(getattr(model, "hf_device_map", {}).values())) > 1


def _is_there(model: Any, device: torch.device) -> bool:
    here: torch.device = model.device
    return here.type == device.type and device.index in {None, here.index}


def _growth(model: Any, device: torch.device, dtype: torch.dtype | None) -> int:
    """Return the bytes that a move or cast takes on the device, beyond what the model has there."""
    weights = [*model.parameters(), *model.buffers()]
    target: int = sum(
        one.numel() * (dtype.itemsize if dtype and one.is_floating_point() else one.itemsize)
        for one in weights
    )
    return max(0, target - weight_bytes(model)) if _is_there(model, device) else target


def slow_dtype_note(model: Any) -> str:
    """Return a note where half precision runs on a CPU, which is often slower than float32."""
    if model.device.type != "cpu" or model.dtype not in {torch.float16, torch.bfloat16}:
        return ""
    return (
        f"the weights are {dtype_name(model.dtype)}, which most CPUs compute more slowly than "
        "float32: --dtype float32 takes twice the memory, and %hf_compare says which is faster here"
    )


def without_packed(model: Any, notes: Sequence[str]) -> list[str]:
    """Return the notes without transformers' own on a GGUF file's packed weights, where none are.

    It says so before it knows: where its kernels can't be had, as on most CPUs, the weights are
    unpacked, and float32 does take the memory that it says it does not.
    """
    if any(type(one).__name__ == _PACKED for one in model.modules()):
        return list(notes)
    return [note for note in notes if "with its weights packed" not in note]


_PACKED = "GgufLinear"


def weight_bytes(model: Any) -> int:
    """Return the bytes of all parameters and buffers, tied ones once."""
    return sum({id(tensor): tensor.nbytes for _, tensor in all_tensors(model)}.values())


def check_fit(needed: int, device: torch.device, what: str) -> None:
    """Refuse what needs more memory than there is.

    Raises:
        FitError: With the bytes that are needed and the bytes that are there.
    """
    there = available(device)
    if needed > there:
        raise FitError(
            f"{what} needs {size(needed)} and {device.type} has {size(there)} free: "
            "take a smaller one, --dtype bfloat16, or %hf_drop a model"
        )


def available(device: torch.device) -> int:
    """Return the bytes that can still be taken on a device (a container's limit counts)."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    return min(free, _left_in_container(), _left_of_addresses())


def _left_of_addresses() -> int:
    """Return what ``ulimit -v`` leaves."""
    limit = psutil.Process().rlimit(psutil.RLIMIT_AS)[0] if hasattr(psutil, "RLIMIT_AS") else -1
    return limit - psutil.Process().memory_info().vms if limit > 0 else _NO_LIMIT


def _left_in_container() -> int:
    try:
        return int(_CGROUP_LIMIT.read_text()) - int(_CGROUP_USED.read_text())
    except (OSError, ValueError):  # no such limit ("max" is no number)
        return _NO_LIMIT
