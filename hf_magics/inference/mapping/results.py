"""What a map gives back: a page of what was done, with the answers in reach."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_magics.display.numbers import number, plural, seconds, size
from hf_magics.display.parts import (
    Bar,
    Cell,
    Column,
    Fold,
    Note,
    Page,
    Part,
    Table,
    Text,
    facts,
)
from hf_magics.display.words import left_out, shortened
from hf_magics.errors import InputError
from hf_magics.inference.held import WithOutputs
from hf_magics.inference.mapping.tally import Tally
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.store import LoadedModel
from hf_magics.optional import optional
from hf_magics.paths import path_of
from hf_magics.specs import MapSpec

_MOST_LABELS = 10


@dataclass(frozen=True)
class Told:
    """What the page says of a map, in numbers and strings.

    ``numbers`` are the answers that are a number each; ``path`` is the file they went to.
    """

    title: str
    number: int
    rows: int
    seconds: float
    rows_run: int
    tokens_run: int
    speed_seconds: float
    first: tuple[Mapping[str, Any], ...]
    errors: tuple[tuple[int, str, str], ...]
    counts: tuple[tuple[str, int], ...]
    column: str
    answers: Mapping[str, int]
    numbers: frozenset[str]
    path: str
    file_bytes: int
    how: Mapping[str, str]


class MapResult(WithOutputs):
    """The answers to a column: ``.values``, ``.embeddings``, ``.errors``, ``.df``.

    Where they went to a file, ``.path`` is that, and ``.values`` is empty.
    """

    def __init__(
        self, told: Told, notes: tuple[str | Note, ...], *, held: Mapping[str, Any], code: str
    ) -> None:
        super().__init__(told.number, code, held)
        self._told = told
        self._notes = notes

    @classmethod
    def of(
        cls,
        loaded: LoadedModel,
        spec: MapSpec,
        tally: Tally,
        took: float,
        code: str,
        plan: Mapping[str, str],
    ) -> MapResult:
        """Return the result of a map that is done."""
        to = path_of(spec.to) if spec.to else None
        kept = {} if to else tally.columns()
        told = Told(
            f"{loaded.name} · {type(loaded.model).__name__} · {spec.task} · {spec.source}",
            loaded.number,
            tally.rows,
            took,
            sum(one.rows for one in tally.entries[tally.resumed :]),
            tally.tokens_run,
            tally.seconds,
            tuple(_small(row) for row in tally.first),
            tuple((row, shortened(str(text)), why) for row, text, why in tally.errors),
            tuple(tally.counts.most_common()) if tally.counts else (),
            tally.column,
            dict(tally.answers),
            frozenset(name for name in tally.answers if _is_number(name, tally.first)),
            str(to) if to else "",
            to.stat().st_size if to else 0,
            plan,
        )
        held = {"columns": kept, "errors": tally.all_errors()}
        return cls(told, tuple(_notes(loaded, tally)), held=held, code=code)

    @property
    def path(self) -> str:
        """The file that the answers went to, ``""`` where they are here."""
        return self._told.path

    @property
    def values(self) -> Any:
        """The main value of each row, None where it failed; vectors are an array."""
        return next(iter(self._raw("columns").values()), ())

    @property
    def embeddings(self) -> Any:
        """The vectors, an array of the shape (rows, dimensions); NaN where a row failed.

        Raises:
            AttributeError: The task gives none, or they went to a file.
            EvictedError: They were let go for newer ones.
        """
        found = self.values
        if not hasattr(found, "shape"):  # a task's main value is an array where it is vectors
            raise AttributeError("this result has no embeddings" + self._elsewhere())
        return found

    @property
    def errors(self) -> dict[int, str]:
        """Why rows failed, by their numbers from 0."""
        if self.path:
            failed = (one for one in _read(Path(self.path), ["row", "error"]) if one["error"])
            return {int(one["row"]): one["error"] for one in failed}
        return dict(self._raw("errors"))

    def records(self) -> list[dict[str, Any]]:
        """A row an input: the answer's columns and ``error``; of a file, what is in it."""
        if self.path:
            return _read(Path(self.path))
        columns, errors = self._raw("columns"), self.errors
        return [
            {"row": row, **{name: _plain(one[row]) for name, one in columns.items()}}
            | {"error": errors.get(row)}
            for row in range(self._told.rows)
        ]

    def page(self) -> Page:
        """How many rows and how fast, the answers in short, what failed, how it was run."""
        told = self._told
        parts: list[Part] = [Text(_summary(told))]
        if told.counts:
            parts.append(_counted(told))
        if told.first:
            parts.append(_first(told))
        if told.errors:
            parts.append(_failed(told))
        parts.append(Fold("How it was run", (facts(dict(told.how)),)))
        return Page(
            told.title,
            tuple(parts),
            tuple(one if isinstance(one, Note) else Note(one) for one in self._notes),
        )

    def _elsewhere(self) -> str:
        return f": its answers went to {self.path}" if self.path else ""


