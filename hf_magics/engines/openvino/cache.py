"""Converted models on disk, by what they were made of.

The folder's name is the sha256 of everything that decides what is in it: the weights' own bytes,
the config, the head, how they were compressed, and the versions of the libraries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from hf_magics.display.words import one_line
from hf_magics.errors import EngineError
from hf_magics.literals import parsed
from hf_magics.modeling.weights import weights_hash
from hf_magics.paths import path_of

MODEL, WEIGHTS, _SUMS = "model.xml", "model.bin", "sha256.json"
_FORMAT = 2  # to be raised when the way of converting changes


def cache_folder() -> Path:
    """Return where converted models lie: under ``HF_MAGICS_CACHE``, else in the user's cache."""
    if own := os.environ.get("HF_MAGICS_CACHE"):
        return path_of(own, EngineError) / "openvino"
    users = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return path_of(users, EngineError) / "hf_magics" / "openvino"


def key_for(
    model: Any, batch: Mapping[str, Any], quantize: str, versions: Mapping[str, str]
) -> str:
    """Return the name under which a model's graph is kept.

    Args:
        model: The torch model.
        batch: The inputs that it is traced with.
        quantize: How the weights are compressed.
        versions: Those of the engine's packages.
    """
    config = model.config.to_dict()
    config.pop("_name_or_path", None)
    made_of = {
        "format": _FORMAT,
        "weights": weights_hash(model),
        "config": config,
        "attention": getattr(model.config, "_attn_implementation", None),
        "head": f"{type(model).__module__}.{type(model).__qualname__}",
        "inputs": [[name, tensor.dim()] for name, tensor in batch.items()],
        "quantize": quantize,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            **versions,
        },
    }
    text = json.dumps(made_of, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def find(key: str) -> Path | None:
    """Return the folder of that key, None where there is none whose files are as written."""
    folder = cache_folder() / key
    try:
        sums = parsed((folder / _SUMS).read_text(encoding="utf-8"))
        whole = sums == _sums(folder)
    except (OSError, ValueError):
        return None
    return folder if whole else None


def check_of_use() -> None:
    """Refuse a folder that holds nothing and can't be written: before anything is loaded.

    One that holds models is of use as it is, where the one that is asked for is among them.

    Raises:
        EngineError: It is of no use.
    """
    try:
        held = any(cache_folder().iterdir())
    except OSError:
        held = False
    if not held:
        check_writable()


def check_writable() -> None:
    """Refuse a folder that can't be written, before there is something to write.

    Raises:
        EngineError: It can't.
    """
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix="new-"):
            return
    except OSError as error:
        raise _unwritable(root, error) from error


def store(key: str, write: Callable[[Path], None]) -> Path:
    """Make the folder of that key, whole or not at all, in place of a broken one; return it.

    Args:
        key: Its name.
        write: Writes the model to the path that it is given.

    Raises:
        EngineError: It can't be written there.
    """
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix="new-") as made:
            staging = Path(made, key)
            staging.mkdir()
            write(staging / MODEL)
            (staging / _SUMS).write_text(json.dumps(_sums(staging)), encoding="utf-8")
            return _put(staging, root / key)
    except (OSError, RuntimeError) as error:  # the second is what OpenVINO raises on a full disk
        raise _unwritable(root, error) from error


def _unwritable(root: Path, error: Exception) -> EngineError:
    return EngineError(
        f"the converted model can't be written to '{root}': {one_line(error)[:200]}; the "
        "environment variable HF_MAGICS_CACHE names another folder"
    )


def _put(staging: Path, target: Path) -> Path:
    """Put a folder in its place; where another process was there first, its one is as good."""
    if find(target.name) is None:
        shutil.rmtree(target, ignore_errors=True)
    with contextlib.suppress(OSError):
        staging.rename(target)
    if find(target.name) is None:
        raise OSError("what was written there is not what can be read")
    return target


def _sums(folder: Path) -> dict[str, str]:
    return {name: _sum(folder / name) for name in (MODEL, WEIGHTS)}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
