"""Load a checkpoint with torch, and let OpenVINO compute its forward pass."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from hf_magics.display.numbers import number, seconds, size
from hf_magics.display.progress import progress
from hf_magics.engines.layout import Layout
from hf_magics.engines.openvino import cache, graph, packages
from hf_magics.engines.openvino.runner import OpenVINORunner
from hf_magics.engines.openvino.snippets import engine_snippet
from hf_magics.engines.samples import Apart, Batch, apart, bare, far_words, samples, takes
from hf_magics.errors import EngineError, OptionError
from hf_magics.modeling import loading
from hf_magics.modeling.engine_facts import EngineFacts
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.settings import Settings
from hf_magics.specs import LoadSpec

_EXACT_ENOUGH = 1e-3  # of the largest number in a tensor: float32 in another order
_ALIKE = 0.95  # the least cosine of int8 weights that goes without a warning


def load(
    spec: LoadSpec, session: Session, settings: Settings, *, tokenizer: Any = None
) -> ModelResult:
    """Load a checkpoint into the session, with a graph of OpenVINO that computes it.

    The torch model is there beside it.

    Raises:
        HFMagicsError: It can't be loaded, or OpenVINO can't do what is asked; the session is as it
            was.
    """
    _check(spec)
    packages.openvino()
    if spec.quantize:
        packages.nncf()
    cache.check_of_use()
    # the graph is for the CPU and computes in float32: so is what it is made of
    spec = dataclasses.replace(spec, device="cpu", dtype="float32")

    def prepare(loaded: LoadedModel) -> list[str]:
        return _take_over(loaded, spec.quantize)

    return loading.load(spec, session, settings, tokenizer=tokenizer, prepare=prepare)


def _check(spec: LoadSpec) -> None:
    if spec.quantize not in {"", "int8"}:
        raise OptionError(f"--engine openvino takes --quantize int8, not '{spec.quantize}'")
    if spec.device not in {"", "auto", "cpu"}:
        raise OptionError(f"--engine openvino is for the CPU: leave out --device {spec.device}")
    if spec.dtype not in {"", "auto", "float32", "fp32", "float", "torch.float32"}:
        raise OptionError(f"--engine openvino computes in float32: leave out --dtype {spec.dtype}")
    for name in ("device_map", "quantization_config"):
        if name in dict(spec.extra):
            raise OptionError(f"--engine openvino takes no --set {name}")


def _take_over(loaded: LoadedModel, quantize: str) -> list[str]:
    """Give the model its runner, once its answers are known to be torch's; return notes."""
    _check_kind(loaded)
    notes: list[str] = []
    with progress("converting for OpenVINO"):
        loaded.runner, loaded.engine = _Making(loaded, quantize, notes).make()
    return notes


def _check_kind(loaded: LoadedModel) -> None:
    model, head = loaded.model, type(loaded.model).__name__
    without = "load it without --engine"
    if model.config.is_encoder_decoder:
        raise EngineError(f"--engine openvino runs encoders, and {head} has a decoder: {without}")
    if model.main_input_name != "input_ids" or not takes(model, "input_ids"):
        raise EngineError(
            f"--engine openvino runs models of text, and {head} reads {model.main_input_name}: "
            f"{without}"
        )
    if not takes(model, "attention_mask"):
        raise EngineError(
            f"--engine openvino runs encoders with an attention mask, and {head} takes none: "
            f"{without}"
        )
    if getattr(model, "hf_quantizer", None) is not None and loaded.origin.kind != "gguf":
        raise EngineError(f"--engine openvino converts float32 weights, not quantised: {without}")


