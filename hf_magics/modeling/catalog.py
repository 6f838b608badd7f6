"""What transformers and the cache hold, read from files: Tab must not import them."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import re
from pathlib import Path

_CONFIG_NAMES = re.compile(r'\("([\w.-]+)", "\w+Config"\)')
_EXPORTED = re.compile(r"__all__ = \[(.*?)\]", re.DOTALL)


@functools.cache
def model_types() -> tuple[str, ...]:
    """Return transformers' model types."""
    auto = _package() / "models" / "auto"
    found: dict[str, None] = {}
    for name in ("auto_mappings.py", "configuration_auto.py"):
        found |= dict.fromkeys(_CONFIG_NAMES.findall(_text(auto / name)))
    return tuple(found)


@functools.cache
def config_fields(model_type: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of a type's config with the types they take, none where it is unknown."""
    folder = model_type.replace("-", "_")
    source = _text(_package() / "models" / folder / f"configuration_{folder}.py")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    own = next((node for node in classes if f"'{model_type}'" in _model_type_of(node)), None)
    annotated = [node for node in own.body if isinstance(node, ast.AnnAssign)] if own else []
    fields = [(ast.unparse(node.target), ast.unparse(node.annotation)) for node in annotated]
    return (*fields, ("num_labels", "int")) if fields else ()


@functools.cache
def classes(model_type: str) -> tuple[str, ...]:
    """Return the model classes of a type."""
    folder = model_type.replace("-", "_")
    source = _text(_package() / "models" / folder / f"modeling_{folder}.py")
    match = _EXPORTED.search(source)
    return tuple(re.findall(r'"(\w+)"', match.group(1))) if match else ()


def type_of(source: str) -> str:
    """Return the model type of a folder or a cached hub id, ``""`` where it is not known."""
    folders = [Path(source).expanduser(), *_snapshots(source)]
    for folder in folders:
        text = _text(folder / "config.json")
        try:
            return str(json.loads(text).get("model_type", ""))
        except (ValueError, AttributeError):
            continue
    return ""


def cached_ids() -> list[str]:
    """Return the ids of the model repositories in the hub's cache."""
    folders = _cache().glob("models--*")
    return sorted(one.name.removeprefix("models--").replace("--", "/") for one in folders)


def folders(start: str) -> list[str]:
    """Return the folders and GGUF files whose path begins so."""
    head, _, last = start.rpartition("/")
    parent = Path(f"{head}/" if head or start.startswith("/") else ".").expanduser()
    if not parent.is_dir():
        return []
    prefix = start[: len(start) - len(last)]
    entries = sorted(one for one in parent.iterdir() if one.name.startswith(last))
    shown = [one for one in entries if last or not one.name.startswith(".")]
    found = [f"{prefix}{one.name}/" for one in shown if one.is_dir()]
    return found + [prefix + one.name for one in shown if one.suffix == ".gguf"]


def _snapshots(repo_id: str) -> list[Path]:
    return sorted((_cache() / f"models--{repo_id.replace('/', '--')}" / "snapshots").glob("*"))


def _cache() -> Path:
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", f"{home}/hub")).expanduser()


@functools.cache
def _package() -> Path:
    spec = importlib.util.find_spec("transformers")
    return Path(spec.origin).parent if spec is not None and spec.origin else Path()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # not there, or no path at all: nothing to offer
        return ""


def _model_type_of(node: ast.ClassDef) -> str:
    assigned = (one for one in node.body if isinstance(one, ast.Assign))
    return next((ast.unparse(one.value) for one in assigned if _target(one) == "model_type"), "")


def _target(node: ast.Assign) -> str:
    return ast.unparse(node.targets[0])
