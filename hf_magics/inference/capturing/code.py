"""A capture as plain code: hooks, and what they keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch

from hf_magics.inference.capturing.recording import Recorder
from hf_magics.inference.capturing.ways import Way
from hf_magics.snippets import Snippet, quoted

_How = tuple[Way, str]


def hooks_before(recorder: Recorder, inputs: Mapping[str, Any]) -> Snippet:
    """Return the lines that hook the modules; ``captured`` then fills as the model runs.

    Args:
        recorder: What was captured, and how.
        inputs: What stands in the script as ``inputs``: a batch of tensors, or nothing.
    """
    paths = (f"    {quoted(path)}," for path in recorder.modules)
    lines = (
        "captured = {}" if recorder.is_plain else "captured, calls = {}, {}",
        "",
        *_keeping(recorder, inputs),
        "",
        *(_PLAIN_HOOK if recorder.is_plain else _HOOK).splitlines(),
        "",
        "paths = [",
        *paths,
        "]",
        "hooks = [",
        "    model.get_submodule(path).register_forward_hook(hook_of(path)) for path in paths",
        "]",
    )
    return Snippet(("import torch",), lines)


HOOKS_AFTER = Snippet((), ("for hook in hooks:", "    hook.remove()"))
"""The lines that take the hooks away."""

_PLAIN_HOOK = """\
def hook_of(path):
    def hook(module, args, output):
        captured[path] = kept(path, output)
    return hook"""

_HOOK = """\
def tensors_in(value, name):  # of a tensor, a tuple, a ModelOutput
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from tensors_in(inner, f"{name}.{key}")
    elif isinstance(value, (tuple, list)):
        for at, inner in enumerate(value):
            yield from tensors_in(inner, f"{name}[{at}]")

def hook_of(path):
    def hook(module, args, output):
        for at, (name, states) in enumerate(tensors_in(output, path)):
            name = name if at else path
            calls[name] = calls.get(name, 0) + 1
            name = name if calls[name] == 1 else f"{name}#{calls[name]}"
            captured[name] = kept(name, states)
    return hook"""


def _keeping(recorder: Recorder, inputs: Mapping[str, Any]) -> list[str]:
    """Return the function that keeps something of a tensor: the usual way stands last."""
    hows: dict[str, _How] = {
        name: (way, _mask(recorder, name, inputs) if way.padded else "")
        for name, way in recorder.ways.items()
    }
    common = Counter(hows.values()).most_common()
    usual = common[0][0] if common else (Way(), "")
    lines = ["def kept(name, states):"]
    for how, _ in common[1:]:
        names = ", ".join(quoted(name) for name, one in hows.items() if one == how)
        lines += [f"    if name in ({names},):", *_indented(how, 8)]
    return [*lines, *_indented(usual, 4)]


def _indented(how: _How, spaces: int) -> list[str]:
    way, mask = how
    return [" " * spaces + line for line in way.lines(mask)]


def _mask(recorder: Recorder, name: str, inputs: Mapping[str, Any]) -> str:
    """Return the mask's expression: the one among the inputs, else the numbers themselves."""
    if recorder.parted:  # which the one batch of the script is not
        return 'inputs["attention_mask"]'
    mask = recorder.masks[name].cpu()
    for key, one in inputs.items():
        if key.endswith("attention_mask") and torch.equal(one.flatten(0, -2).cpu().bool(), mask):
            flat = ".flatten(0, -2)" if one.dim() > mask.dim() else ""  # options of a prompt
            return f'inputs["{key}"]{flat}'
    return f"torch.tensor({mask.int().tolist()}, device=model.device)"
