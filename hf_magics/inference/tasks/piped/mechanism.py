"""The tasks that go through transformers' own ``pipeline``, over the objects that are loaded.

A pipeline takes one input at a time. ``result.outputs`` is what the model gave in the last forward
pass: that of the last input, and of a model that writes its last token's.
"""

from __future__ import annotations

import contextlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from transformers import pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from hf_magics.display.words import nearest, one_line
from hf_magics.errors import (
    FitError,
    HFMagicsError,
    InputError,
    MissingExtraError,
    OptionError,
    is_full,
)
from hf_magics.inference import checks, things
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task, need_positive, option
from hf_magics.inference.generation import fields
from hf_magics.inference.pairs import split_pair
from hf_magics.inference.running import need_torch
from hf_magics.inference.tasks.piped import code
from hf_magics.inference.tasks.piped.companions import find_parts, sampling_rate
from hf_magics.inference.tasks.piped.seen import Given, Seen
from hf_magics.inference.tokenizing import Encoded
from hf_magics.modeling import preprocessors
from hf_magics.snippets import Snippet


@dataclass(frozen=True)
class Opened(Encoded):
    """Inputs that were opened; ``answers`` are the pipeline's, as many, once it was run."""

    given: tuple[Given, ...] = ()
    answers: list[Any] = field(default_factory=list)