class _Making:
    """One pass from a model of torch to what runs it."""

    def __init__(self, loaded: LoadedModel, quantize: str, notes: list[str]) -> None:
        self.loaded = loaded
        self.model = loaded.model
        self.quantize = quantize
        self.notes = notes
        self.batches = samples(loaded)
        self.names = tuple(self.batches[0])
        # a cache of keys and values is no tensor; nor has a graph a use for it
        self.fixed = {"use_cache": False} if takes(self.model, "use_cache") else {}

    def make(self) -> tuple[OpenVINORunner, EngineFacts]:
        """Return the runner and what the pages say.

        Raises:
            EngineError: It can't be converted, or does not answer as torch does.
        """
        started = time.perf_counter()
        expected = [self._torch(batch) for batch in self.batches]
        layout = self._layout(expected[0])
        self._note_left_out(layout)
        folder, how = self._graph()
        compiled = graph.compile_file(folder / cache.MODEL)
        runner = OpenVINORunner(
            self.loaded.name, self.model, compiled, self.names, layout, fills=self._fills()
        )
        far = self._compare(runner, expected)
        took = seconds(time.perf_counter() - started)
        return runner, self._facts(layout, far, folder, f"{took}, {how}")

    def _torch(self, batch: Batch) -> Any:
        with torch.inference_mode():
            return self.model(**batch, **self.fixed, return_dict=True)

    def _note_left_out(self, layout: Layout) -> None:
        with torch.inference_mode():
            usual = self.model(**self.batches[0], return_dict=True)
        if lacking := [name for name in usual if name not in dict(layout.fields)]:
            self.notes.append(
                f"OpenVINO gives no {', '.join(lacking)} of this model, which torch does: outputs "
                "are without, and it can't write text"
            )

    def _layout(self, output: Any) -> Layout:
        try:
            return Layout.of(output)
        except TypeError as error:
            raise EngineError(
                f"--engine openvino can't give what {type(self.model).__name__} does: {error}; "
                "load it without --engine"
            ) from error

    def _graph(self) -> tuple[Path, str]:
        """Return the folder with the graph, and how it came there."""
        key = cache.key_for(self.model, self.batches[0], self.quantize, self._versions())
        there = cache.find(key)
        if there is not None:
            return there, "from the cache"
        cache.check_writable()
        made = graph.convert(self.model, self.batches[0], self.fixed)
        if self.quantize:
            made = graph.compress(made, self.notes)
        return cache.store(key, lambda path: graph.write(made, path)), "and kept in the cache"

    def _versions(self) -> dict[str, str]:
        found = {"openvino": str(packages.openvino().__version__)}
        return found | ({"nncf": str(packages.nncf().__version__)} if self.quantize else {})

    def _fills(self) -> bool:
        """Say whether the model takes what is left out for ones and zeros, as the runner does."""
        batch = bare(self.batches[1])
        full = {"attention_mask": torch.ones_like, "token_type_ids": torch.zeros_like}
        given = {name: full[name](batch["input_ids"]) for name in self.names if name in full}
        alone, whole = self._torch(batch), self._torch(batch | given)
        return apart(whole, alone, batch).relative <= _EXACT_ENOUGH

    def _compare(self, runner: OpenVINORunner, expected: list[Any]) -> Apart:
        """Return how far the answers are from torch's; refuse those that are no rounding.

        Raises:
            EngineError: They are others.
        """
        far = Apart()
        for batch, known in zip(self.batches, expected, strict=True):
            try:
                found = runner.forward(batch)
            except RuntimeError as error:
                raise self._wrong(f"it fails: {error}") from error
            far += apart(found, known, batch)
        exact = not self.quantize
        if not far.finite or (exact and far.relative > _EXACT_ENOUGH):
            raise self._wrong(f"they differ by {number(far.largest)}")
        if far.cosine < _ALIKE:
            self.notes.append(
                f"int8 changes the answers of this model much: the least cosine is {far.cosine:.4f}"
            )
        return far

    def _wrong(self, why: str) -> EngineError:
        return EngineError(
            f"the graph that OpenVINO made of {type(self.model).__name__} does not answer as torch "
            f"does on a sample ({' '.join(why.split())[:200]}): load it without --engine"
        )

    def _facts(self, layout: Layout, far: Apart, folder: Path, converted: str) -> EngineFacts:
        version = packages.openvino().__version__.partition("-")[0]
        weights = f"{self.quantize} weights" if self.quantize else "float32"
        compiled = (folder / cache.WEIGHTS).stat().st_size
        rows = (
            ("compiled", f"{size(compiled)} of weights, beside the torch model"),
            ("against torch", far_words(far, exact=not self.quantize)),
            ("conversion", converted),
            ("cache", str(folder.parent)),
        )
        shapes = {name: tensor.dim() for name, tensor in self.batches[0].items()}
        snippet = engine_snippet(shapes, layout, self.fixed, self.quantize)
        return EngineFacts(f"OpenVINO {version}, {weights}", rows, snippet, compiled)
