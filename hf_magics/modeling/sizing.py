"""Sizes: whether a model can be built, and whether the memory holds it, before anything is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from hf_magics.modeling.architectures import build_on_meta
from hf_magics.modeling.fields import with_parts
from hf_magics.modeling.placement import available, check_fit
from hf_magics.specs import LoadSpec


def check_fits(chosen: Any, config: Any, dtype: torch.dtype | None, spec: LoadSpec) -> None:
    """Refuse a model whose weights the memory does not hold.

    Building one without memory takes as long as loading a small one, and so it is done only where
    the numbers of the config are large enough for doubt.

    Args:
        chosen: The model's class.
        config: Its config.
        dtype: What was asked for; None for the config's own.
        spec: What was asked.

    Raises:
        FitError: With the bytes that are needed, and those that are free.
        ConfigError: The class can't be built with these sizes.
    """
    cpu = torch.device("cpu")  # where weights are read to, wherever they go
    kind = dtype or getattr(config, "dtype", None) or torch.float16  # at least, where none is said
    smaller = spec.quantize or getattr(config, "quantization_config", None) is not None
    if smaller or "device_map" in dict(spec.extra) or not hasattr(chosen, "_from_config"):
        return
    if _at_most(config) * kind.itemsize <= available(cpu):
        return
    model = build_on_meta(chosen, config, kind)
    check_fit(sum(one.nbytes for one in model.parameters()), cpu, f"'{spec.source}'")


def _at_most(config: Any) -> int:
    """Return more than the number of parameters: the largest matrix in each layer, thrice."""
    numbers = dict(_numbers(config))
    layers = max((value for name, value in numbers.items() if name.endswith("layers")), default=1)
    first, second, *_ = *sorted(numbers.values(), reverse=True), 1, 1
    return 3 * layers * first * second


def _numbers(config: Any) -> Iterator[tuple[str, int]]:
    """Yield the positive whole numbers of a config and its parts, but those of tokens."""
    for prefix, part in with_parts(config):
        for name, value in vars(part).items():
            if type(value) is int and value > 0 and not name.endswith("_id"):
                yield f"{prefix}{name}", value
