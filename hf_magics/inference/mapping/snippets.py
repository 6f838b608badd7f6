"""Plain code for a map: the batching in a few clear lines, around what the task does anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hf_magics.snippets import Name, Snippet, call
from hf_magics.specs import MapSpec


def map_snippet(
    spec: MapSpec, limit: int | None, decoding: Sequence[Snippet] | None
) -> tuple[Snippet, ...]:
    """Return the loop over batches of texts about as long, the answers put back in order.

    Args:
        spec: What was run.
        limit: Tokens of a text at most.
        decoding: What the task does with the outputs of a batch.
    """
    decoding = decoding or ()
    lines = [line for one in decoding for line in one.lines]
    cutting = {"truncation": True, "max_length": limit} if limit else {}
    made = call(
        "tokenizer",
        Name("[texts[row] for row in rows]"),
        padding=True,
        **cutting,
        return_tensors="pt",
    )
    extra = "".join(f", {name}={value!r}" for name, value in spec.extra)
    loop = [
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
    first = f"texts = list({spec.source})" if spec.source.isidentifier() else _texts(spec)
    imports = ("import torch", *(one for some in decoding for one in some.imports))
    return (Snippet(imports, (first, *loop)),)


def _texts(spec: MapSpec) -> str:
    return f"texts = list({spec.source})  # a list of texts"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for one in lines for line in one.split("\n")]


def _last_name(lines: Sequence[str]) -> str:
    """Return what the decoding gives its answer to."""
    names = [found[1] for line in lines if (found := re.match(r"(\w+) = ", line))]
    return names[-1] if names else "outputs[0]"
