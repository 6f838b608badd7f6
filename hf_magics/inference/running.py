"""Run a batch through a model: as it is, or where it is large, in batches of rows about as long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from transformers.utils import TransformersKwargs

from hf_magics.display.words import nearest, one_line
from hf_magics.errors import EngineError, FitError, InputError, is_full
from hf_magics.inference import grouping
from hf_magics.inference.told import takes_anything
from hf_magics.modeling.forwarding import parameters_of
from hf_magics.modeling.store import LoadedModel


class Runner(Protocol):
    """An engine that computes a model's forward pass in the place of torch."""

    def forward(self, arguments: Mapping[str, Any]) -> Any:
        """Return what the torch model's ``forward`` would: its ``ModelOutput``.

        Raises:
            EngineError: The engine does not take these arguments.
        """


def need_torch(loaded: LoadedModel, what: str) -> None:
    """Refuse what only the torch model does where an engine computes in its place.

    Raises:
        EngineError: Saying what needs it.
    """
    if loaded.runner is not None:
        engine = loaded.engine.words if loaded.engine else "an engine"
        raise EngineError(
            f"{what} needs torch, and {loaded.name} is computed by {engine}, which runs encoders: "
            "load it without --engine"
        )


class Watcher(Protocol):
    """Whoever keeps what the modules give while a batch is run, in parts perhaps."""

    def restart(self) -> None:
        """Forget what was not taken: a part is about to run."""

    def taken(self) -> dict[str, torch.Tensor]:
        """Return what the modules gave for the part that was run, by name."""

    def put(self, rows: int, tensors: dict[str, torch.Tensor]) -> None:
        """Take what they gave for the whole batch, in the order of its rows."""


def run(
    loaded: LoadedModel,
    inputs: Mapping[str, Any],
    extra: Mapping[str, Any],
    apart: torch.Tensor | None = None,
    watcher: Watcher | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Return the model's output for one batch, and the arguments that had to be added to the input.

    Many rows of token IDs are run in batches without much padding, with the same output where a
    token stands, and without a key-value cache. What stands at padding means nothing.

    Args:
        loaded: The model.
        inputs: What its ``forward`` takes; tensors are moved to its device.
        extra: More keyword arguments of ``forward``, such as ``output_hidden_states``.
        apart: Where tokens stand, for a model that reads padding: rows are then run without.
        watcher: Is given what its hooks saw. Where that has not a row each, all rows are run at
            once.

    Raises:
        InputError: The model does not take these inputs.
        FitError: The device has no room for the outputs.
    """
    model = loaded.model
    _check_words(model, {**inputs, **extra})
    twice = next((name for name in extra if name in inputs), None)
    if twice is not None:
        raise InputError(f"--set {twice}: the input has that already")

    def part(some: Mapping[str, Any]) -> tuple[Any, dict[str, Any], dict[str, torch.Tensor]]:
        return _seen(watcher, lambda: once(loaded, some, extra))

    outputs, added, seen = grouping.outputs_of(loaded, inputs, part, apart) or part(
        grouping.without_idle_mask(loaded, inputs)
    )
    if watcher is not None:
        watcher.put(len(next(iter(inputs.values()))), seen)
    return outputs, added


def _seen(
    watcher: Watcher | None, run_one: Callable[[], tuple[Any, dict[str, Any]]]
) -> tuple[Any, dict[str, Any], dict[str, torch.Tensor]]:
    """Return what one forward pass gave, what was added to its input, and what was seen of it."""
    if watcher is None:
        return *run_one(), {}
    watcher.restart()
    return *run_one(), watcher.taken()


def once(
    loaded: LoadedModel, inputs: Mapping[str, Any], extra: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Run one batch as it is, whatever its size: as `run`, and for whoever watches the modules."""
    model = loaded.model
    placed = {name: _placed(value, model.device) for name, value in inputs.items()}
    try:
        with torch.inference_mode():
            return _forward(loaded, {**placed, **extra})
    except (*_REFUSALS,) as error:
        if is_full(error):
            raise FitError(
                f"{model.device} has no room to run {loaded.name} on this: give fewer or shorter "
                "lines, or --max-length N"
            ) from error
        raise InputError(
            f"{loaded.name} does not take this input: {one_line(error)}{_lacking(model, inputs)}"
        ) from error


def _lacking(model: Any, inputs: Mapping[str, Any]) -> str:
    """Name what a model of several kinds of input was not given."""
    kinds = ("input_ids", "pixel_values", "input_features", "input_values")
    takes = parameters_of(model)
    lacking = [name for name in kinds if name in takes and name not in inputs]
    return f" (it also takes {', '.join(lacking)}: -i VAR gives a dictionary)" if lacking else ""


# what transformers' forwards raise on input that does not fit
_REFUSALS = (ValueError, TypeError, RuntimeError, MemoryError, IndexError, KeyError, AttributeError)


def _check_words(model: Any, extra: Mapping[str, Any]) -> None:
    """Refuse a keyword that ``forward`` would only pass on, and so ignore."""
    if takes_anything(model):
        return
    known = {*parameters_of(model), *TransformersKwargs.__annotations__}
    for name in extra:
        if name not in known:
            raise InputError(f"{type(model).__name__} takes no '{name}'{nearest(name, known)}")


def _forward(loaded: LoadedModel, arguments: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    runner: Runner | None = loaded.runner
    if runner is not None:
        return runner.forward(arguments), {}
    model = loaded.model
    try:
        return model(**arguments), {}
    except ValueError:
        started = _decoder_start(model, arguments)
        if started is None:
            raise
    added = {"decoder_input_ids": started}
    return model(**arguments, **added), added


def decoder_start_id(model: Any) -> int | None:
    """Return the token that a decoder begins with: the model's own, else its pad token."""
    text = model.config.get_text_config(decoder=True)
    found = (
        getattr(model.config, "decoder_start_token_id", None),
        getattr(getattr(model, "generation_config", None), "decoder_start_token_id", None),
        text.pad_token_id,
    )
    return next((one for one in found if one is not None), None)


def writing_start(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the start token for ``generate`` where an encoder-decoder names none for that."""
    own = model.generation_config
    named = (given.get("decoder_start_token_id"), own.decoder_start_token_id, own.bos_token_id)
    start = decoder_start_id(model)
    if not model.config.is_encoder_decoder or start is None or named != (None, None, None):
        return {}
    return {"decoder_start_token_id": start}


def _decoder_start(model: Any, arguments: dict[str, Any]) -> torch.Tensor | None:
    """Return one start token a line for an encoder-decoder that was given none, else None."""
    given = any(name.startswith("decoder_") for name in arguments)
    if not model.config.is_encoder_decoder or given:
        return None
    start = decoder_start_id(model)
    lines = next((one for one in arguments.values() if isinstance(one, torch.Tensor)), None)
    if start is None or lines is None:
        return None
    return torch.full((lines.shape[0], 1), start, dtype=torch.long, device=model.device)


def _placed(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value
