"""Where a model's head begins: the module whose states it reads, and what norms them before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.errors import InputError
from hf_magics.inside.hooks import paths_of, watching
from hf_magics.modeling.store import LoadedModel

Pass = Callable[[], Any]


@dataclass(frozen=True)
class Backbone:
    """The module whose ``last_hidden_state`` the head reads, by its path in the model.

    ``tail`` are the paths of the modules that make that state of what the last layer gives, in
    the order of calls: a norm in most models, none where each layer norms at its end.
    """

    path: str
    tail: tuple[str, ...]


def backbone_of(loaded: LoadedModel, run: Pass) -> Backbone:
    """Return the backbone, found by watching passes; what is found is checked.

    Args:
        loaded: The model.
        run: Runs an input through it; a short one will do.

    Raises:
        InputError: What is between the last layer and the head can't be told.
    """
    model = loaded.model
    path = backbone_path(model, run)
    layers = _layers(loaded, path)
    watched = [name for name in paths_of(model) if _is_beside(name, layers, path)]
    last_layer = f"{layers}.{len(model.get_submodule(layers)) - 1}"
    found: dict[str, Any] = {}
    called: list[str] = []

    def note(name: str, _given: Any, output: Any) -> None:
        if name == last_layer:
            found["last"] = output[0] if isinstance(output, tuple) else output
            called.clear()
        elif name == path:
            found["state"] = output.last_hidden_state
        elif "last" in found and _is_like(output, found["last"]):
            called.append(name)

    with watching(model, [last_layer, path, *watched], note):
        run()
    for tail in (tuple(called), ()):
        if _gives(model, tail, found["last"], found["state"]):
            return Backbone(path, tail)
    raise InputError(
        f"what {loaded.name} does between its last layer and its head can't be told, so there is "
        "no lens for it"
    )


@contextlib.contextmanager
def head_reading(model: Any, path: str, states: Callable[[Any], torch.Tensor]) -> Iterator[None]:
    """Let the head read other states than the backbone's ``last_hidden_state`` within the block.

    Args:
        model: The model.
        path: The backbone's path in it.
        states: Given the backbone's output, returns what the head reads in its place.
    """

    def replaced(_module: Any, _args: Any, output: Any) -> Any:
        output.last_hidden_state = states(output)
        return output

    hook = model.get_submodule(path).register_forward_hook(replaced)
    try:
        yield
    finally:
        hook.remove()


def backbone_path(model: Any, run: Pass) -> str:
    """Return the path of the module that gives a ``last_hidden_state`` last.

    Raises:
        InputError: None does.
    """
    found: list[str] = []

    def note(name: str, _given: Any, output: Any) -> None:
        if hasattr(output, "last_hidden_state"):
            found.append(name)

    with watching(model, [name for name in paths_of(model) if name], note):
        run()
    if not found:
        raise InputError("no part of the model gives the last_hidden_state that a head reads")
    return found[-1]


def _layers(loaded: LoadedModel, path: str) -> str:
    """Return the path of the list of the backbone's layers."""
    lists = [
        (f"{path}.{name}", module)
        for name, module in loaded.model.get_submodule(path).named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module)
    ]
    wanted = getattr(loaded.config.get_text_config(), "num_hidden_layers", 0)
    fitting = [one for one in lists if len(one[1]) == wanted] or lists
    if not fitting:
        raise InputError(f"{loaded.name} has no list of layers, so there is no lens for it")
    return max(fitting, key=lambda one: sum(each.numel() for each in one[1].parameters()))[0]


def _is_beside(name: str, layers: str, path: str) -> bool:
    """Say whether a module stands beside the layers, or beside what holds them, in the backbone."""
    above = name.rpartition(".")[0]
    holds = layers == name or layers.startswith(f"{name}.")
    return name.startswith(f"{path}.") and layers.startswith(f"{above}.") and not holds


def _is_like(output: Any, last: torch.Tensor) -> bool:
    """Say whether a module gives a state for each position."""
    return isinstance(output, torch.Tensor) and output.shape[:-1] == last.shape[:-1]


def _gives(model: Any, tail: Sequence[str], last: torch.Tensor, state: torch.Tensor) -> bool:
    with torch.inference_mode():
        for name in tail:
            last = model.get_submodule(name)(last)
    return last.shape == state.shape and torch.allclose(last.float(), state.float(), atol=1e-5)