class Piped(Task):
    """A task of transformers' ``pipeline``; a subclass says what it reads and how it is shown.

    ``takes`` is the kind of thing: ``image``, ``pair`` (of images), ``sound``, ``table`` or
    ``video``. ``asks`` is the pipeline's argument for a question on the thing, ``""`` where there
    is none: it is parted from the path by a tab, stands beside the thing in a tuple, or is given
    with ``--set question=…`` for all. ``sets`` are the other arguments of a call that ``--set``
    gives; a task that ``writes`` takes the fields of a generation config there too.
    """

    reads = ("texts", "things")
    cuts = False
    takes: ClassVar[str] = "image"
    asks: ClassVar[str] = ""
    sets: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[bool] = False

    def show(self, seen: Seen) -> Answer:
        """Return the page and the rows for what the pipeline answered."""
        raise NotImplementedError

    def check(self, request: Request) -> None:
        """Refuse an option, a ``--set`` or a template that the pipeline would not take.

        Raises:
            OptionError: Naming it.
        """
        super().check(request)
        need_torch(request.loaded, self.name)
        need_positive(request, *(name for name in _COUNTS if name in self.options))
        if "labels" in self.options and not request.options.get("labels"):
            raise OptionError(f"{self.name} needs the labels to choose from: --labels cat,dog")
        template = request.options.get("template")
        if template is not None and "{}" not in template:
            raise OptionError(f"--template {template!r}: it needs {{}} in the place of the label")
        known = self._settable(request)
        for name, _ in request.spec.extra:
            if name not in known:
                raise OptionError(f"{self.name} takes no --set {name}{nearest(name, known)}")
        self._check_writing(request)

    def encode(self, request: Request) -> Encoded:
        """Open the images, sounds or tables.

        Raises:
            InputError: One can't be read, or its question is missing.
        """
        find_parts(request.loaded, self.pipeline_class)  # before anything is opened
        if request.inputs.kind == "texts":
            checks.check_texts(request.inputs.texts)
        asked = dict(request.spec.extra).get("question", "")
        items = request.inputs.things or request.inputs.texts
        given = (self._open(request, at, item, asked) for at, item in enumerate(items, 1))
        return Opened({}, (), given=tuple(given))

    def run(self, request: Request, encoded: Encoded) -> tuple[Any, dict[str, Any]]:
        """Call the pipeline for each input; return the outputs of the last forward pass.

        Raises:
            InputError: The pipeline does not take an input.
            MissingExtraError: It needs a package that is not installed.
            FitError: The device has no room.
        """
        assert isinstance(encoded, Opened)
        loaded = request.loaded
        with loaded.lock, _refusals(request), _last_output(loaded.model) as last:
            pipe = _make(
                self.name,
                model=loaded.model,
                **find_parts(loaded, self.pipeline_class).objects,
                **device_of(loaded.model),
            )
            for given in encoded.given:
                # fresh arguments each time: pipelines change the dictionaries that they are given
                encoded.answers.append(self.call(pipe, given, self.arguments(request)))
        return last.get("output", {}), {}

    def answer(self, done: Done) -> Answer:
        """Show what the pipeline answered."""
        assert isinstance(done.encoded, Opened)
        given = done.encoded.given
        answer = self.show(Seen(done.request, given, tuple(done.encoded.answers)))
        if self.takes != "sound" or all(_says_rate(one.source) for one in given):
            return answer
        rate = sampling_rate(done.request.loaded, self.pipeline_class)
        return replace(answer, notes=(*answer.notes, _RATE.format(rate=rate)))

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return ``pipeline`` over the model and its processor; ``answers`` is what it gives."""
        assert isinstance(done.encoded, Opened)
        request, given = done.request, done.encoded.given
        parts = find_parts(request.loaded, self.pipeline_class)
        device = dict.fromkeys(device_of(request.loaded.model), code.DEVICE)
        made = code.making(self.name, {**parts.expressions, **device})
        read = code.reading(request, given, self.takes)
        return made, read, self.calling(request, given)

    def calling(self, request: Request, given: tuple[Given, ...]) -> Snippet:
        """Return the code that calls ``pipe`` for each of the ``inputs``."""
        return code.calling(given, self.asks, self.arguments(request))

    def call(self, pipe: Callable[..., Any], given: Given, arguments: dict[str, Any]) -> Any:
        """Return the pipeline's answer for one input."""
        asked = {self.asks: given.question} if self.asks else {}
        return pipe(given.value, **asked, **arguments)

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the keyword arguments of a call that the line gives."""
        options = request.options
        found = {_NAMES[name]: options[name] for name in _NAMES if name in options}
        if "candidate_labels" in found:
            found["candidate_labels"] = list(found["candidate_labels"])
        extra = {name: value for name, value in request.spec.extra if name != "question"}
        found |= {name: value for name, value in extra.items() if name in self.sets}
        written = {_WRITING[name]: options[name] for name in _WRITING if name in options}
        written |= {name: value for name, value in extra.items() if name not in self.sets}
        return found | ({"generate_kwargs": written} if written else {})

    @property
    def pipeline_class(self) -> Any:
        """The class of the pipeline."""
        found = PIPELINE_REGISTRY.check_task(self.name)[1]["impl"]
        return pkgutil.resolve_name(found) if isinstance(found, str) else found

    def _settable(self, request: Request) -> tuple[str, ...]:
        asked = ("question",) if self.asks else ()
        written = fields.settable() if self.writes and _can_write(request) else ()
        kept = ("return_dict_in_generate",)  # pipelines take a plain tensor of IDs
        return (*self.sets, *asked, *(name for name in written if name not in kept))

    def _check_writing(self, request: Request) -> None:
        """Refuse numbers that ``generate`` would not take, and what is said twice."""
        options = {_WRITING[one]: option(one) for one in _WRITING if one in request.options}
        own = (*self.sets, "question")
        extra = [(name, value) for name, value in request.spec.extra if name not in own]
        if name := fields.said_twice(extra, options):
            raise OptionError(f"{options[name]} and --set {name} say the same: give one of them")
        given = {_WRITING[one]: request.options[one] for one in _WRITING if one in request.options}
        fields.check_values({**dict(extra), **given}, options)

    def _open(self, request: Request, number: int, item: Any, asked: str) -> Given:
        if isinstance(item, str) and (self.asks or self.takes == "pair"):
            item = split_pair(item)
        if self.takes == "pair":
            return _pair(number, item)
        thing, *more = item if isinstance(item, tuple) else (item,)
        question = more[0] if more else asked
        if self.asks and not (isinstance(question, str) and question.strip()):
            raise InputError(
                f"{self.name} needs a question: --set question=…, or PATH, a tab and the question"
            )
        if more and not self.asks:
            raise InputError(f"input {number} is a pair: {self.name} takes one {self.takes} each")
        name = named(thing, self.takes, number)
        value = self._value(request, thing)
        return Given(name, thing, value, value if self.takes == "image" else None, question)

    def _value(self, request: Request, thing: Any) -> Any:
        if self.takes == "image":
            return things.as_image(thing)
        if self.takes == "table":
            return things.as_table(thing)
        if self.takes == "video":
            return str(things.as_path(thing))
        return things.as_sound(thing, sampling_rate(request.loaded, self.pipeline_class))


_make: Callable[..., Any] = pipeline  # typed by an overload for each name as a literal

_RATE = "the sound is taken to have {rate:,} samples a second, as the model expects"


def _says_rate(source: Any) -> bool:
    """Say whether a sound comes with its sampling rate: a file, or a dictionary."""
    return isinstance(source, (str, Path, Mapping))


_COUNTS = ("top_k", "max_new_tokens", "beams")
_NAMES = {"top_k": "top_k", "labels": "candidate_labels", "template": "hypothesis_template"}
_WRITING = {"max_new_tokens": "max_new_tokens", "beams": "num_beams"}


def named(thing: Any, kind: str, number: int) -> str:
    """Return what a thing is called on the page: the name of its file, else its number."""
    return Path(thing).name if isinstance(thing, (str, Path)) else f"{kind} {number}"


def device_of(model: Any) -> dict[str, Any]:
    """Return the argument that keeps a pipeline from moving the model to another device."""
    return {} if hasattr(model, "hf_device_map") else {"device": model.device}


def _can_write(request: Request) -> bool:
    return bool(request.loaded.model.can_generate())


def _pair(number: int, item: Any) -> Given:
    if not isinstance(item, tuple) or len(item) != 2:  # noqa: PLR2004 - a pair
        raise InputError(
            f"input {number} is one image, and two are compared: -i [(first, second)], or two "
            "paths with a tab between"
        )
    name = " · ".join(named(one, "image", at) for at, one in enumerate(item, 1))
    return Given(name, item, tuple(things.as_image(one) for one in item))


@contextlib.contextmanager
def _last_output(model: Any) -> Iterator[dict[str, Any]]:
    """Keep what the model gives, the newest only: pipelines hide it, and add to it."""
    kept: dict[str, Any] = {}

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        kept["output"] = type(output)(**output) if isinstance(output, Mapping) else output

    handle = model.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


# what pipelines and their processors raise on input that does not fit
_ERRORS = (ValueError, TypeError, RuntimeError, MemoryError, LookupError, AttributeError, OSError)


@contextlib.contextmanager
def _refusals(request: Request) -> Iterator[None]:
    """Turn what a pipeline raises into one line of ours."""
    loaded, task = request.loaded, request.spec.task
    try:
        yield
    except HFMagicsError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"{task}: {preprocessors.why(error)}") from error
    except _ERRORS as error:
        if is_full(error):
            raise FitError(
                f"{loaded.model.device} has no room to run {loaded.name} on this: give fewer "
                "inputs, or smaller ones"
            ) from error
        raise InputError(f"{loaded.name} can't answer {task} on this: {one_line(error)}") from error
