"""What a job is: a checkpoint is gone on with only where all of this is the same."""

from __future__ import annotations

import json
from typing import Any

import torch
import transformers

from hf_magics.inference.mapping.sources import Source
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import weights_hash
from hf_magics.specs import MapSpec


def identity(spec: MapSpec, source: Source, loaded: LoadedModel) -> dict[str, Any]:
    """Return the job in what JSON has: input, model, task and options."""
    model = {
        "class": type(loaded.model).__name__,
        "dtype": str(loaded.model.dtype),
        "engine": loaded.asked.engine if hasattr(loaded.asked, "engine") else "",
        "quantize": loaded.asked.quantize if hasattr(loaded.asked, "quantize") else "",
        "tokenizer": type(loaded.tokenizer).__name__,
    }
    options = {
        "options": dict(spec.options),
        "extra": dict(spec.extra),
        "max_length": spec.max_length,
        "batch_tokens": spec.batch_tokens,
        "column": source.column,
    }
    found = {
        "source": source.fingerprint(),
        "model": model,
        "weights": weights_hash(loaded.model),
        "task": spec.task,
        "options": options,
    }
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def versions(*, packs: bool) -> dict[str, str]:
    """Return what the last digits of an answer depend on."""
    kernels = f"packed for {torch.backends.cpu.get_cpu_capability()}" if packs else "plain"
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "weights": kernels,
    }
