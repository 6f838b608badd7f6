"""The forward pass of a converted model, in the place of torch's."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any

import torch

from hf_magics.display.numbers import plural
from hf_magics.engines.layout import Layout
from hf_magics.errors import EngineError
from hf_magics.modeling.limits import position_limit
from hf_magics.modeling.weights import tensors_of

_FILLED = {"attention_mask": torch.ones_like, "token_type_ids": torch.zeros_like}
_SWITCHES = ("output_hidden_states", "output_attentions", "use_cache")


class OpenVINORunner:
    """Runs a compiled graph; what that was not made for is refused.

    Args:
        name: The model's name in the session, for messages.
        model: The torch model that it was made of.
        compiled: What OpenVINO compiled.
        names: The inputs of the graph, in order.
        layout: The output that the torch model gives.
        fills: Whether a mask and token types that are left out are ones and zeros to the model.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        compiled: Any,
        names: tuple[str, ...],
        layout: Layout,
        *,
        fills: bool = True,
    ) -> None:
        self._name = name
        self._model = model
        self._compiled = compiled
        self._names = names
        self._layout = layout
        self._fills = fills
        self._made_of = Mark(model)
        self._lock = threading.Lock()  # a request of OpenVINO's is for one thread at a time

    def forward(self, arguments: Mapping[str, Any]) -> Any:
        """Return the ``ModelOutput`` for one batch.

        Raises:
            EngineError: The graph does not take these arguments, or the torch model is another
                than the one that was converted.
        """
        self._made_of.check(self._name)
        self._check_rest({k: v for k, v in arguments.items() if k not in self._names})
        given = self._inputs(arguments)
        self._check_sizes(given)
        with self._lock:
            found = self._compiled([given[name].cpu().numpy() for name in self._names])
        return self._layout.rebuild(
            [torch.from_numpy(found[at]) for at in range(self._layout.count)]
        )

    def _check_rest(self, rest: Mapping[str, Any]) -> None:
        for name, value in rest.items():
            if value is None or (name == "return_dict" and value):
                continue
            if name in _SWITCHES:
                self._check_switch(name, value)
                continue
            raise EngineError(
                f"{self._name} was converted for {', '.join(self._names)}: OpenVINO takes no "
                f"'{name}' there; load it without --engine for that"
            )

    def _check_switch(self, name: str, value: Any) -> None:
        fixed = False if name == "use_cache" else getattr(self._model.config, name, False)
        if value != bool(fixed):
            told = f"%hf_load … {name}={str(value).lower()} converts it so"
            how = "load it without --engine" if name == "use_cache" else told
            raise EngineError(
                f"{self._name} was converted with {name}={str(bool(fixed)).lower()}, and OpenVINO "
                f"can't change that: {how}"
            )

    def _inputs(self, arguments: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        found = {n: arguments[n] for n in self._names if arguments.get(n) is not None}
        lacking = [name for name in self._names if name not in found]
        unknown = [name for name in lacking if name not in _FILLED]
        if unknown or (lacking and not self._fills):
            raise EngineError(
                f"{self._name} was converted for {', '.join(self._names)}: give "
                f"{', '.join(unknown or lacking)} too"
            )
        ids = found["input_ids"]
        return found | {name: _FILLED[name](ids) for name in lacking}

    def _check_sizes(self, given: Mapping[str, torch.Tensor]) -> None:
        """Refuse what is out of the model's tables: a graph may read past them and say nothing."""
        length, most = given["input_ids"].shape[-1], position_limit(self._model)
        if most is not None and length > most:
            raise EngineError(
                f"{self._name} takes at most {most:,} tokens, and a line has {length:,}"
            )
        kinds = getattr(self._model.config, "type_vocab_size", 0) or 0
        types = given.get("token_type_ids")
        if kinds and types is not None and types.numel() and int(types.max()) >= kinds:
            raise EngineError(
                f"{self._name} has {plural(kinds, 'token type')}, and token_type_ids holds "
                f"{int(types.max())}"
            )


class Mark:
    """What a model was when it was converted: weights, config and mode.

    Weights count as changed where torch counted a change, where they lie elsewhere, or where one of
    some 64 elements of a tensor is another; all of it takes a seventh of a millisecond.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._few = [_few(one) for one in tensors_of(self._model)]
        self._before = self._now()
        self._config = copy.deepcopy(vars(self._model.config))  # to write it as JSON takes longer

    def check(self, name: str) -> None:
        """Refuse a model that is another by now.

        Raises:
            EngineError: Saying in what, and what helps.
        """
        if self._model.training:
            raise EngineError(
                f"{name} is in train mode, and its graph has no dropout: .model.eval() ends that"
            )
        where, values = self._now()
        if vars(self._model.config) != self._config:
            raise EngineError(
                f"the config of {name} has changed since it was converted: %hf_save it, and "
                "%hf_load the folder with --engine openvino"
            )
        if where != self._before[0] or values != self._before[1]:
            raise EngineError(
                f"the weights of {name} have changed since they were converted: %hf_save it, and "
                "%hf_load the folder with --engine openvino"
            )

    def _now(self) -> tuple[Any, ...]:
        where = tuple(
            (one.data_ptr(), None if one.is_inference() else one._version)  # noqa: SLF001
            for one in tensors_of(self._model)
        )
        values = torch.cat(self._few).double().sum().item() if self._few else 0.0
        return where, repr(values)


def _few(tensor: torch.Tensor) -> torch.Tensor:
    """Return some elements of a tensor, as a view of it: it shows what they are later."""
    flat = tensor.detach()
    flat = flat.view(-1) if flat.is_contiguous() else flat[(0,) * (flat.dim() - 1)]
    return flat[:: max(1, flat.numel() // 64)]
