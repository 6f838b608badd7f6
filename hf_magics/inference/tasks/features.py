"""Features: every tensor of an output in a table. Any model, whatever its head."""

from __future__ import annotations

from typing import Any

from hf_magics.display.parts import Part
from hf_magics.errors import InputError, OptionError
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task
from hf_magics.inference.inputs import kind_of_thing
from hf_magics.inference.snippets import run_lines
from hf_magics.inference.tasks.piped.companions import image_processor, image_processor_name
from hf_magics.inference.tensor_pages import corners, not_finite, others_table, record, tensor_table
from hf_magics.inference.tensors import OtherSummary, TensorSummary, summaries
from hf_magics.inference.things import as_image
from hf_magics.inference.tokenizing import Encoded
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet, given


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
        lines = (*image_lines(request), *run_lines(request.spec, done.added, done.encoded))
        return (Snippet(("import torch",), lines),)

    def answer(self, done: Done) -> Answer:
        """Return a row a tensor."""
        return answer(done.outputs, done.request.settings)


def image_lines(request: Request) -> list[str]:
    """Return the lines that make ``inputs`` of images."""
    alone = request.inputs.alone
    name, line = given(request.spec.variable or "images", "an image" if alone else "images")
    processor = image_processor_name(request.loaded)
    return [
        line,
        f"images = [{name}]" if alone else f"images = list({name})",
        f'inputs = {processor}(images=images, return_tensors="pt")',
    ]


def answer(outputs: Any, settings: Settings) -> Answer:
    """Return a row a tensor, the corner values folded, and a note on what is not finite."""
    found = summaries(outputs)
    tensors = tuple(one for one in found if isinstance(one, TensorSummary))
    others = tuple(one for one in found if isinstance(one, OtherSummary))
    parts: list[Part] = [tensor_table(tensors, settings.rows, "Output tensors", ".df has them all")]
    if others:
        parts.append(others_table(others, "Other outputs"))
    parts.extend(corners(tensors))
    notes = tuple(not_finite(one) for one in tensors if one.nans or one.infs)
    return Answer(tuple(parts), [record(one) for one in tensors], notes)
