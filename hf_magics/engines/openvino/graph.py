"""A model of torch as a graph of OpenVINO: converted, its weights compressed, and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hf_magics.display.words import one_line
from hf_magics.engines.layout import flatten
from hf_magics.engines.openvino import packages
from hf_magics.errors import EngineError

COMPILED_FOR = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
"""One stream on all cores, since batches come one at a time; no bfloat16 where a CPU has that."""


class Flat(torch.nn.Module):
    """A model whose ``forward`` takes tensors in a fixed order and returns a flat tuple."""

    def __init__(self, model: Any, names: tuple[str, ...], fixed: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = model
        self.names = names
        self.fixed = dict(fixed)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return every tensor of the output, in order."""
        named = dict(zip(self.names, tensors, strict=True))
        return tuple(flatten(self.model(**named, **self.fixed, return_dict=True)))


def convert(model: Any, batch: Mapping[str, torch.Tensor], fixed: Mapping[str, Any]) -> Any:
    """Return OpenVINO's model of a torch model, all its dimensions open.

    Args:
        model: The torch model, in eval mode.
        batch: A batch to trace it with; the order of its names is that of the inputs.
        fixed: More arguments of ``forward``.

    Raises:
        EngineError: OpenVINO can't convert it.
    """
    names = tuple(batch)
    openvino = packages.openvino()
    try:
        with packages.converting("converting for OpenVINO"), torch.inference_mode():
            made = openvino.convert_model(
                Flat(model, names, fixed), example_input=tuple(batch.values())
            )
        if len(made.inputs) == len(names):
            for name, port in zip(names, made.inputs, strict=True):
                port.get_tensor().set_names({name})
                port.get_node().set_friendly_name(name)
            return made
    except Exception as error:  # OpenVINO has no class of its own for it
        raise EngineError(
            f"OpenVINO can't convert this {type(model).__name__}: {one_line(error)[:300]}; load it "
            "without --engine"
        ) from error
    raise EngineError(
        f"OpenVINO can't convert this {type(model).__name__}: it uses {len(made.inputs)} of the "
        f"inputs {', '.join(names)}; load it without --engine"
    )


def compress(made: Any, notes: list[str]) -> Any:
    """Return the model with its matrices in 8 bits, each channel with a scale and a zero point.

    Tables of embeddings stay as they are: a lookup is no faster in 8 bits, and its rounding is a
    third of the error. What NNCF warns of goes into ``notes``.
    """
    nncf = packages.nncf()
    tables = nncf.IgnoredScope(types=["Gather"], validate=False)
    with packages.compressing("compressing the weights", notes):
        return nncf.compress_weights(
            made, mode=nncf.CompressWeightsMode.INT8_ASYM, ignored_scope=tables
        )


def write(made: Any, path: Path) -> None:
    """Write a model to ``path`` and its weights beside it, in the precision that they have."""
    packages.openvino().save_model(made, path, compress_to_fp16=False)


def compile_file(path: Path) -> Any:
    """Return what runs the model in a file; its weights are read from there.

    Raises:
        RuntimeError: The file is no model.
    """
    return packages.core().compile_model(path, "CPU", COMPILED_FOR)
