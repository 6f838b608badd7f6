"""A tensor or an output of the notebook's own: the page that those of results have."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from hf_magics.display.numbers import count, plural, shape, size
from hf_magics.display.parts import Code, Note, Page, Part, Table, Text, facts
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.inference.sampling import MOST_VALUES, is_sampled, summaries_of
from hf_magics.inference.tensor_pages import corners, not_finite, others_table, tensor_table
from hf_magics.inference.tensors import OtherSummary, TensorSummary, other, walk
from hf_magics.settings import Settings

MORE = "%config HFMagics.rows shows more"


class PlainResult(Shown):
    """A page that is made already: it holds numbers and strings, and nothing of the object."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def page(self) -> Page:
        """What was seen when it was made."""
        return self._page


def show_tensor(tensor: torch.Tensor) -> PlainResult:
    """Describe a tensor of any shape, dtype, layout and device.

    Raises:
        NotImplementedError: It has no shape yet; or it computes in its own way, as a tensor does
            that is spread over several machines: to look at its values could take anything.
    """
    kind = type(tensor).__name__
    rows = _seen(kind, tensor, MOST_VALUES)
    whole = rows[0]
    values = Code(whole.corner, "python")
    parts: list[Part] = [
        _facts(tensor, whole),
        tensor_table(rows, len(rows), "Its numbers", ""),
        *([values] if whole.corner else []),
    ]
    title = f"{kind} · {shape(whole.shape)} · {whole.dtype} · {whole.device}"
    notes = _notes(rows, MOST_VALUES)
    if tensor.is_meta:
        notes = (*notes, Note("it is on the meta device and has no values", "info"))
    return PlainResult(Page(title, tuple(parts), notes))


def show_output(output: Any, settings: Settings) -> PlainResult:
    """Describe a `ModelOutput`: a row a tensor, what else is in it, and which fields are None."""
    known = dataclasses.fields(output) if dataclasses.is_dataclass(output) else ()
    missing = [one.name for one in known if one.name not in output]
    tensors, notes = tables(output, settings, "Output tensors", "Other outputs")
    none = (Text(f"None: {sentence_list(missing)}"),) if missing else ()
    total = sum(isinstance(leaf, torch.Tensor) for _, leaf in _leaves(output))
    title = f"{type(output).__name__} · {plural(total, 'tensor')}"
    return PlainResult(Page(title, (*tensors, *none), notes))


def tables(
    things: Mapping[str, Any], settings: Settings, caption: str, other_caption: str
) -> tuple[list[Part], tuple[Note, ...]]:
    """Return the tables of what is in a mapping, with the notes on it.

    The time is bounded for all together: where they hold more values than can be counted, each has
    its share.
    """
    leaves = list(itertools.islice(_leaves(things), settings.rows))
    total = sum(1 for _ in _leaves(things))
    values = sum(leaf.numel() for _, leaf in leaves if isinstance(leaf, torch.Tensor))
    most = MOST_VALUES if values <= MOST_VALUES else max(_LEAST, MOST_VALUES // len(leaves))
    found = [one for name, leaf in leaves for one in _summaries(name, leaf, most)]
    tensors = [one for one in found if isinstance(one, TensorSummary)]
    others = [one for one in found if isinstance(one, OtherSummary)]
    hidden = total - len(leaves)
    parts: list[Part] = []
    if tensors:
        parts.append(tensor_table(tensors, len(tensors), caption, MORE, len(tensors) + hidden))
    if others:
        parts.append(others_table(others, other_caption))
    if tensors:
        parts.extend(corners(tensors))
    return parts, _notes(tensors, most)


_LEAST, _DEEPEST = 2**16, 16  # values of each; lists in lists


def _leaves(things: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give each tensor with its name; of other lists than those that hold some, the list."""
    for name, value in things.items():
        is_list = isinstance(value, (list, tuple)) and not _has_tensor(value)
        for path, leaf in [(name, value)] if is_list else walk(value, name):
            is_array = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biufc"
            yield path, torch.from_numpy(leaf) if is_array else leaf


def _has_tensor(values: Any) -> bool:
    """Say whether there is a tensor among the first of each list."""
    for _ in range(_DEEPEST):
        if not isinstance(values, (list, tuple)) or not values:
            break
        if any(isinstance(one, torch.Tensor) for one in values):
            return True
        values = next((one for one in values if one is not None), None)
    return not isinstance(values, (str, int, float, list, tuple, type(None)))


def _summaries(name: str, leaf: Any, most: int) -> tuple[TensorSummary | OtherSummary, ...]:
    if isinstance(leaf, torch.Tensor):
        return _seen(name, leaf, most)
    if isinstance(leaf, (list, tuple)):
        return (OtherSummary(name, type(leaf).__name__, _list_words(leaf)),)
    return (other(name, leaf),)


def _seen(name: str, tensor: torch.Tensor, most: int) -> tuple[TensorSummary, ...]:
    own_way = type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__
    if own_way or is_lazy(tensor):
        raise NotImplementedError(name)
    return summaries_of(name, tensor, most)


def _list_words(values: Any) -> str:
    """Say how long a list is, or the lists in it, and what it begins with."""
    inner = [one for one in values if isinstance(one, (list, tuple))]
    if inner and len(inner) == len(values):
        ends = sorted({min(map(len, inner)), max(map(len, inner))})
        lengths = " to ".join(map(count, ends))
        return f"{plural(len(inner), 'list')} of {lengths}: {_beginning(inner[0])}"
    return f"{plural(len(values), 'value')}: {_beginning(values)}"


def _beginning(values: Any) -> str:
    shown = ", ".join(str(one)[:_WIDE] for one in values[:_FIRST])
    return f"{shown}, …" if len(values) > _FIRST else shown


_FIRST, _WIDE = 6, 40


def _facts(tensor: torch.Tensor, whole: TensorSummary) -> Table:
    strided = tensor.layout == torch.strided
    held = tensor.untyped_storage().nbytes() if strided and not tensor.is_meta else whole.nbytes
    view = f", in a storage of {size(held)}" if held != whole.nbytes else ""
    made = f", made by {tensor.grad_fn.name()}" if tensor.grad_fn is not None else ""
    return facts(
        {
            "values": count(tensor.numel()),
            "size": f"{size(whole.nbytes)}{view}" if strided else "",
            "layout": "" if strided else str(tensor.layout).removeprefix("torch."),
            "quantized": str(tensor.qscheme()).removeprefix("torch.")
            if tensor.is_quantized
            else "",
            "gradient": f"required{made}" if tensor.requires_grad else "",
        }
    )


def _notes(rows: Sequence[TensorSummary], most: int) -> tuple[Note, ...]:
    said = [Note(not_finite(one)) for one in rows if one.nans or one.infs]
    sampled = [one.name for one in rows if is_sampled(one, most)]
    if sampled:
        what = "too large to count in full: its numbers are those of a sample, evenly spaced"
        said.append(Note(f"{sentence_list(sampled, most=3)}: {what}", "info"))
    return tuple(said)
