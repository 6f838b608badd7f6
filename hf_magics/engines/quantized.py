"""Load with torch and with weights of fewer bits, and measure what that changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from hf_magics.display.numbers import size
from hf_magics.display.progress import progress
from hf_magics.engines.samples import Apart, apart, far_words, samples, takes
from hf_magics.errors import HFMagicsError
from hf_magics.modeling import loading, placement, quantizing
from hf_magics.modeling.engine_facts import EngineFacts
from hf_magics.modeling.reading import Reader
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.weights import parameter_count
from hf_magics.settings import Settings
from hf_magics.specs import LoadSpec

_ALIKE = 0.95  # the least cosine that goes without a warning


def load(
    spec: LoadSpec, session: Session, settings: Settings, *, tokenizer: Any = None
) -> ModelResult:
    """Load a checkpoint into the session, quantised; its page compares it with the whole weights.

    Raises:
        HFMagicsError: It can't be loaded or quantised; the session is as it was.
    """

    def prepare(loaded: LoadedModel) -> list[str]:
        return _measure(loaded, spec)

    return loading.load(spec, session, settings, tokenizer=tokenizer, prepare=prepare)


def _measure(loaded: LoadedModel, spec: LoadSpec) -> list[str]:
    """Put what the page says of the weights on the model; return notes."""
    before = _whole_bytes(loaded.model)
    notes, compared = [], _no_room(loaded, before)
    if not compared:
        with progress("comparing with the whole weights"):
            far = _compared(loaded, spec)
        compared = far_words(far, exact=False) if far else "not compared: it can't be run on text"
        if far and not far.cosine >= _ALIKE:
            notes.append(
                f"{spec.quantize} changes the answers of this model much: the least cosine is "
                f"{far.cosine:.4f}"
            )
    words = quantizing.words(loaded.model, spec.quantize)
    rows = (
        ("before", f"{size(before)} with weights in {placement.dtype_name(loaded.model.dtype)}"),
        ("against those", compared),
    )
    loaded.engine = EngineFacts(f"torch, {words}", rows)
    return notes + _byte_each(spec, loaded)


def _byte_each(spec: LoadSpec, loaded: LoadedModel) -> list[str]:
    if spec.quantize != "int4" or "torchao" not in quantizing.words(loaded.model, "int4"):
        return []
    return ["torchao keeps int4 weights a byte each on the CPU: int8 is as small, and closer"]


def _whole_bytes(model: Any) -> int:
    """Return the bytes that the weights would have in the model's own dtype."""
    parameters = parameter_count(model) * model.dtype.itemsize
    return int(parameters + sum(one.nbytes for one in model.buffers()))


def _no_room(loaded: LoadedModel, needed: int) -> str:
    there = placement.available(loaded.model.device)
    if 1.2 * needed < there:
        return ""
    return f"not compared: the whole weights need {size(needed)}, and {size(there)} are free"


def _compared(loaded: LoadedModel, spec: LoadSpec) -> Apart | None:
    """Return how far the answers are from those of the whole weights, None where none can be had.

    The whole model is read once more, run on the samples, and let go.
    """
    model = loaded.model
    if model.main_input_name != "input_ids":
        return None
    try:
        batches = samples(loaded)
    except HFMagicsError:  # no tokenizer, and a model without a table of tokens
        return None
    mine = [_outputs(model, batch) for batch in batches]
    plain = dataclasses.replace(spec, quantize="", dtype=placement.dtype_name(model.dtype))
    whole = Reader(plain, loaded.tokenizer).read().model
    far = Apart()
    for one, batch in zip(mine, batches, strict=True):
        far += apart(one, _outputs(whole, batch), batch)
    return far


def _outputs(model: Any, batch: dict[str, torch.Tensor]) -> Any:
    given = {name: tensor.to(model.device) for name, tensor in batch.items()}
    if model.config.is_encoder_decoder:
        given["decoder_input_ids"] = given["input_ids"][:, :3]
    fixed = {"use_cache": False} if takes(model, "use_cache") else {}
    with torch.inference_mode():
        return model(**given, **fixed, return_dict=True)
