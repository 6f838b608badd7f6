"""What a kernel says of itself, before and after an interrupt: all that a verb may change."""

from __future__ import annotations

import csv
import gc
import hashlib
import logging
import os
import shutil
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

import hf_magics as hf
from hf_magics.display import progress, streaming
from hf_magics.first_import import IMPORTING

_INIT = {name: one for name, one in vars(torch.nn.init).items() if callable(one)}
_STDERR = sys.stderr


def process() -> dict[str, Any]:
    """The settings of the process and of torch, which outlive a cell."""
    return {
        "threads of torch": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "dtype": str(torch.get_default_dtype()),
        "modes of torch": torch._C._len_torch_function_stack(),
        "initialisers": [
            name for name, one in _INIT.items() if vars(torch.nn.init)[name] is not one
        ],
        "random numbers": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()[:8],
        "loggers": {name: _logger(name) for name in ("", "transformers", "huggingface_hub")},
        "logging off": logging.root.manager.disable,
        "bars of transformers": repr(transformers_logging._tqdm_hook),
        "environment": hashlib.sha256(repr(sorted(os.environ.items())).encode()).hexdigest()[:8],
        "standard error": sys.stderr is _STDERR,
        "warnings": len(warnings.filters),
        "collector": gc.isenabled(),
        "lines of progress": (repr(progress._maker.get()), repr(streaming._maker.get())),
        "progress": progress._current.get() is not None,
        "handler": repr(signal.getsignal(signal.SIGINT)),
        "longest cell": csv.field_size_limit(),
        "lock of imports": _is_free(IMPORTING),
    }


def state() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    return process(), models()


def answer() -> None:
    """Let each model of the session answer: one that is not whole raises."""
    for name in hf.session:
        hf.tokens("one two", model=name)
        if hf.session[name].head == "BertModel":
            hf.infer("one two", model=name)


def models() -> dict[str, dict[str, Any]]:
    """What each model of the session is, hooks and all; one that is not whole fails here."""
    return {name: _model(hf.session[name]) for name in hf.session}


def digest(place: str) -> str:
    """The bytes of a file, or of all files of a folder, and the names of what lies beside it."""
    root = Path(place)
    if not root.exists():
        return "not there"
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        found.update(path.relative_to(root).as_posix().encode())
        found.update(path.read_bytes())
    return f"{found.hexdigest()[:16]} among {sorted(one.name for one in root.parent.iterdir())}"


def empty(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir()


def _is_free(lock: Any) -> bool:
    found: list[bool] = []

    def try_it() -> None:
        if lock.acquire(timeout=5):
            found.append(True)
            lock.release()

    one = threading.Thread(target=try_it)
    one.start()
    one.join()
    return bool(found)


def _logger(name: str) -> tuple[str, bool, int, int]:
    one = logging.getLogger(name)
    kinds = repr([type(handler).__name__ for handler in one.handlers])
    return kinds, one.propagate, one.level, len(one.filters)


def _model(loaded: Any) -> dict[str, Any]:
    model, tokenizer = loaded.model, loaded.tokenizer
    weights = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        weights.update(name.encode() + tensor.numpy().tobytes())
    return {
        "class": type(model).__name__,
        "weights": weights.hexdigest()[:16],
        "training": any(one.training for one in model.modules()),
        "hooks": sum(map(_hooks, model.modules())),
        "patched": [name for name, one in model.named_modules() if "forward" in vars(one)],
        "attention": model.config._attn_implementation,
        "config": hashlib.sha256(model.config.to_json_string().encode()).hexdigest()[:8],
        "pad": tokenizer and (tokenizer.pad_token, tokenizer.padding_side, len(tokenizer)),
        "lock": _is_free(loaded.lock),
        "name": loaded.name,
        "steps": any(getattr(spec, "name", "") == loaded.name for spec in hf.session.log),
    }


def _hooks(module: Any) -> int:
    return sum(
        len(hooks)
        for name, hooks in vars(module).items()
        if name.endswith("_hooks") and isinstance(hooks, dict)
    )
