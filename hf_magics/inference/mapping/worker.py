"""One window of rows through a model: what can't be run becomes a row with its error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch

from hf_magics.display.words import one_line
from hf_magics.errors import FitError, InputError
from hf_magics.inference import tokenizing
from hf_magics.inference.asking import asking
from hf_magics.inference.batching import Batch, plan_batches
from hf_magics.inference.checks import why_no_text
from hf_magics.inference.inputs import Inputs, read_inputs
from hf_magics.inference.mapping.snippets import Decoding, decoding_of
from hf_magics.inference.mapping.sources import Window
from hf_magics.inference.mapping.tables import Table, table_of
from hf_magics.inference.packing import packed
from hf_magics.inference.rows import Rows
from hf_magics.inference.tasks import Done, Request, Task
from hf_magics.inference.told import reads_padding
from hf_magics.modeling.memory import keep_for_the_next


@dataclass(frozen=True)
class Prepared:
    """A window, tokenised: what is run of it, and what can't be.

    ``places`` are the rows of the window that are run; ``same`` sends each row of a text that
    stands in the window before to that one's place; ``errors`` say why a row can't be run;
    ``mixed`` is False for a model that reads padding.
    """

    window: Window
    inputs: Inputs
    places: tuple[int, ...]
    same: Mapping[int, int]
    errors: dict[int, str]
    rows: Rows | None
    lengths: tuple[int, ...]
    mixed: bool = True

    @property
    def tokens(self) -> int:
        """How many tokens are run."""
        return sum(self.lengths)

    def plan(self, budget: int) -> list[Batch]:
        """Return the batches of at most so many tokens."""
        return plan_batches(self.lengths, budget, mixed=self.mixed)


@dataclass
class Finished:
    """What a window gave; ``budget`` is what the device had room for."""

    table: Table
    tokens: int
    cut: int
    equal: int
    failed: int
    budget: int


@dataclass
class Worker:
    """Runs windows of one job: ``request`` has the model, the task's options, and no inputs."""

    task: Task
    request: Request
    column: str
    budget: int
    strict: bool = False
    packs: bool = False
    on_tokens: Callable[[int, int], None] = field(default=lambda *_: None)
    decoding: Decoding | None = None

    def at_speed(self) -> AbstractContextManager[None]:
        """Return the block in which the model is as fast as it can be, as the job's plan says."""
        keep_for_the_next()
        return packed(self.request.loaded.model, wanted=self.packs, most=lambda: self.budget)

    def prepare(self, window: Window) -> Prepared:
        """Tokenise a window; runs beside the model, and so leaves torch alone.

        Raises:
            InputError: A row can't be run, and the job is strict.
        """
        errors = dict(window.problems)
        for row, value in enumerate(window.rows):
            if row not in errors and (why := self._why_not(value)):
                errors[row] = why
        places, same = _first_of_equal(window.rows, errors)
        places, rows = self._tokenised(window, places, errors)
        inputs = _inputs([window.rows[place] for place in places])
        lengths = rows.lengths if rows else self._lengths(inputs)
        if self.strict and errors:
            row = min(errors)
            raise InputError(f"row {window.start + row:,} {errors[row]}")
        mixed = not reads_padding(self.request.loaded.model)
        return Prepared(window, inputs, tuple(places), same, errors, rows, lengths, mixed)

    def finish(self, prepared: Prepared) -> Finished:
        """Run a window that is prepared, and put its answers in their rows.

        Raises:
            HFMagicsError: The task or an option can't be; or a row can't, and the job is strict.
        """
        found: dict[int, Mapping[str, Any]] = {}
        errors = dict(prepared.errors)
        cut = len(prepared.rows.cut) if prepared.rows else 0
        for batch in prepared.plan(self.budget):
            cut += self._run(prepared, batch, found, errors)
        table = table_of(prepared.window, prepared.same, self.column, found, errors)
        failed = sum(why is not None for why in table["error"])
        return Finished(table, prepared.tokens, cut, len(prepared.same), failed, self.budget)

    def _run(
        self,
        prepared: Prepared,
        batch: Batch,
        found: dict[int, Mapping[str, Any]],
        errors: dict[int, str],
    ) -> int:
        """Run a batch; in halves where the device has no room, or a row in it can't be run."""
        if not self._fits(prepared, batch):
            return self._run_halves(prepared, batch, found, errors)
        try:
            columns, cut = self.columns(prepared, batch)
        except (FitError, InputError) as error:
            if isinstance(error, FitError):
                self._shrink(prepared, batch)
            if len(batch) > 1:
                return self._run_halves(prepared, batch, found, errors)
            place, why = prepared.places[batch[0]], _without_line(one_line(error))
            if self.strict:
                raise type(error)(f"row {prepared.window.start + place:,} {why}") from error
            errors[place] = why
            return 0
        for at, row in enumerate(batch):
            found[prepared.places[row]] = {name: one[at] for name, one in columns.items()}
        self.on_tokens(sum(prepared.lengths[row] for row in batch), len(batch))
        return cut

    def _run_halves(self, prepared: Prepared, batch: Batch, *kept: Any) -> int:
        middle = (len(batch) + 1) // 2
        return sum(self._run(prepared, half, *kept) for half in (batch[:middle], batch[middle:]))

    def _fits(self, prepared: Prepared, batch: Batch) -> bool:
        """Say whether a batch is within the budget, which may have shrunk since it was planned."""
        width = max(prepared.lengths[row] for row in batch)
        return len(batch) == 1 or width * len(batch) <= self.budget

    def _shrink(self, prepared: Prepared, batch: Batch) -> None:
        """Let later batches have half the tokens of one that had no room."""
        width = max(prepared.lengths[row] for row in batch)
        self.budget = max(1, min(self.budget, width * len(batch) // 2))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def columns(self, prepared: Prepared, batch: Batch) -> tuple[Mapping[str, Any], int]:
        """Run one batch; return a value a row in each column, and how many texts were cut."""
        if self.decoding is None and prepared.rows is None and len(batch) > 1:
            self.columns(prepared, batch[:1])  # plain code goes row by row here
        request = self._asking(_some(prepared.inputs, batch))
        self.task.check(request)
        encoded = prepared.rows.batch(batch) if prepared.rows else self.task.encode(request)
        outputs, added = self.task.run(request, encoded)
        done = Done(request, encoded, outputs, added)
        if self.decoding is None:
            self.decoding = decoding_of(self.task, done, each=prepared.rows is None)
        return self.task.columns(done), len(encoded.cuts)

    def _why_not(self, value: Any) -> str:
        """Say why a row can't be an input, ``""`` where it can be.

        The rows of a job are of one kind: that of its first one.
        """
        if value is None:
            return "is missing"
        if self.request.inputs.texts or isinstance(value, (str, bool, int, float)):
            why = why_no_text(value)
            if why or not self.request.inputs.ids:
                return why
        if self.request.inputs.ids and not isinstance(value, (list, tuple)):
            return f"is {type(value).__name__}, and the first row was token IDs"
        return ""

    def _asking(self, inputs: Inputs) -> Request:
        return dataclasses.replace(self.request, inputs=inputs)

    def _tokenised(
        self, window: Window, places: list[int], errors: dict[int, str]
    ) -> tuple[list[int], Rows | None]:
        """Return the places that can be tokenised; where not all can, each is tried."""
        try:
            return places, self._rows(window, places)
        except InputError:
            good = [place for place in places if self._takes(window, place, errors)]
        return good, self._rows(window, good)

    def _takes(self, window: Window, place: int, errors: dict[int, str]) -> bool:
        try:
            self._rows(window, [place])
        except InputError as error:
            errors[place] = _without_line(one_line(error))
        return place not in errors

    def _rows(self, window: Window, places: Sequence[int]) -> Rows | None:
        values = [window.rows[place] for place in places]
        return self.task.rows(self._asking(_inputs(values))) if values else None

    def _lengths(self, inputs: Inputs) -> tuple[int, ...]:
        """Return about how long each input is, where the task makes its own batches."""
        loaded = self.request.loaded
        if not inputs.texts or loaded.tokenizer is None:
            return (
                tuple(len(line) for line in inputs.ids) or (self.budget // _AT_ONCE,) * inputs.count
            )
        limit = tokenizing.limit_for(loaded, self.request.spec.max_length) or _ANY
        with asking(loaded):
            ids = loaded.tokenizer(list(inputs.texts), verbose=False)["input_ids"]
        return tuple(min(len(line), limit) for line in ids)


_AT_ONCE = 8  # images and sounds, whose size no tokenizer tells
_ANY = 10**9


def _without_line(message: str) -> str:
    """Return what is wrong with the one line that was tried."""
    return message.removeprefix("line 1 ")


def _first_of_equal(
    rows: Sequence[Any], errors: Mapping[int, str]
) -> tuple[list[int], dict[int, int]]:
    """Return the first row of each text, and where each later equal one finds it."""
    first: dict[Any, int] = {}
    places, same = [], {}
    for row, value in enumerate(rows):
        if row in errors:
            continue
        key = (type(value), value) if isinstance(value, str) else ("row", row)
        if key in first:
            same[row] = first[key]
        else:
            first[key] = row
            places.append(row)
    return places, same


def _inputs(values: list[Any]) -> Inputs:
    if not values or all(isinstance(one, str) for one in values):
        return Inputs(texts=tuple(values))
    return read_inputs(values)


def _some(inputs: Inputs, batch: Batch) -> Inputs:
    return Inputs(
        texts=tuple(inputs.texts[row] for row in batch) if inputs.texts else (),
        ids=tuple(inputs.ids[row] for row in batch) if inputs.ids else (),
        things=tuple(inputs.things[row] for row in batch) if inputs.things else (),
    )
