"""What each module computes of an input: its shapes, its floating-point operations, its time."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from hf_magics.inference import running, tokenizing
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.tensors import walk
from hf_magics.inside.giving import encoded_for, given_lines
from hf_magics.inside.hooks import paths_of, watching
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet
from hf_magics.specs import InferSpec, LayersSpec

_PASSES = 3  # of which the median time counts


@dataclass
class Measure:
    """What one module did: the shapes of its first call, and of all its calls the rest.

    ``flops`` counts a multiplication and an addition as two, as torch's counter does; ``seconds``
    is the time from its call to its return.
    """

    shape_in: tuple[int, ...] = ()
    shape_out: tuple[int, ...] = ()
    flops: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Measured:
    """What the modules did, by their paths; modules that were not called are not there."""

    modules: dict[str, Measure]
    tokens: int
    snippet: Snippet
    notes: tuple[str, ...] = field(default=())


def measure(loaded: LoadedModel, inputs: Inputs, spec: LayersSpec) -> Measured:
    """Run inputs through a model, once to count and three times to time it.

    Raises:
        EngineError: An engine computes the model.
        HFMagicsError: The inputs can't be run.
    """
    running.need_torch(loaded, "%%hf_layers")
    asked = InferSpec(loaded.name, spec.texts, spec.ids, variable=spec.variable)
    encoded = encoded_for(loaded, inputs, asked)
    run = functools.partial(running.once, loaded, encoded.inputs, {})
    found = _counted(loaded.model, run)
    timed = [_timed(loaded.model, run) for _ in range(_PASSES)]
    for path, one in found.items():
        one.seconds = statistics.median(times.get(path, 0.0) for times in timed)
    lines = (*given_lines(loaded, inputs, asked, encoded), *_COUNTING)
    imports = ("import torch", "from torch.utils.flop_counter import FlopCounterMode")
    return Measured(
        found,
        sum(encoded.lengths),
        Snippet(imports, lines),
        tuple(tokenizing.notes_on(encoded)),
    )


_COUNTING = (
    "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
    "with torch.inference_mode(), FlopCounterMode(depth=99) as counter:  # prints a table",
    "    outputs = model(**inputs)",
)


def _counted(model: Any, run: Callable[[], Any]) -> dict[str, Measure]:
    found: dict[str, Measure] = {}

    def note(path: str, given: Any, returned: Any) -> None:
        if path not in found:
            found[path] = Measure(_shape(given), _shape(returned))

    counter = FlopCounterMode(display=False, custom_mapping=_ATTENTION_ON_CPU)
    with watching(model, paths_of(model), note), counter:
        run()
    root = type(model).__name__
    for name, by_operation in counter.get_flop_counts().items():
        path = "" if name == root else name.removeprefix(f"{root}.")
        if path in found:
            found[path].flops = sum(by_operation.values())
    return found


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


# torch's own counter knows the fused attention of GPUs alone
_ATTENTION_ON_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops  # noqa: SLF001
}


def _timed(model: Any, run: Callable[[], Any]) -> dict[str, float]:
    took: dict[str, float] = {}
    begun: dict[str, float] = {}
    now = clock(model)

    def begin(path: str) -> None:
        begun[path] = now()

    def end(path: str, _given: Any, _returned: Any) -> None:
        took[path] = took.get(path, 0.0) + now() - begun[path]

    with watching(model, paths_of(model), end, begin):
        run()
    return took


def clock(model: Any) -> Callable[[], float]:
    """Return a clock that waits for what a GPU still has to do."""
    if model.device.type != "cuda":
        return time.perf_counter

    def now() -> float:
        torch.cuda.synchronize(model.device)
        return time.perf_counter()

    return now


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of the first tensor in what a module was given or gave."""
    tensors = (leaf for _, leaf in walk(value) if isinstance(leaf, torch.Tensor))
    return next((tuple(one.shape) for one in tensors), ())
