"""What every task is: how its inputs are encoded, run, decoded, shown and written as code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hf_magics.errors import HeadError, InputError, OptionError
from hf_magics.inference import running, tokenizing
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.inputs import Inputs, kind_of_thing
from hf_magics.inference.rows import Rows, tokenise
from hf_magics.inference.snippets import infer_snippet
from hf_magics.inference.tokenizing import Encoded
from hf_magics.modeling.store import LoadedModel
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet
from hf_magics.specs import InferSpec


@dataclass(frozen=True)
class Request:
    """What a task is asked for: a model, the inputs, and the options of the line.

    ``inputs`` holds texts, token IDs, tensors by name, or things such as images. ``watcher`` is
    told of each forward pass, where there is one.
    """

    loaded: LoadedModel
    spec: InferSpec
    inputs: Inputs
    settings: Settings
    watcher: running.Watcher | None = None

    @property
    def options(self) -> Mapping[str, Any]:
        """The task's options that the line gave: ``labels``, ``top_k`` and so on."""
        return dict(self.spec.options)


@dataclass(frozen=True)
class Done:
    """A request that was run: its batch, the outputs, and what had to be added to the batch."""

    request: Request
    encoded: Encoded
    outputs: Any
    added: Mapping[str, Any]


class Task:
    """One task; a subclass a file, with an instance in the table of tasks.

    A subclass says its ``name``, which ``options`` it takes and which kinds of input it ``reads``,
    and overrides the steps in which it differs from one plain forward pass. An instance has no
    state.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ("texts", "ids", "tensors")
    echoes: ClassVar[bool] = False
    """Whether the page repeats the input's lines above the answer, which has none of them."""
    cuts: ClassVar[bool] = True
    """Whether ``--max-length`` cuts the inputs."""
    column: ClassVar[str] = "answer"
    """What a map calls the column of the main values."""
    window: ClassVar[int] = 2_048
    """How many inputs a map finishes before it writes them down."""

    def is_default_for(self, loaded: LoadedModel) -> bool:  # noqa: ARG002 - for subclasses
        """Say whether this is the answer of a head that has it where the line names no task."""
        return True

    def check(self, request: Request) -> None:
        """Refuse what the task can't do, before anything is run.

        Raises:
            OptionError: The line gives an option that the task does not take.
            InputError: The task does not read this kind of input, or can't cut it.
        """
        kind = request.inputs.kind
        if kind not in self.reads:
            reads = " or ".join(_KINDS.get(one, one) for one in self.reads)
            if kind == "things":
                thing = kind_of_thing(request.inputs.things[0])
                raise InputError(f"{self.name} reads {reads}, not {thing}")
            raise InputError(
                f"{self.name} reads {reads}, not {_KINDS.get(kind, kind)}; --task features shows "
                "the tensors"
            )
        self._check_cutting(request)
        for name in request.options:
            if name not in self.options:
                takes = ", ".join(map(option, self.options))
                raise OptionError(
                    f"{self.name} takes no {option(name)}"
                    + (f"; it takes {takes}" if takes else ": it has no options of its own")
                )

    def _check_cutting(self, request: Request) -> None:
        if request.spec.max_length is None:
            return
        if not self.cuts:
            raise OptionError(f"{self.name} cuts nothing: leave out --max-length")
        if request.inputs.kind == "tensors":
            raise InputError(
                "--max-length cuts texts and token IDs, not a dictionary of tensors: cut those "
                "before, and leave it out"
            )

    def encode(self, request: Request) -> Encoded:
        """Return the batch for the inputs: by default as many rows as inputs."""
        return tokenizing.encode_inputs(request.loaded, request.inputs, request.spec.max_length)

    def rows(self, request: Request) -> Rows | None:
        """Return the inputs tokenised one by one, of which a map makes its batches.

        None where `encode` makes something else of them than a row each; a map calls that then.
        """
        plain = type(self).encode is Task.encode and request.inputs.kind in {"texts", "ids"}
        return tokenise(request.loaded, request.inputs, request.spec.max_length) if plain else None

    def run(self, request: Request, encoded: Encoded) -> tuple[Any, dict[str, Any]]:
        """Return the model's outputs, and what had to be added to the batch."""
        extra = dict(request.spec.extra)
        return running.run(request.loaded, encoded.inputs, extra, encoded.apart, request.watcher)

    def answer(self, done: Done) -> Answer:
        """Decode the outputs."""
        raise NotImplementedError

    def columns(self, done: Done) -> dict[str, Any]:
        """Return what a map keeps: a value an input in each column, the main one first.

        Raises:
            HeadError: The task has no main value an input.
        """
        answer = self.answer(done)
        if answer.main:
            return {answer.main.removesuffix("s"): answer.raw[answer.main]}
        if not answer.values:
            raise HeadError(
                f"{self.name} has no main value an input, so there is no column to make: "
                "%%hf_infer shows its answer"
            )
        return {self.column: list(answer.values), **_sure(answer)}

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return plain code for what was done, after the model's own: inputs, outputs, answer."""
        ran = infer_snippet(done.request.spec, done.encoded, done.added)
        return (ran, Snippet((), self.decoding(done)))

    def decoding(self, done: Done) -> tuple[str, ...]:  # noqa: ARG002 - for subclasses
        """Return the lines of plain code that decode ``outputs``; ``inputs`` is there too."""
        return ()


def _sure(answer: Answer) -> dict[str, list[float | None]]:
    """Return the probability of each input's answer; None for one that has several."""
    best: dict[int, list[float]] = {}
    for one in answer.records:
        if one.get("rank") == 1 and "prob" in one:
            best.setdefault(one["line"], []).append(one["prob"])
    several = (best.get(line, []) for line in range(1, len(answer.values) + 1))
    return {"prob": [one[0] if len(one) == 1 else None for one in several]} if best else {}


_KINDS = {"texts": "text", "ids": "token IDs", "things": "what -i gives, such as an image"}


def option(name: str) -> str:
    """Return an option as it is typed: ``--top-k``."""
    return "--" + name.rstrip("_").replace("_", "-")


def named_lines(request: Request, count: int) -> list[str]:
    """Return a name for each of so many inputs: its text, else its number."""
    texts = request.inputs.texts
    return list(texts) if len(texts) == count else [f"input {at}" for at in range(1, count + 1)]


def need_positive(request: Request, *names: str) -> None:
    """Refuse counts below 1.

    Raises:
        OptionError: Naming the option.
    """
    for name in names:
        value = request.options.get(name)
        if value is not None and value < 1:
            raise OptionError(f"{option(name)} {value}: at least 1 is needed")
