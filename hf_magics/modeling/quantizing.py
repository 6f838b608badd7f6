"""Quantise: transformers' own config for weights of fewer bits, and the code that makes it."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import torch
from transformers import BitsAndBytesConfig, TorchAoConfig

from hf_magics.errors import OptionError
from hf_magics.optional import optional
from hf_magics.snippets import Name

_EXTRA = "quantize"
_GROUP = 32  # weights that share a scale, in 4 bits


def quantization_config(quantize: str, device: torch.device, build: Callable[[], Any]) -> Any:
    """Return what ``from_pretrained`` takes as ``quantization_config``.

    On CUDA, 4 bits are bitsandbytes' NF4, and 8 bits are its own where torchao is not installed;
    all else is torchao's, weights only.

    Args:
        quantize: ``int8`` or ``int4``.
        device: Where the model is to be.
        build: Makes the model without its weights; called where their sizes matter.

    Raises:
        OptionError: There is no such kind of weights.
        MissingExtraError: The package for it is not installed.
    """
    if quantize not in {"int8", "int4"}:
        raise OptionError(f"no weights '{quantize}': --quantize takes int8 or int4")
    cuda = device.type == "cuda"
    if cuda and (quantize == "int4" or not _has("torchao")) and _has("bitsandbytes"):
        return BitsAndBytesConfig(**{f"load_in_{quantize[-1]}bit": True}, **_nf4(quantize))
    if cuda and quantize == "int4":
        optional("bitsandbytes", extra=_EXTRA)
    optional("torchao", extra=_EXTRA)
    quantization = optional("torchao.quantization", extra=_EXTRA)
    if quantize == "int8":
        return TorchAoConfig(quantization.Int8WeightOnlyConfig())
    return TorchAoConfig(
        quantization.IntxWeightOnlyConfig(
            weight_dtype=torch.int4,  # type: ignore[attr-defined]
            granularity=_granularity(quantization.granularity, build()),
        )
    )


def written(model: Any) -> tuple[tuple[str, ...], Name]:
    """Return the imports and the source of the config that a quantised model was loaded with."""
    config = model.hf_quantizer.quantization_config
    if isinstance(config, BitsAndBytesConfig):
        four = 'load_in_4bit=True, bnb_4bit_quant_type="nf4"'
        inner = four if config.load_in_4bit else "load_in_8bit=True"
        imports: tuple[str, ...] = ("from transformers import BitsAndBytesConfig",)
        return imports, Name(f"BitsAndBytesConfig({inner})")
    made = config.quant_type
    imports = (
        "from transformers import TorchAoConfig",
        f"from torchao.quantization import {type(made).__name__}",
    )
    granularity = getattr(made, "granularity", None)
    if not hasattr(made, "weight_dtype"):
        return imports, Name(f"TorchAoConfig({type(made).__name__}())")
    imports += (f"from torchao.quantization.granularity import {type(granularity).__name__}",)
    inner = f"weight_dtype={made.weight_dtype}, granularity={granularity!r}"
    return imports, Name(f"TorchAoConfig({type(made).__name__}({inner}))")


def words(model: Any, quantize: str) -> str:
    """Return ``int8 weights by torchao 0.18.0``."""
    by_bits = isinstance(model.hf_quantizer.quantization_config, BitsAndBytesConfig)
    module = optional("bitsandbytes" if by_bits else "torchao", extra=_EXTRA)
    return f"{quantize} weights by {module.__name__} {module.__version__}"


def device_arguments(config: Any, device: torch.device) -> dict[str, Any]:
    """Return the further arguments that a config needs: bitsandbytes quantises on the GPU only."""
    return {"device_map": {"": device}} if isinstance(config, BitsAndBytesConfig) else {}


def _nf4(quantize: str) -> dict[str, Any]:
    return {"bnb_4bit_quant_type": "nf4"} if quantize == "int4" else {}


def _granularity(granularity: Any, model: Any) -> Any:
    """Return groups of 32 weights with a scale each, or one a row where rows can't be parted so."""
    sizes = [one.in_features for one in model.modules() if isinstance(one, torch.nn.Linear)]
    if math.gcd(_GROUP, *sizes) == _GROUP:
        return granularity.PerGroup(_GROUP)
    return granularity.PerAxis(0)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
