"""What a hook of one's own gives: what captures are compared with."""

import torch

from hf_magics.display.parts import Text


def by_hand(model, paths, **inputs):
    """The first tensor that each module gave in each call, by path: whole."""
    seen = {path: [] for path in paths}

    def hook_of(path):
        def hook(_module, _args, output):
            first = output if isinstance(output, torch.Tensor) else output[0]
            seen[path].append(first.clone())

        return hook

    handles = [model.get_submodule(path).register_forward_hook(hook_of(path)) for path in paths]
    try:
        with torch.inference_mode():
            model(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def hooks_on(model) -> int:
    """How many hooks are on any of its modules, but for those that transformers leaves there."""
    every = [
        hook
        for one in model.modules()
        for hook in (*one._forward_hooks.values(), *one._forward_pre_hooks.values())
    ]
    return sum(not hook.__module__.startswith("transformers") for hook in every)


def said(result) -> str:
    """The sentences of a page."""
    return " ".join(part.text for part in result.page().parts if isinstance(part, Text))
