"""The page of layers: the modules as a tree, blocks that repeat folded into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import count, plural, seconds, shape, short_count
from hf_magics.display.parts import Branch, Column, Note, Page, Tree
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.inside.folding import Node, cut, tree_of, walk
from hf_magics.inside.measuring import Measured
from hf_magics.inside.modules import ModuleRow

_NUMBERS = ("parameters", "own", "share", "in", "out", "FLOPs", "time")
_SPARE = (
    "dtype",
    "own",
    "share",
    "in",
    "parameters",
    "class",
)  # the first to go where room is short
_ALL_OPEN = 60  # lines: of more, what lies deeper than two levels is shut
_MOST_NAMED = 3
_MOST_RUNS = 3  # of numbers, where blocks alternate


@dataclass(frozen=True)
class Looked:
    """The modules that are shown of a model, and the row of the ``whole``."""

    name: str
    rows: tuple[ModuleRow, ...]
    whole: ModuleRow
    device: str


class LayersResult(Shown):
    """The modules of a model; ``rows`` has them all, unfolded."""

    def __init__(
        self,
        looked: Looked,
        *,
        depth: int | None,
        notes: tuple[str, ...],
        measured: Measured | None,
        code: str,
    ) -> None:
        self.rows = looked.rows
        self.code = code
        self._name = looked.name
        self._whole = looked.whole
        self._device = looked.device
        self._depth = depth
        self._notes = notes
        self._measured = measured

    def records(self) -> list[dict[str, Any]]:
        """A row a module: ``own`` and ``parameters`` in numbers, ``seconds`` and ``flops`` too."""
        return [self._record(row) for row in self.rows]

    def page(self) -> Page:
        """The tree, under what is wrong with any of its weights."""
        whole = self._whole
        node = tree_of(self.rows)
        shown = node if self._depth is None else cut(node, self._depth)
        hidden = sum(1 for _ in walk(node)) - sum(1 for _ in walk(shown))
        lines = _Lines(self._name, whole, self._measured, self._columns(shown), _shut_from(shown))
        columns = tuple(
            Column(name, "right" if name in _NUMBERS else "left", mono=True)
            for name in lines.columns
        )
        tree = Tree(
            columns,
            (lines.branch(shown),),
            caption=self._caption(repeats=any(one.count > 1 for one in walk(shown))),
            left_out=f"{plural(hidden, 'line')} below --depth {self._depth}" if hidden else "",
            spare=tuple(name for name in _SPARE if name in lines.columns),
        )
        title = f"{self._name} · {whole.kind} · {plural(whole.parameters, 'parameter')}"
        return Page(title, (tree,), (*self._verdicts(), *map(Note, self._said())))

    def _caption(self, *, repeats: bool) -> str:
        whole = self._whole
        trained = (
            "all trainable"
            if whole.trainable == whole.parameters
            else f"{count(whole.trainable)} of them trainable"
        )
        said = [f"{sentence_list(whole.dtypes)} on {self._device}", trained]
        if repeats:
            said.append("a block that repeats stands once, with its own numbers below")
        if self._measured:
            tokens = self._measured.tokens
            said.append(
                f"{plural(tokens, 'token')} {'was' if tokens == 1 else 'were'} run; a "
                "multiplication and an addition are 2 FLOPs"
            )
        return "; ".join(said)

    def _said(self) -> list[str]:
        return [*self._notes, *(self._measured.notes if self._measured else ())]

    def _verdicts(self) -> list[Note]:
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if row.verdict:
                found.setdefault(row.verdict, []).append(row.path or "the model")
        notes = [
            Note(f"{verdict}: {sentence_list(paths, most=_MOST_NAMED)}")
            for verdict, paths in found.items()
        ]
        tied = [f"{row.path}.{one}" for row in self.rows for one in row.tied]
        if tied:
            notes.append(Note(f"tied: {sentence_list(tied, most=_MOST_NAMED)}", "info"))
        if self._device == "meta":
            notes.append(Note("made from the config alone: no weight was read or made", "info"))
        return notes

    def _columns(self, node: Node) -> tuple[str, ...]:
        """Return the columns that say something: what all modules share is said above them."""
        mixed = any(one.below and one.first.own for one in walk(node))
        own = ("own",) * mixed
        dtype = ("dtype",) * (len(self._whole.dtypes) > 1)
        remarks = ("",) * any(map(_remarks, walk(node)))
        last = ("FLOPs", "time", "in", "out") if self._measured else ("share",)
        return ("module", "class", "parameters", *own, *last, *dtype, *remarks)

    def _record(self, row: ModuleRow) -> dict[str, Any]:
        total = self._whole.parameters
        record: dict[str, Any] = {
            "module": row.path,
            "class": row.kind,
            "level": row.level,
            "parameters": row.parameters,
            "own": row.own,
            "share": row.parameters / total if total else 0.0,
            "dtype": ", ".join(row.dtypes),
            "trainable": row.trainable,
            "tied": ", ".join(row.tied),
            "verdict": row.verdict,
        }
        if self._measured is not None:
            one = self._measured.modules.get(row.path)
            record |= {
                "shape_in": one.shape_in if one else None,
                "shape_out": one.shape_out if one else None,
                "flops": one.flops if one else 0,
                "seconds": one.seconds if one else 0.0,
            }
        return record


@dataclass(frozen=True)
class _Lines:
    """What makes lines of nodes."""

    name: str
    whole: ModuleRow
    measured: Measured | None
    columns: tuple[str, ...]
    shut: int

    def branch(self, node: Node, level: int = 0, above: str = "") -> Branch:
        """Return the line of a node with those below it; a list of one kind is no line itself."""
        label = above + self._label(node)
        if node.first.kind == "ModuleList" and len(node.below) == 1:
            return self.branch(node.below[0], level, f"{label}.")
        said = self._parameters(node) | self._measures(node)
        cells = {"module": label, "class": _class(node), "": _remarks(node), **said}
        return Branch(
            tuple(cells.get(column, "") for column in self.columns),
            tuple(self.branch(one, level + 1) for one in node.below),
            _details(node.first),
            level >= self.shut,
        )

    def _label(self, node: Node) -> str:
        if node.count == 1:
            return node.first.name or self.name
        return _ranges([int(row.name) for row in node.rows[: node.count]])

    def _parameters(self, node: Node) -> dict[str, str]:
        row, total = node.first, self.whole.parameters
        own, parameters = row.own * node.count, row.parameters * node.count
        return {
            "parameters": count(parameters) if parameters else "",
            "own": count(own) if own else "",
            "share": f"{100 * parameters / total:.1f} %" if parameters else "",
            "dtype": ", ".join(row.dtypes),
        }

    def _measures(self, node: Node) -> dict[str, str]:
        if self.measured is None:
            return {}
        found = [self.measured.modules.get(row.path) for row in node.rows]
        ran = [one for one in found if one is not None]
        if not ran:
            return {"time": "not called"}
        flops = sum(one.flops for one in ran) // node.places
        return {
            "in": shape(ran[0].shape_in) if ran[0].shape_in else "",
            "out": shape(ran[0].shape_out) if ran[0].shape_out else "",
            "FLOPs": short_count(flops) if flops else "",
            "time": seconds(sum(one.seconds for one in ran) / node.places),
        }


def _ranges(numbers: list[int]) -> str:
    """Return the numbers of folded modules: ``0–11``, or ``0–2, 4–6, …``."""
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    said = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return ", ".join(said if len(said) <= _MOST_RUNS else [*said[:_MOST_RUNS], "…"])


def _class(node: Node) -> str:
    return f"{node.count} × {node.first.kind}" if node.count > 1 else node.first.kind


def _shut_from(node: Node) -> int:
    """Return the level from which lines are shut: none where there are few."""
    lines = sum(1 for _ in walk(node))
    return lines if lines <= _ALL_OPEN else 2


def _remarks(node: Node) -> str:
    row = node.first
    said = [row.verdict.partition(":")[0].upper()] if row.verdict else []  # more is in the notes
    said += ["tied"] * bool(row.tied)
    if row.parameters and not row.trainable:
        said.append("frozen")
    elif row.trainable < row.parameters:
        said.append("partly frozen")
    return "; ".join(said)


def _details(row: ModuleRow) -> str:
    """Return what the module says of itself, and its own weights with their shapes."""
    lines = [row.says] if row.says else []
    for one in row.weights:
        verdict = f"  {one.verdict}" if one.verdict else ""
        lines.append(f"{one.name}  {shape(one.shape)}  {one.dtype}{verdict}")
    return "\n".join(lines)
