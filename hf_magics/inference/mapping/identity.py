"""What a job is: a checkpoint is gone on with only where all of this is the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
import transformers

from hf_magics.inference.mapping.sources import Source
from hf_magics.inference.tasks import Request
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import weights_hash
from hf_magics.specs import MapSpec


def identity(spec: MapSpec, source: Source, request: Request) -> dict[str, Any]:
    """Return the job in what JSON has: input, model, task and options."""
    loaded = request.loaded
    model = {
        "class": type(loaded.model).__name__,
        "dtype": str(loaded.model.dtype),
        "engine": getattr(loaded.asked, "engine", ""),
        "quantize": getattr(loaded.asked, "quantize", ""),
        "tokenizer": type(loaded.tokenizer).__name__,
        "config": _config(loaded.model.config),
        "vocabulary": _vocabulary(loaded),
        "sentence": _hashed(repr(loaded.sentence and sorted(loaded.sentence.files.items()))),
        "training": loaded.model.training,
        "generation": _config(getattr(loaded.model, "generation_config", None)),
    }
    options = {
        "options": dict(spec.options),
        "extra": dict(spec.extra),
        "max_length": spec.max_length,
        "batch_tokens": spec.batch_tokens,
        "column": source.column,
        "max_new_tokens": request.settings.max_new_tokens,
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


def _config(config: Any) -> str:
    """Return a hash of a config but for where it came from and when, ``""`` where there is none."""
    if config is None:
        return ""
    found = json.loads(config.to_json_string(use_diff=False))
    told = {name: value for name, value in found.items() if name not in _NOT_THE_MODEL}
    return _hashed(json.dumps(told, sort_keys=True))


_NOT_THE_MODEL = {"_name_or_path", "transformers_version", "architectures", "dtype"}


def _vocabulary(loaded: LoadedModel) -> str:
    """Return a hash of how texts become token IDs, ``""`` without a tokenizer."""
    tokenizer = loaded.tokenizer
    if tokenizer is None:
        return ""
    with loaded.lock:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            return _hashed(repr(sorted(tokenizer.get_vocab().items())))
        found = json.loads(backend.to_str())
    found.update(truncation=None, padding=None)  # left there by the call before
    return _hashed(json.dumps(found, sort_keys=True))


def _hashed(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def versions(loaded: LoadedModel, *, packs: bool) -> dict[str, str]:
    """Return what the last digits of an answer depend on."""
    kernels = f"packed for {torch.backends.cpu.get_cpu_capability()}" if packs else "plain"
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "weights": kernels,
        "device": loaded.model.device.type,
    }
