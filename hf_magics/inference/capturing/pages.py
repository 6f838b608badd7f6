"""What a page says of what was captured."""

from __future__ import annotations

from collections import Counter

import torch

from hf_magics.display.numbers import plural, size
from hf_magics.display.parts import Part, Text
from hf_magics.display.words import sentence_list
from hf_magics.inference.capturing.asking import KEEPS
from hf_magics.inference.capturing.recording import Recorder, Tensors
from hf_magics.inference.tensor_pages import corners, tensor_table
from hf_magics.inference.tensors import nbytes_held, summarise

_KEPT = {
    "mean": "the mean over the tokens of each line, padding left out",
    "last": "the last token of each line that is no padding",
    "all": "every token",
}
_BOUNDED = (
    "Without --keep it is the mean, so that what is kept does not grow with a text; --keep last "
    "keeps the last token, --keep all every one."
)
_MOST_NAMED = 3


def captured_parts(
    recorder: Recorder, tensors: Tensors, *, most: int, lines: int
) -> tuple[Part, ...]:
    """Return a table of the first tensors, and what is to be known of their names and rows.

    Args:
        recorder: How they were captured.
        tensors: What was captured.
        most: How many are shown.
        lines: How many inputs there are, 0 where they are tensors.
    """
    shown = [summarise(name, one) for name, one in list(tensors.items())[:most]]
    if not shown:
        return ()
    more = "result.captured has them all, by name"
    table = tensor_table(shown, most, _caption(recorder, tensors), more, len(tensors))
    said = (*_rows_said(recorder, lines), *_said(recorder, tensors))
    return (table, *map(Text, said), *corners(shown))


def captured_notes(recorder: Recorder, tensors: Tensors) -> tuple[str, ...]:
    """Say which modules gave nothing, and where the first NaN or Inf is."""
    notes = []
    silent = [path for path in recorder.modules if path not in recorder.called]
    if silent:
        notes.append(f"not called for this input: {sentence_list(silent, most=_MOST_NAMED)}")
    empty = [path for path in recorder.modules if path in recorder.called and path not in tensors]
    if empty:
        notes.append(f"called, and gave no tensor: {sentence_list(empty, most=_MOST_NAMED)}")
    bad = [name for name, one in tensors.items() if not _is_finite(one)]
    if bad:
        notes.append(
            f"{plural(len(bad), 'captured tensor')} with NaN or Inf: "
            f"{sentence_list(bad, most=_MOST_NAMED)}"
        )
    return tuple(notes)


def _caption(recorder: Recorder, tensors: Tensors) -> str:
    held = size(nbytes_held(tensors))
    return f"Captured: {_KEPT[recorder.keep]}; {plural(len(tensors), 'tensor')}, {held}"


def _rows_said(recorder: Recorder, lines: int) -> list[str]:
    """Say where a task makes several rows of a line: windows of a text, pairs with labels."""
    if not recorder.rows or not lines or recorder.rows == lines:
        return []
    rows = plural(recorder.rows, "row")
    return [f"The task makes {rows} of {plural(lines, 'line')}: each has its own here, in order."]


def _said(recorder: Recorder, tensors: Tensors) -> list[str]:
    said = [_BOUNDED] if recorder.keep == KEEPS[0] else []
    whole = [name for name in tensors if recorder.keep != "all" and _is_whole(recorder, name)]
    if whole:
        said.append(
            "Kept as they are, with no dimension that is sure to be the tokens': "
            f"{sentence_list(whole, most=_MOST_NAMED)}."
        )
    calls = Counter(name.rpartition("#")[0] or name for name in tensors)
    again = [f"{name} ({count:,} times)" for name, count in calls.items() if count > 1]
    if again:
        said.append(
            f"Called several times: {sentence_list(again, most=_MOST_NAMED)}; the name has #2 for "
            "the second call, and so on."
        )
    several = [name for name in calls if name not in recorder.modules]
    if several:
        said.append(
            "Modules that give several tensors have the first under their path, the others as "
            f"{sentence_list(several, most=_MOST_NAMED)}."
        )
    if recorder.parted and recorder.keep == "all":
        said.append(
            "Run in batches of lines about as long: zero stands where a line of another is longer."
        )
    return said


def _is_whole(recorder: Recorder, name: str) -> bool:
    return name in recorder.ways and recorder.ways[name].keep == "all"


def _is_finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
