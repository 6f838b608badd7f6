"""What a model's ``forward`` takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

Parameters = Mapping[str, inspect.Parameter]
_KNOWN: WeakKeyDictionary[Any, Parameters] = WeakKeyDictionary()


def parameters_of(model: Any) -> Parameters:
    """Return the parameters of ``model.forward`` by name, ``self`` left out.

    Found once for each function: a map asks with every batch.
    """
    function = getattr(model.forward, "__func__", None)
    if function is None:  # a wrapper's own, which holds the model: not to be kept
        return inspect.signature(model.forward).parameters
    if function not in _KNOWN:
        _KNOWN[function] = inspect.signature(model.forward).parameters
    return _KNOWN[function]
