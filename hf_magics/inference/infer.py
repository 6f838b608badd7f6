"""Infer: a spec to tokens, a batch, outputs, and a task's answer."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.display.numbers import plural, seconds
from hf_magics.display.parts import Code, Fold, Note, Page, Text
from hf_magics.display.shown import Shown
from hf_magics.errors import InputError
from hf_magics.inference import tokenizing
from hf_magics.inference.cutting import Cut
from hf_magics.inference.running import run
from hf_magics.inference.snippets import infer_snippet
from hf_magics.inference.tasks import Answer, task_for
from hf_magics.inference.tensors import nbytes_held
from hf_magics.inference.tokenizing import Encoded
from hf_magics.modeling import store
from hf_magics.modeling.report import random_verdict
from hf_magics.modeling.snippets import model_snippet
from hf_magics.modeling.store import Kept, LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.settings import Settings
from hf_magics.snippets import script
from hf_magics.specs import InferSpec


def infer(
    spec: InferSpec,
    session: Session,
    settings: Settings,
    *,
    tensors: Mapping[str, Any] | None = None,
) -> InferResult:
    """Run texts, token IDs or tensors through a model as one plain batch.

    Args:
        spec: The model and the inputs.
        session: Where the model is.
        settings: How much a page shows.
        tensors: What ``forward`` takes, in place of the spec's texts and IDs.

    Raises:
        SessionNameError: No such model.
        TokenizerError: Text, and the model has no tokenizer.
        InputError: The input is empty, or the model does not take it.
        FitError: The device has no room for it.
    """
    loaded = session.get(spec.name)
    task = task_for(spec.task)
    encoded = _encode(loaded, spec, tensors)
    logged: list[str] = []
    started = time.perf_counter()
    with watched(f"running {loaded.name}", notes=logged):
        outputs, added = run(loaded, encoded.inputs, dict(spec.extra))
    took = time.perf_counter() - started
    resolved = dataclasses.replace(spec, name=loaded.name, task=task.name)
    answer = task.answer(outputs, settings)
    session.log.append(resolved)
    said = (*_notes_on(loaded, outputs), *tokenizing.notes_on(encoded), *_notes_on_added(added))
    said += tuple(line for line in logged if "output_attentions" not in line)  # said above
    head = type(loaded.model).__name__
    ran = script(model_snippet(loaded), infer_snippet(resolved, encoded, added))
    return InferResult(
        Ran(
            loaded.name,
            loaded.number,
            head,
            _echo(spec.texts),
            encoded.lengths,
            encoded.cuts,
            took,
        ),
        answer,
        said + answer.notes,
        outputs=outputs,
        code=ran,
    )


@dataclass(frozen=True)
class Ran:
    """What was run: model, first texts, each line's tokens, what was cut, and the seconds."""

    name: str
    number: int
    head: str
    texts: tuple[str, ...]
    lengths: tuple[int, ...]
    cuts: tuple[Cut, ...]
    seconds: float


class InferResult(Shown):
    """The answer of a task, with the real outputs in reach.

    In a notebook the tensors are kept within a budget; with ``-o NAME``, and in scripts, the result
    owns them.
    """

    def __init__(
        self, ran: Ran, answer: Answer, notes: tuple[str, ...], *, outputs: Any, code: str
    ) -> None:
        self._ran = ran
        self._answer = answer
        self._notes = notes
        self._outputs = outputs
        self._ticket = 0
        self.code = code

    @property
    def outputs(self) -> Any:
        """The model's own output, in the order and with the padding of one plain batch.

        Raises:
            EvictedError: It was let go for newer ones.
        """
        return self._outputs if self._outputs is not None else store.session.kept.get(self._ticket)

    @property
    def model(self) -> Any:
        """The transformers model; an error where it was dropped since."""
        return store.session.by_number(self._ran.number).model

    @property
    def tokenizer(self) -> Any:
        """The transformers tokenizer, None where the model has none."""
        return store.session.by_number(self._ran.number).tokenizer

    def kept_in(self, kept: Kept, budget: int) -> InferResult:
        """Return the same result, its tensors in a store of a limited size."""
        if self._outputs is None:
            return self
        other = InferResult(self._ran, self._answer, self._notes, outputs=None, code=self.code)
        other._ticket = kept.put(self._outputs, nbytes_held(self._outputs), budget)
        return other

    def records(self) -> list[dict[str, Any]]:
        """The task's rows."""
        return self._answer.records

    def page(self) -> Page:
        """The answer, after the notes and one line on what was run."""
        ran = self._ran
        tokens = f", {plural(sum(ran.lengths), 'token')}" if ran.lengths else ""
        lines = plural(len(ran.lengths), "line") if ran.lengths else "tensors"
        said = f"{lines}{tokens}; the forward pass took {seconds(ran.seconds)}."
        echo = (Text("\n".join(ran.texts)),) if ran.texts else ()
        notes = tuple(Note(note) for note in self._notes)
        lost = tuple(Code(f"line {cut.line}: {cut.lost_text}") for cut in ran.cuts)
        folded = (Fold("Text that was lost", lost),) if lost else ()
        parts = (*echo, Text(said), *self._answer.parts, *folded)
        return Page(f"{ran.name} · {ran.head}", parts, notes)


def _encode(loaded: LoadedModel, spec: InferSpec, tensors: Mapping[str, Any] | None) -> Encoded:
    if tensors is not None:
        strange = [name for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
        if strange or not tensors:
            raise InputError(
                f"a dictionary of tensors is needed; {strange[0] if strange else 'it'} is none"
            )
        if "input_ids" in tensors:
            tokenizing.check_rows(loaded, tensors["input_ids"])
        return Encoded(dict(tensors), ())
    if spec.ids:
        return tokenizing.from_ids(loaded, spec.ids, spec.max_length)
    return tokenizing.encode(loaded, spec.texts, spec.max_length)


def _notes_on(loaded: LoadedModel, outputs: Any) -> list[str]:
    """Say what makes these outputs other than they seem."""
    said = []
    if loaded.random:
        said.append(random_verdict(loaded.random))
    if loaded.model.training:
        said.append(
            "the model is in train mode: dropout makes its outputs random; .model.eval() ends that"
        )
    attentions = _attentions(outputs)
    if attentions and not any(len(one) for one in attentions):
        used = loaded.config._attn_implementation  # noqa: SLF001 - has no public name
        said.append(
            f"the attentions are empty: {used} does not compute them; load with --attn eager"
        )
    return said


def _echo(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first lines as they were read, shortened."""
    shown = [text if len(text) <= _WIDE else f"{text[:_WIDE]}…" for text in texts[:_MOST_ECHOED]]
    more = len(texts) - _MOST_ECHOED
    return (*shown, *([f"… and {plural(more, 'more line')}"] if more > 0 else []))


_WIDE, _MOST_ECHOED = 100, 3


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
