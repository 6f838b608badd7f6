"""What a script runs on: texts, token IDs and tensors, written down or left to be filled in.

What has a name in the notebook and is long is no literal: the script has the name, above its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from hf_magics.display.numbers import plural
from hf_magics.snippets import Given, assigned, given, quoted

_LONG = 2_000
_FEW_NUMBERS = 64


def is_long(texts: Iterable[str], variable: str) -> bool:
    """Say whether texts are no literal: they have a name in the notebook, and are many."""
    return bool(variable) and sum(map(len, texts)) > _LONG


def list_lines(name: str, texts: Sequence[str], variable: str, what: str = "text") -> list[str]:
    """Return the lines that make a list of texts.

    Args:
        name: What the script calls it.
        texts: The texts.
        variable: Their name in the notebook, ``""`` where they have none.
        what: What one of them is.
    """
    if not is_long(texts, variable):
        return [assigned(name, list(texts))]
    there, line = given(variable, f"a list of {plural(len(texts), what)}", tuple(texts))
    return [line] if there == name else [line, f"{name} = {there}"]


def text_lines(name: str, text: str) -> list[str]:
    """Return the line that gives a name to a text: written down, or to be filled in."""
    if len(text) <= _LONG:
        return [f"{name} = {quoted(text)}"]
    return [given(name, f"a text of {plural(len(text), 'character')}", text)[1]]


def pair_lines(names: tuple[str, str], texts: Sequence[str], variable: str) -> list[str]:
    """Return the lines that make two lists, of the texts before and after each one's first tab.

    Args:
        names: What the script calls them.
        texts: The texts.
        variable: Their name in the notebook, ``""`` where they have none.
    """
    if not is_long(texts, variable):
        columns = zip(*(text.split("\t", 1) for text in texts), strict=True)
        return [assigned(*one) for one in zip(names, map(list, columns), strict=True)]
    about = "texts, a tab in each between the two of a pair"
    there, line = given(variable, f"a list of {len(texts):,} {about}", tuple(texts))
    parted = f'(text.split("\\t", 1) for text in {there})'
    return [line, f"{', '.join(names)} = map(list, zip(*{parted}))"]


def ids_list_lines(name: str, ids: Sequence[Sequence[int]], variable: str) -> list[str]:
    """Return the lines that make a list of lists of token IDs.

    Args:
        name: What the script calls it.
        ids: The token IDs.
        variable: Their name in the notebook, ``""`` where they have none.
    """
    if not variable or sum(map(len, ids)) <= _LONG:
        return [assigned(name, list(ids))]
    there, line = given(
        variable, f"a list of {plural(len(ids), 'list')} of token IDs", tuple(map(tuple, ids))
    )
    return [line] if there == name else [line, f"{name} = {there}"]


def ids_lines(
    batch: Mapping[str, torch.Tensor],
    ids: Sequence[Sequence[int]],
    variable: str,
    side: str = "right",
) -> list[str]:
    """Return the lines that make ``inputs`` of lists of token IDs.

    Args:
        batch: What was made of them: ``input_ids`` of the shape (lines, longest line), and the
            mask where the model takes one.
        ids: The token IDs.
        variable: Their name in the notebook, ``""`` where they have none.
        side: On which side the shorter lines are padded.
    """
    made = ids_list_lines("ids", ids, variable)
    is_left_out = isinstance(made[0], Given)
    made = [*made, *_padded(batch["input_ids"], ids, side)] if is_left_out else _as_literals(batch)
    if "attention_mask" not in batch:
        made = [line for line in made if not line.startswith(("seen", "attention_mask"))]
        return [*made, 'inputs = {"input_ids": input_ids}']
    return [*made, 'inputs = {"input_ids": input_ids, "attention_mask": attention_mask}']


def _padded(batch: torch.Tensor, ids: Sequence[Sequence[int]], side: str) -> list[str]:
    """Return the lines that pad the lists ``ids``, and last the mask that hides the padding."""
    width = batch.shape[1]
    cut = f"[:{width}]" if max(map(len, ids)) > width else ""
    short = next((row for row, line in enumerate(ids) if len(line) < width), None)
    pad = 0 if short is None else int(batch[short, 0 if side == "left" else -1])
    where = "batch_first=True" if side == "right" else f'batch_first=True, padding_side="{side}"'
    return [
        f"rows = [torch.tensor(line{cut}) for line in ids]",
        f"input_ids = torch.nn.utils.rnn.pad_sequence(rows, {where}, padding_value={pad})",
        "seen = [torch.ones_like(row) for row in rows]",
        f"attention_mask = torch.nn.utils.rnn.pad_sequence(seen, {where})",
    ]


def _as_literals(batch: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the lines that write IDs down, and last the mask."""
    made = [f"input_ids = torch.tensor({batch['input_ids'].tolist()})"]
    mask = batch.get("attention_mask")
    if mask is None or bool(mask.all()):
        return [*made, "attention_mask = torch.ones_like(input_ids)"]
    return [*made, f"attention_mask = torch.tensor({mask.tolist()})"]


def tensor_lines(variable: str, tensors: Mapping[str, Any]) -> list[str]:
    """Return the lines that make ``inputs`` of tensors: written down where there is little."""
    written = [_written(one) for one in tensors.values()]
    if all(written):
        rows = (f"    {quoted(name)}: {one}," for name, one in zip(tensors, written, strict=True))
        return ["inputs = {", *rows, "}"]
    kinds = ", ".join(f"{name} {_kind(one)}" for name, one in tensors.items())
    name, line = given(variable or "tensors", f"a dictionary of tensors ({kinds})")
    return [line, f"inputs = dict({name})"]


def _written(tensor: Any) -> str:
    """Return the source of a tensor, ``""`` where it is none, or long."""
    if not isinstance(tensor, torch.Tensor) or tensor.numel() > _FEW_NUMBERS:
        return ""
    usual = tensor.dtype in {torch.int64, torch.float32, torch.bool} and tensor.numel()
    return f"torch.tensor({tensor.tolist()}{'' if usual else f', dtype={tensor.dtype}'})"


def _kind(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{list(value.shape)} {value.dtype}"
