"""Infer: a spec to tokens, a batch, outputs, and a task's answer."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from hf_magics.display.numbers import plural
from hf_magics.inference import tokenizing
from hf_magics.inference.capturing.asking import check_keep, find_modules
from hf_magics.inference.capturing.code import HOOKS_AFTER, hooks_before
from hf_magics.inference.capturing.pages import captured_notes, captured_parts
from hf_magics.inference.capturing.recording import Recorder, recording
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.results import InferResult, Ran
from hf_magics.inference.tasks import Answer, Done, Request, task_for
from hf_magics.inference.told import reads_padding
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import Session
from hf_magics.modeling.watching import watched
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet
from hf_magics.specs import InferSpec


def infer(spec: InferSpec, inputs: Inputs, session: Session, settings: Settings) -> InferResult:
    """Run texts, token IDs or tensors through a model as one plain batch, and decode the outputs.

    Args:
        spec: The model, the task and its options.
        inputs: What is run.
        session: Where the model is.
        settings: How much a page shows.

    Raises:
        SessionNameError: No such model.
        HeadError: The model's head does not answer the task.
        TokenizerError: Text, and the model has no tokenizer.
        InputError: The input is empty, or the model does not take it.
        FitError: The device has no room for it.
    """
    loaded = session.get(spec.name)
    task = task_for(loaded, spec.task, inputs, dict(spec.options))
    keep = check_keep(spec)
    modules = find_modules(loaded, spec.capture)
    spec = dataclasses.replace(spec, name=loaded.name, task=task.name, keep=keep)
    recorder = Recorder(loaded.model, modules, keep) if modules else None
    request = Request(loaded, spec, inputs, settings, recorder)
    task.check(request)
    encoded = task.encode(request)
    logged: list[str] = []
    started = time.perf_counter()
    with watched(f"running {loaded.name}", notes=logged), recording(recorder):
        outputs, added = task.run(request, encoded)
    took = time.perf_counter() - started
    done = Done(request, encoded, outputs, added)
    answer = task.answer(done)
    code = task.code(done)
    if recorder is not None:
        answer, code = _with_captured(recorder, done, answer, code)
    notes = (*_notes_on(done), *(line for line in logged if "output_attentions" not in line))
    return InferResult(
        Ran.of(done, took, echoes=task.echoes),
        answer,
        notes + answer.notes,
        held={"outputs": outputs, **answer.raw},
        code=session.record(spec, *pieces_of(loaded, *code)),
    )


def _with_captured(
    recorder: Recorder, done: Done, answer: Answer, code: tuple[Snippet, ...]
) -> tuple[Answer, tuple[Snippet, ...]]:
    """Return the answer and the code with what was captured behind them, and hooks around them."""
    tensors = recorder.captured()
    request = done.request
    parts = captured_parts(
        recorder, tensors, most=request.settings.rows, lines=request.inputs.count
    )
    added = dataclasses.replace(
        answer,
        parts=answer.parts + parts,
        notes=answer.notes + captured_notes(recorder, tensors),
        raw={**answer.raw, "captured": tensors},
    )
    return added, (hooks_before(recorder, done.encoded.inputs), *code, HOOKS_AFTER)


def _notes_on(done: Done) -> list[str]:
    """Say what makes these outputs other than they seem."""
    loaded, outputs = done.request.loaded, done.outputs
    said = state_notes(loaded)
    attentions = _attentions(outputs)
    if attentions and not any(len(one) for one in attentions):
        used = loaded.config._attn_implementation  # noqa: SLF001 - has no public name
        said.append(
            f"the attentions are empty: {used} does not compute them; load with --attn eager"
        )
    if _hides_padding(done):
        said.append(
            f"{type(loaded.model).__name__} reads padding, also where a mask hides it: rows that "
            "were filled up have other answers than by themselves; give them one at a time"
        )
    if done.request.spec.task != "features":  # whose own page counts them in each tensor
        said += _notes_on_nan(outputs)
    return [*said, *tokenizing.notes_on(done.encoded), *_notes_on_added(done.added)]


def _notes_on_nan(outputs: Any) -> Iterator[str]:
    """Say which logits are NaN: a probability is made of them, and a label, as of any number."""
    named = outputs.items() if isinstance(outputs, Mapping) else ()
    for name, value in named:
        if name.endswith("logits") and isinstance(value, torch.Tensor) and value.numel():
            largest = value.reshape(len(value), -1).amax(dim=1)  # NaN where one is: no second copy
            bad, rows = int(largest.isnan().sum()), plural(len(value), "row")
            if bad:
                yield f"NaN in the {name} of {bad:,} of {rows}: no answer there"


def _hides_padding(done: Done) -> bool:
    """Say whether rows were run with their padding though the model reads that."""
    encoded = done.encoded
    mask = encoded.mask if encoded.apart is None else None
    is_padded = mask is not None and not bool(mask.bool().all())
    return is_padded and reads_padding(done.request.loaded.model)


def _notes_on_added(added: Mapping[str, Any]) -> list[str]:
    if not added:
        return []
    return ["the decoder was started with its start token: outputs of the decoder are for that one"]


def _attentions(outputs: Any) -> list[Any]:
    """Return the attentions of every kind that an output has; an empty tuple is what sdpa gives.

    Models without a decoder give empty cross attentions with every implementation.
    """
    named = outputs.items() if isinstance(outputs, Mapping) else ()
    return [value for name, value in named if name.endswith("attentions") and value is not None]
