"""Hooks that keep what modules give, for as long as a task runs."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from hf_magics.inference.capturing.scopes import NOWHERE, Scope, Span, scope_of
from hf_magics.inference.capturing.ways import Way, way_of
from hf_magics.inference.merging import Merger, can_merge
from hf_magics.inference.tensors import walk
from hf_magics.interrupts import no_interrupt

Tensors = dict[str, torch.Tensor]
"""A name is the path of a module; of its further tensors ``path[1]`` or ``path.name``, and of a
further call ``path#2``."""


class Kept(NamedTuple):
    """A tensor, how it was kept, and under which mask."""

    tensor: torch.Tensor
    way: Way
    mask: torch.Tensor | None


class Recorder:
    """What modules gave.

    A forward pass of the whole model begins a pass. Whoever runs one batch in parts takes the last
    pass after each, and puts them together in the order of the rows; of all else (``generate``,
    pipelines) each pass counts, one after the other.
    """

    def __init__(self, model: Any, modules: Mapping[str, Any], keep: str) -> None:
        self.keep = keep
        self.modules = modules
        self.ways: dict[str, Way] = {}
        self.masks: dict[str, torch.Tensor] = {}
        self.called: set[str] = set()
        self.is_plain = True  # whether each module was called once, and gave a tensor
        # whether the rows ran in several batches: a way and its mask are then of one of them
        self.parted = False
        self._model = model
        self._passes: list[list[tuple[str, Kept]]] = [[]]
        self._scopes: list[Scope] = []
        self._last: Tensors = {}
        self._finished: list[tuple[int, Tensors]] = []

    @property
    def rows(self) -> int:
        """How many rows a task ran as batches, 0 where it did otherwise."""
        return sum(rows for rows, _ in self._finished)

    def restart(self) -> None:
        """Forget what was not taken: a batch is about to run."""
        self._passes = [[]]
        self._scopes = []

    def taken(self) -> Tensors:
        """Return what the last pass gave, and forget it."""
        self._last = self._named(self._passes[-1:])
        self.restart()
        return self._last

    def put(self, rows: int, tensors: Tensors) -> None:
        """Take the tensors of the next so many rows."""
        is_one_batch = tensors is self._last and not self._finished
        self.parted = not is_one_batch
        self._finished.append((rows, tensors))

    def captured(self) -> Tensors:
        """Return all that was captured."""
        if self._finished:
            return _one_after_the_other(self._finished)
        return self._named(self._passes)

    def register(self, stack: contextlib.ExitStack) -> None:
        """Hook the modules, and every model among them, until the stack is closed."""
        for module in self._model.modules():
            if module is self._model or isinstance(module, PreTrainedModel):
                # before any other hook of a model, and after all of them
                enter = module.register_forward_pre_hook(
                    self._enter, prepend=True, with_kwargs=True
                )
                stack.callback(enter.remove)
        for path, module in self.modules.items():
            handle = module.register_forward_hook(self._hook(path), with_kwargs=True)
            stack.callback(handle.remove)
        for module in self._model.modules():
            if module is self._model or isinstance(module, PreTrainedModel):
                leave = module.register_forward_hook(self._leave, always_call=True)
                stack.callback(leave.remove)

    def _enter(self, model: Any, args: Any, kwargs: Any) -> None:
        if model is self._model:
            self._scopes = []
            self._passes.append([])
        self._scopes.append(scope_of(model, args, kwargs))

    def _leave(self, *_: Any) -> None:
        if self._scopes:
            self._scopes.pop()

    def _hook(self, path: str) -> Any:
        def hook(module: Any, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
            given = next(iter((*args, *kwargs.values())), None)
            # a model's own output is of its own tokens: its scope is still there
            scope = self._scopes[-1] if self._scopes else NOWHERE
            self.called.add(path)
            self.is_plain &= isinstance(output, torch.Tensor)
            tensors = [one for one in walk(output, path) if isinstance(one[1], torch.Tensor)]
            for at, (name, tensor) in enumerate(tensors):
                kept = self._kept(module, tensor, scope.spans(given))
                self._passes[-1].append((name if at else path, kept))

        return hook

    def _kept(self, module: Any, tensor: torch.Tensor, spans: tuple[Span, ...]) -> Kept:
        for span in spans if self.keep != "all" else ():
            way = way_of(self.keep, module, tensor, span)
            if way is not None:
                return Kept(way.kept(tensor, span), way, span.mask)
        return Kept(Way().kept(tensor, spans[0]), Way(), None)

    def _named(self, passes: list[list[tuple[str, Kept]]]) -> Tensors:
        found: Tensors = {}
        calls: Counter[str] = Counter()
        for path, (tensor, way, mask) in itertools.chain(*passes):
            calls[path] += 1
            name = numbered(path, calls[path])
            self.is_plain &= name == path
            found[name] = tensor
            if name not in self.ways or way.padded:  # of several batches, one with padding
                self.ways[name] = way
            if mask is not None:
                self.masks[name] = mask
        return found


def numbered(name: str, call: int) -> str:
    """Return the name of what a module gave when it was called for the so-manieth time."""
    return name if call == 1 else f"{name}#{call}"


@contextlib.contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """Run the block with the recorder's hooks on the modules; they are gone after it."""
    stack = contextlib.ExitStack()
    try:
        if recorder is not None:
            with no_interrupt():
                recorder.register(stack)
        yield
    finally:
        with no_interrupt():
            stack.close()


def _one_after_the_other(parts: list[tuple[int, Tensors]]) -> Tensors:
    """Return the rows of several batches as those of one; what has none is kept of each call."""
    if len(parts) == 1:
        return parts[0][1]
    found: Tensors = {}
    for name in {name: None for _, tensors in parts for name in tensors}:
        given = [(rows, tensors[name]) for rows, tensors in parts if name in tensors]
        dims = {tensor.dim() for _, tensor in given}
        if len(given) == len(parts) and len(dims) == 1 and all(can_merge(t, n) for n, t in given):
            found[name] = _stacked(given)
        else:
            found |= {numbered(name, call): one for call, (_, one) in enumerate(given, 1)}
    return found


def _stacked(given: list[tuple[int, torch.Tensor]]) -> torch.Tensor:
    merger, first = Merger(), 0
    for rows, tensor in given:
        merger.add(tuple(range(first, first + rows)), tensor)
        first += rows
    merged: torch.Tensor = merger.merged()
    return merged
