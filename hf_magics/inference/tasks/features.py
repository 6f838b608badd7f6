"""Features: every tensor of an output in a table. Any model, whatever its head."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from hf_magics.display.numbers import number, plural, shape, size
from hf_magics.display.parts import Cell, Code, Column, Fold, Heat, Part, Table
from hf_magics.errors import InputError, OptionError
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task
from hf_magics.inference.inputs import kind_of_thing
from hf_magics.inference.snippets import run_lines
from hf_magics.inference.tasks.piped.companions import image_processor, image_processor_name
from hf_magics.inference.tensors import OtherSummary, TensorSummary, summaries
from hf_magics.inference.things import as_image
from hf_magics.inference.tokenizing import Encoded
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet

_COLUMNS = (
    Column("tensor", mono=True),
    Column("shape", "right"),
    Column("dtype", mono=True),
    Column("device", mono=True),
    Column("min", "right"),
    Column("max", "right"),
    Column("mean", "right"),
    Column("std", "right"),
    Column("NaN", "right"),
    Column("Inf", "right"),
    Column("picture"),
)
_MOST_CORNERS = 12


class Features(Task):
    """Every tensor of the output, for texts as the tokenizer and images as the processor gives."""

    name = "features"
    reads = ("texts", "ids", "tensors", "things")
    echoes = True

    def check(self, request: Request) -> None:
        """Refuse images where the model is none for images, and all other things.

        Raises:
            InputError: Naming what was given.
        """
        super().check(request)
        if request.inputs.kind != "things":
            return
        thing = kind_of_thing(request.inputs.things[0])
        model = request.loaded.model
        sees = getattr(model, "main_input_name", "") == "pixel_values"
        if thing not in {"an image", "a path"} or not sees:
            raise InputError(
                f"{request.loaded.name} is a {type(model).__name__}, which takes text, token IDs "
                f"or tensors, not {thing}"
            )

    def encode(self, request: Request) -> Encoded:
        """Return the batch; images go through the model's own image processor."""
        if request.inputs.kind != "things":
            return super().encode(request)
        if request.spec.max_length is not None:
            raise OptionError("--max-length cuts texts and token IDs, not images")
        processor = image_processor(request.loaded)
        images = [as_image(thing) for thing in request.inputs.things]
        return Encoded(dict(processor(images=images, return_tensors="pt")), ())

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return plain code; images stand under the name that they have in the notebook."""
        request = done.request
        if request.inputs.kind != "things":
            return super().code(done)
        listed = not request.inputs.alone
        images = f"list({request.spec.variable})" if listed else f"[{request.spec.variable}]"
        processor = image_processor_name(request.loaded)
        lines = (
            f"images = {images if request.spec.variable else '[]  # PIL images'}",
            f'inputs = {processor}(images=images, return_tensors="pt")',
            *run_lines(request.spec, done.added, done.encoded),
        )
        return (Snippet(("import torch",), lines),)

    def answer(self, done: Done) -> Answer:
        """Return a row a tensor."""
        return answer(done.outputs, done.request.settings)


def answer(outputs: Any, settings: Settings) -> Answer:
    """Return a row a tensor, the corner values folded, and a note on what is not finite."""
    found = summaries(outputs)
    tensors = tuple(one for one in found if isinstance(one, TensorSummary))
    others = tuple(one for one in found if isinstance(one, OtherSummary))
    parts: list[Part] = [_table(tensors, settings.rows)]
    if others:
        parts.append(_others(others))
    parts.append(_corners(tensors))
    notes = tuple(_not_finite(one) for one in tensors if one.nans or one.infs)
    return Answer(tuple(parts), [_record(one) for one in tensors], notes)


def _table(tensors: tuple[TensorSummary, ...], most: int) -> Table:
    rows = tuple(_row(one) for one in tensors[:most])
    hidden = len(tensors) - len(rows)
    left_out = f"{plural(hidden, 'more tensor')}: .df has them all" if hidden > 0 else ""
    return Table(_COLUMNS, rows, "Output tensors", left_out)


def _row(one: TensorSummary) -> tuple[Cell, ...]:
    statistics = (one.low, one.high, one.mean, one.std)
    picture: Cell = ""
    if one.heat and not math.isnan(one.low):
        values = [value for row in one.heat for value in row if not math.isnan(value)]
        ends = (min(values, default=0.0), max(values, default=0.0))
        label = (
            f"means of blocks of {_first_matrix(one)}, from {number(ends[0])} to {number(ends[1])}"
        )
        picture = Heat(one.heat, *ends, label)
    return (
        one.name,
        shape(one.shape),
        one.dtype,
        one.device,
        *("–" if math.isnan(value) else number(value) for value in statistics),
        f"{one.nans:,}",
        f"{one.infs:,}",
        picture,
    )


def _first_matrix(one: TensorSummary) -> str:
    outer = len(one.shape) - 2
    return one.name + (f"[{', '.join('0' * outer)}]" if outer > 0 else "")


def _others(others: tuple[OtherSummary, ...]) -> Table:
    columns = (
        Column("output", mono=True),
        Column("kind", mono=True),
        Column("what"),
        Column("size", "right"),
    )
    rows = tuple(
        (one.name, one.kind, one.words, size(one.nbytes) if one.nbytes else "–") for one in others
    )
    return Table(columns, rows, "Other outputs")


def _corners(tensors: tuple[TensorSummary, ...]) -> Fold:
    shown = [one for one in tensors if one.corner][:_MOST_CORNERS]
    parts: list[Part] = [Code(f"{one.name} = {one.corner}", "python") for one in shown]
    which = "" if len(shown) == len(tensors) else f" of the first {len(shown)}"
    return Fold(f"Values{which} as torch prints them", tuple(parts))


def _not_finite(one: TensorSummary) -> str:
    found = [f"{count:,} {name}" for count, name in ((one.nans, "NaN"), (one.infs, "Inf")) if count]
    return f"{one.name} holds {' and '.join(found)}: its statistics are over the finite values"


def _record(one: TensorSummary) -> dict[str, Any]:
    row = asdict(one)
    del row["heat"]
    return {"tensor": row.pop("name"), "min": row.pop("low"), "max": row.pop("high"), **row}