def _summary(told: Told) -> str:
    said = f"{plural(told.rows, 'row')} in {seconds(told.seconds)}"
    if told.speed_seconds and told.tokens_run:
        said += (
            f": {told.rows_run / told.speed_seconds:,.1f} rows/s, "
            f"{told.tokens_run / told.speed_seconds:,.0f} tokens/s"
        )
    vectors = next((width for width in told.answers.values() if width), 0)
    shape = f" Each has a vector of {plural(vectors, 'number')}." if vectors else ""
    where = f" They are in {told.path}, {size(told.file_bytes)}." if told.path else ""
    return f"{said}.{shape}{where}"


def _counted(told: Told) -> Table:
    total = sum(count for _, count in told.counts)
    rows = tuple(
        (label, f"{count:,}", Bar(count / total, f"{100 * count / total:.1f} %"))
        for label, count in told.counts[:_MOST_LABELS]
    )
    name = next(iter(told.answers), "answer")
    columns = (Column(name), Column("rows", "right"), Column("share"))
    more = left_out(len(told.counts), len(rows))
    return Table(columns, rows, "How often each came", more)


def _first(told: Told) -> Table:
    names = list(told.answers)
    columns = (
        Column("row", "right"),
        Column(told.column),
        *(_answer_column(name, told) for name in names),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (f"{row['row']:,}", row[told.column], *(row.get(name, "") for name in names))
        for row in told.first
    )
    return Table(columns, rows, "The first rows")


def _answer_column(name: str, told: Told) -> Column:
    return Column(name, "right" if name in told.numbers else "left", mono=bool(told.answers[name]))


def _is_number(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(isinstance(row.get(name), int | float | None) for row in rows)


def _failed(told: Told) -> Table:
    columns = (Column("row", "right"), Column(told.column), Column("error"))
    rows = tuple((f"{row:,}", text, why) for row, text, why in told.errors)
    return Table(columns, rows, "Rows that failed")


def _notes(loaded: LoadedModel, tally: Tally) -> list[str | Note]:
    said: list[str | Note] = [*tally.notes]
    if tally.already:
        said.append(Note("this was finished before: nothing was run", "info"))
    elif tally.resumed:
        before = sum(one.rows for one in tally.entries[: tally.resumed])
        were = "was" if before == 1 else "were"
        went_on = f"{plural(before, 'row')} {were} finished before: the job went on from there"
        said.append(Note(went_on, "info"))
    said += state_notes(loaded)
    if failed := tally.total("failed"):
        each = "it" if failed == 1 else "each"
        said.append(
            f"{plural(failed, 'row')} failed: {each} has an error in the column 'error', no answer"
        )
    if tally.not_finite:
        answer = "its answer" if tally.not_finite == 1 else "their answers"
        said.append(f"{plural(tally.not_finite, 'row')} with NaN or Inf in {answer}")
    if cut := tally.total("cut"):
        its = "its" if cut == 1 else "their"
        said.append(f"{plural(cut, 'text')} longer than the limit lost {its} end: --max-length N")
    return said


def _small(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is shown: strings."""
    return {name: value if name == "row" else _cell(value) for name, value in row.items()}


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, np.ndarray):
        if np.isnan(value).all():  # of a row that failed
            return "–"
        return ", ".join(number(float(one)) for one in value[:3]) + ", …"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else number(value)
    return shortened(str(value))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _read(path: Path, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a finished file, or some columns of them.

    Raises:
        InputError: It has gone since.
    """
    if not path.is_file():
        raise InputError(f"{path} has gone since it was written")
    kind = path.suffix.lower()
    if kind == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    if kind == ".csv":
        frame = optional("pandas", extra="data").read_csv(
            path, keep_default_na=False, usecols=columns
        )
        return [
            {str(name): value for name, value in row.items()} for row in frame.to_dict("records")
        ]
    arrow = optional("pyarrow.feather" if kind == ".arrow" else "pyarrow.parquet", extra="data")
    rows: list[dict[str, Any]] = arrow.read_table(path, columns=columns).to_pylist()
    return rows
