"""Plain code for a map: the batching in a few clear lines, around what the task does anyway."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hf_magics.inference.mapping.sources import Source
from hf_magics.inference.tasks import Done, Task
from hf_magics.snippets import Name, Snippet, call
from hf_magics.specs import MapSpec

_TEXT = "the_text_of_a_row"
_WRITTEN = re.compile(rf"""(['"])([^'"\n]*){_TEXT}\1""")


@dataclass(frozen=True)
class Decoding:
    """What plain code needs of one batch: what the task does, and the limit of a text in tokens.

    ``each`` where the task makes its own batches: its code is then that of one row.
    """

    snippets: tuple[Snippet, ...]
    limit: int | None
    each: bool


def decoding_of(task: Task, done: Done, *, each: bool) -> Decoding:
    """Return what plain code needs of a batch that was run; of one row where ``each`` is True."""
    if not each:
        return Decoding(task.code(done)[1:], done.encoded.limit, each)
    inputs = done.request.inputs
    texts = (_TEXT,) if inputs.texts else ()
    spec = dataclasses.replace(done.request.spec, texts=texts, variable="text")
    inputs = dataclasses.replace(inputs, texts=texts)
    request = dataclasses.replace(done.request, spec=spec, inputs=inputs)
    made = task.code(dataclasses.replace(done, request=request))
    return Decoding(
        tuple(Snippet(one.imports, tuple(map(_of_row, one.lines))) for one in made),
        done.encoded.limit,
        each,
    )


def _of_row(line: str) -> str:
    """Return a line of code in which the row is a variable; what goes before it is kept."""
    return _WRITTEN.sub(lambda found: f"{found[2]!r} + text" if found[2] else "text", line)


def map_snippet(spec: MapSpec, source: Source, decoding: Decoding | None) -> tuple[Snippet, ...]:
    """Return the loop over batches of texts about as long, the answers put back in order.

    Args:
        spec: What was run.
        source: The rows.
        decoding: What the task does with a batch; None where none was run.
    """
    first = source.code()
    if decoding is None:
        return (first,)
    lines = [line for one in decoding.snippets for line in one.lines]
    imports = ("import torch", *(one for some in decoding.snippets for one in some.imports))
    loop = _each(lines) if decoding.each else _batches(spec, decoding.limit, lines)
    return (first, Snippet(imports, tuple(loop)))


def _each(lines: Sequence[str]) -> list[str]:
    return [
        "found = []",
        "for text in column:",
        *_indented(lines),
        f"    found.extend({_last_name(lines)})",
        "answers = found",
    ]


def _batches(spec: MapSpec, limit: int | None, lines: Sequence[str]) -> list[str]:
    cutting = {"truncation": True, "max_length": limit} if limit else {}
    made = call(
        "tokenizer",
        Name("[texts[row] for row in rows]"),
        padding=True,
        **cutting,
        return_tensors="pt",
    )
    extra = "".join(f", {name}={value!r}" for name, value in spec.extra)
    return [
        "texts = column",
        "order = sorted(range(len(texts)), key=lambda row: len(texts[row]))",
        "answers = [None] * len(texts)",
        "for start in range(0, len(order), 32):",
        "    rows = order[start : start + 32]",
        *_indented([f"inputs = {made}.to(model.device)"]),
        "    with torch.inference_mode():",
        f"        outputs = model(**inputs{extra})",
        *_indented(lines),
        f"    for row, answer in zip(rows, {_last_name(lines)}):",
        "        answers[row] = answer",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for one in lines for line in one.split("\n")]


def _last_name(lines: Sequence[str]) -> str:
    """Return what the decoding gives its answer to."""
    written = [one for line in lines for one in line.split("\n")]
    names = [found[1] for line in written if (found := re.match(r"(\w+) = ", line))]
    return names[-1] if names else "outputs[0]"
