"""Plain code for a map: the batching in a few clear lines, around what the task does anyway."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hf_magics.inference.mapping.sources import Source
from hf_magics.inference.pairs import split_pair
from hf_magics.inference.snippets import lent_lines
from hf_magics.inference.tasks import Done, Task
from hf_magics.inference.tokenizing import pad_id, word_to_borrow
from hf_magics.inference.told import reads_padding, told_to_leave_out, told_to_pad
from hf_magics.snippets import Name, Snippet, call
from hf_magics.specs import MapSpec

_TEXT = "the_text_of_a_row"
_WRITTEN = re.compile(rf"""(['"])([^'"\n]*){_TEXT}\1""")


_NOTHING = Snippet((), ())
_AT_ONCE = 32


@dataclass(frozen=True)
class Decoding:
    """What plain code needs of one batch: how its rows become ``inputs``, and what the task does.

    ``lent`` goes before the loop. ``each`` where the task makes its own batches: its code is then
    that of one row, its inputs among it. ``known`` is the expression for whether a row, ``{0}``, is
    not missing. ``at_once`` are the rows of a batch.
    """

    snippets: tuple[Snippet, ...]
    each: bool
    inputs: Snippet = _NOTHING
    lent: tuple[str, ...] = ()
    known: str = ""
    at_once: int = _AT_ONCE


_A_TEXT = "isinstance({0}, str) and {0}.strip()"
_ANYTHING = "not isinstance({0}, (float, type(None)))"  # NaN is a float


def decoding_of(task: Task, done: Done, *, each: bool) -> Decoding:
    """Return what plain code needs of a batch that was run; of one row where ``each`` is True."""
    inputs, limit = done.request.inputs, done.encoded.limit
    known = _A_TEXT if inputs.texts else _ANYTHING
    at_once = 1 if reads_padding(done.request.loaded.model) else _AT_ONCE
    if each:
        return Decoding(tuple(_of_one(task, done)), each, known=known)
    loaded = done.request.loaded
    if inputs.ids:
        masked = "attention_mask" in done.encoded.inputs
        padded = _padded_ids(pad_id(loaded), limit, masked=masked)
        return Decoding(task.code(done)[1:], each, padded, known=known, at_once=at_once)
    tokenizer = loaded.tokenizer
    lent = lent_lines("" if tokenizer.pad_token is not None else word_to_borrow(tokenizer))
    words = {
        "padding": True,
        **told_to_pad(loaded.model, tokenizer, 2),
        **({"truncation": True, "max_length": limit} if limit else {}),
        **told_to_leave_out(loaded.model, tokenizer),
        "return_tensors": "pt",
    }
    rows = "[column[row] for row in rows]"
    if all(len(split_pair(text)) > 1 for text in inputs.texts):
        rows = "*map(list, zip(*(column[row] for row in rows)))"
        lent.append(_PARTED)
        known = _ANYTHING
    made = call("tokenizer", Name(rows), **words)
    lines = (f"inputs = {made}.to(model.device)",)
    batch = Snippet((), lines)
    return Decoding(task.code(done)[1:], each, batch, tuple(lent), known, at_once)


# a pair of the notebook's is two values, one of a text file a line with a tab
_PARTED = 'column = [one.split("\\t", 1) if isinstance(one, str) else one for one in column]'


def _padded_ids(pad: int, limit: int | None, *, masked: bool) -> Snippet:
    cut = f"[:{limit}]" if limit else ""
    mask = '    "attention_mask": pad_sequence(ones, batch_first=True),'
    return Snippet(
        ("from torch.nn.utils.rnn import pad_sequence",),
        (
            f"ids = [torch.tensor(column[row]{cut}) for row in rows]",
            *(["ones = [torch.ones_like(one) for one in ids]"] if masked else []),
            "inputs = {",
            f'    "input_ids": pad_sequence(ids, batch_first=True, padding_value={pad}),',
            *([mask] if masked else []),
            "}",
            "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
        ),
    )


def _of_one(task: Task, done: Done) -> Iterator[Snippet]:
    """Yield what the task does with one row, which is the variable ``text`` in it."""
    inputs, ids = done.request.inputs, ""
    spec = dataclasses.replace(done.request.spec, variable="text")
    if inputs.ids:
        spec = dataclasses.replace(spec, ids=inputs.ids)
        ids = str(done.encoded.inputs["input_ids"].tolist())
    elif inputs.texts:
        inputs = dataclasses.replace(inputs, texts=(_TEXT,))
        spec = dataclasses.replace(spec, texts=(_TEXT,))
    request = dataclasses.replace(done.request, spec=spec, inputs=inputs)
    for made in task.code(dataclasses.replace(done, request=request)):
        lines = (line.replace(ids, "[text]") if ids else _of_row(line) for line in made.lines)
        yield Snippet(made.imports, tuple(lines))


def _of_row(line: str) -> str:
    """Return a line of code in which the row is a variable; what goes before it is kept."""
    return _WRITTEN.sub(lambda found: f"{found[2]!r} + text" if found[2] else "text", line)


def map_snippet(
    spec: MapSpec, source: Source, decoding: Decoding | None, nothing: str = ""
) -> tuple[Snippet, ...]:
    """Return the loop over batches of texts about as long, the answers put back in order.

    Args:
        spec: What was run.
        source: The rows.
        decoding: What the task does with a batch; None where none was run.
        nothing: The expression for the answer of a row that has none; ``""`` where all have one.
    """
    first = source.code()
    if decoding is None:
        return (first,)
    lines = [line for one in decoding.snippets for line in one.lines]
    made = (decoding.inputs, *decoding.snippets)
    imports = ("import torch", *(one for some in made for one in some.imports))
    loop = (_each if decoding.each else _batches)(spec, decoding, lines, nothing)
    return (first, Snippet(imports, tuple(loop)))


def _each(_: MapSpec, decoding: Decoding, lines: Sequence[str], nothing: str) -> list[str]:
    missing = [
        f"    if not ({decoding.known.format('text')}):",
        f"        found.append({nothing})",
        "        continue",
    ]
    return [
        "found = []",
        "for text in column:",
        *(missing if nothing else []),
        *_indented(lines),
        f"    found.extend({_last_name(lines)})",
        "answers = found",
    ]


def _batches(spec: MapSpec, decoding: Decoding, lines: Sequence[str], nothing: str) -> list[str]:
    known, size = decoding.known.format("one"), decoding.at_once
    extra = "".join(f", {name}={value!r}" for name, value in spec.extra)
    rows = "known" if nothing else "range(len(column))"
    return [
        *decoding.lent,
        *([f"known = [row for row, one in enumerate(column) if {known}]"] if nothing else []),
        f"order = sorted({rows}, key=lambda row: len(column[row]))",
        f"answers = [{nothing or None}] * len(column)",
        *([] if size == _AT_ONCE else ["# this model reads padding: a row at a time"]),
        f"for start in range(0, len(order), {size}):",
        f"    rows = order[start : start + {size}]",
        *_indented(decoding.inputs.lines),
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
