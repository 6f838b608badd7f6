"""Layers: the modules of a model as a tree, and with a text what each computes."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from hf_magics.display.numbers import count
from hf_magics.errors import OptionError
from hf_magics.inference.inputs import Inputs
from hf_magics.inside.finding import Found, find
from hf_magics.inside.layer_pages import LayersResult, Looked
from hf_magics.inside.measuring import Measured, measure
from hf_magics.inside.modules import ModuleRow, rows_of
from hf_magics.modeling.module_paths import need_match
from hf_magics.modeling.report import random_now
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.steps import Piece
from hf_magics.modeling.store import Session
from hf_magics.settings import Settings
from hf_magics.snippets import Snippet
from hf_magics.specs import LayersSpec


def layers(
    spec: LayersSpec, inputs: Inputs | None, session: Session, settings: Settings
) -> LayersResult:
    """Show the modules of a model; where there are inputs, what each computed of them.

    Raises:
        HFMagicsError: No such model, source or type; no module has such a path; or the inputs
            can't be run.
    """
    wanted = _pattern(spec)
    found = find(spec, session, offline=settings.offline)
    rows = _rows(found)
    shown = _matching(rows, wanted, spec.find) if wanted else rows
    measured = _measure(found, spec, inputs) if inputs is not None else None
    return LayersResult(
        _looked(found, shown, rows[0]),
        depth=spec.depth,
        notes=found.notes,
        measured=measured,
        code=session.record(dataclasses.replace(spec, target=found.name), *_parts(found, measured)),
    )


def look_at(model: Any, session: Session) -> LayersResult:
    """Show the modules of a model of the notebook's own, or of the session's.

    A model is looked through for NaN and the like as far as that takes no longer than a second.
    """
    mine = next((one for one in map(session.get, session) if one.torch_model is model), None)
    found = Found(mine.name if mine else "model", model, mine, _LISTING)
    weights = sum(one.numel() for one in model.parameters())
    rows = _rows(found, values=weights <= _MOST_WEIGHTS)
    unread = f"nobody looked for NaN or zeros in {count(weights)} weights: %hf_layers does"
    return LayersResult(
        _looked(found, rows, rows[0]),
        depth=None,
        notes=(unread,) if weights > _MOST_WEIGHTS else (),
        measured=None,
        code="",
    )


_MOST_WEIGHTS = 2**28


def _looked(found: Found, shown: list[ModuleRow], whole: ModuleRow) -> Looked:
    device = str(getattr(found.model, "device", "meta"))
    return Looked(found.name, tuple(shown), whole, device)


def _pattern(spec: LayersSpec) -> re.Pattern[str] | None:
    if spec.depth is not None and spec.depth < 0:
        raise OptionError(f"--depth {spec.depth}: 0 shows the model alone, 1 what it holds")
    try:
        return re.compile(spec.find) if spec.find else None
    except re.error as error:
        raise OptionError(f"--find {spec.find} is no regular expression: {error}") from error


def _rows(found: Found, *, values: bool = True) -> list[ModuleRow]:
    if found.loaded is None:
        return rows_of(found.model, values=values)
    random = random_now(found.loaded)
    return rows_of(found.model, random, found.loaded.reshaped, values=values)


def _matching(rows: list[ModuleRow], wanted: re.Pattern[str], asked: str) -> list[ModuleRow]:
    """Return the modules whose path matches, what is below them, and the way to them.

    Raises:
        InputError: None matches.
    """
    found = [row.path for row in rows if row.path and wanted.search(row.path)]
    need_match(found, (row.path for row in rows), asked, "--find")
    below = tuple(f"{path}." for path in found)
    return [
        row
        for row in rows
        if row.path in found
        or row.path.startswith(below)
        or any(not row.path or path.startswith(f"{row.path}.") for path in found)
    ]


def _measure(found: Found, spec: LayersSpec, inputs: Inputs) -> Measured:
    if found.loaded is None:
        raise OptionError(
            f"{found.name} is not loaded, and has no weights to run a text through: "
            f"%hf_load {found.name} first"
        )
    return measure(found.loaded, inputs, spec)


def _parts(found: Found, measured: Measured | None) -> tuple[Piece, ...]:
    shown = measured.snippet if measured else _LISTING
    if found.loaded is not None:
        return pieces_of(found.loaded, shown)
    return (Piece(found.snippet), Piece(shown))


_LISTING = Snippet(
    (),
    (
        "for path, module in model.named_modules():",
        "    parameters = sum(one.numel() for one in module.parameters())",
        '    print(f"{path:60} {type(module).__name__:30} {parameters:15,}")',
    ),
)
