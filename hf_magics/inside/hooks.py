"""Watching modules while a model runs: hooks that are gone after it, whatever comes up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

End = Callable[[str, Any, Any], None]
"""Told the path of a module, what it was given, and what it gave."""


def paths_of(model: Any) -> list[str]:
    """Return the paths of all modules, that of the model itself among them."""
    return [path for path, _ in model.named_modules()]


@contextlib.contextmanager
def watching(
    model: Any, paths: Iterable[str], end: End, begin: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Call ``begin`` before and ``end`` after each of the modules, for the length of the block."""
    handles: list[Any] = []
    try:
        for path in paths:
            module = model.get_submodule(path)
            if begin is not None:
                handles.append(module.register_forward_pre_hook(_before(begin, path)))
            handles.append(module.register_forward_hook(_after(end, path), with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _before(begin: Callable[[str], None], path: str) -> Callable[..., None]:
    return lambda _module, _args: begin(path)


def _after(end: End, path: str) -> Callable[..., None]:
    return lambda _module, args, kwargs, returned: end(path, (args, kwargs), returned)
