"""What a line asks to be captured: patterns to the modules of a model, and how much is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import InputError, OptionError
from hf_magics.inference.running import need_torch
from hf_magics.modeling.module_paths import need_match
from hf_magics.modeling.store import LoadedModel
from hf_magics.specs import InferSpec

KEEPS = ("mean", "last", "all")
"""The mean over the tokens, the last token, or everything; the first is what is done unasked."""

_STARS = re.compile(r"(\*\*|\*)")


def check_keep(spec: InferSpec) -> str:
    """Return how much of each tensor is kept, ``""`` where nothing is captured.

    Raises:
        OptionError: No such way, or nothing to keep.
    """
    if spec.keep and spec.keep not in KEEPS:
        raise OptionError(
            f"--keep is {sentence_list(KEEPS)}, not '{spec.keep}'{nearest(spec.keep, KEEPS)}"
        )
    if spec.keep and not spec.capture:
        raise OptionError(
            f"--keep {spec.keep} says what is kept of a capture: --capture PATTERN names the "
            "modules"
        )
    return (spec.keep or KEEPS[0]) if spec.capture else ""


def find_modules(loaded: LoadedModel, patterns: Iterable[str]) -> dict[str, Any]:
    """Return the modules whose whole path matches one of the patterns, by their paths.

    ``*`` stops at a dot and ``**`` does not. A pattern that matches nothing is tried behind the
    base model's prefix, such as ``bert.``. A module with several paths has the first that matches;
    lists of modules, which compute nothing, are left out.

    Raises:
        OptionError: A pattern is empty.
        InputError: A pattern matches no module, or only such lists.
        EngineError: The model is not computed by torch.
    """
    patterns = tuple(patterns)
    if not patterns:
        return {}
    need_torch(loaded, "--capture")
    model = loaded.model
    every = {path: one for path, one in model.named_modules(remove_duplicate=False) if path}
    found: dict[int, tuple[str, Any]] = {}
    for pattern in patterns:
        for path in _matching(pattern, every, getattr(model, "base_model_prefix", "")):
            found.setdefault(id(every[path]), (path, every[path]))
    order = {path: at for at, path in enumerate(every)}
    return dict(sorted(found.values(), key=lambda one: order[one[0]]))


def _matching(pattern: str, every: Mapping[str, Any], prefix: str) -> list[str]:
    if not pattern.strip():
        raise OptionError("--capture needs the path of modules: --capture 'encoder.layer.*.output'")
    paths = _paths(pattern, every) or _paths(f"{prefix}.{pattern}", every)
    need_match(paths, every, pattern, "--capture")
    computing = [path for path in paths if _computes(every[path])]
    if not computing:
        path, kind = paths[0], type(every[paths[0]]).__name__
        raise InputError(
            f"--capture {pattern}: {path} is a {kind}, which computes nothing by itself: "
            f"--capture '{path}.*' takes what is in it"
        )
    return computing


def _paths(pattern: str, every: Mapping[str, Any]) -> list[str]:
    parts = _STARS.split(pattern.strip())
    wanted = re.compile("".join(_STAR.get(one, re.escape(one)) for one in parts))
    return [path for path in every if wanted.fullmatch(path)]


_STAR = {"*": r"[^.]*", "**": r".*"}


def _computes(module: Any) -> bool:
    return type(module).forward is not nn.Module.forward
