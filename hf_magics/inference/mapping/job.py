"""Map: a spec and a source to windows, batches and answers, in memory or in a checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.errors import InputError, MapInterruptedError, OptionError, SaveError
from hf_magics.inference.inputs import Inputs, read_inputs
from hf_magics.inference.mapping.identity import identity, versions
from hf_magics.inference.mapping.journal import Entry, Journal, folder_beside
from hf_magics.inference.mapping.meter import Speed
from hf_magics.inference.mapping.probing import find_budget
from hf_magics.inference.mapping.results import MapResult
from hf_magics.inference.mapping.sinks import check_target
from hf_magics.inference.mapping.snippets import map_snippet
from hf_magics.inference.mapping.sources import WINDOW_CHARS, Source, Window
from hf_magics.inference.mapping.tally import Tally
from hf_magics.inference.mapping.threads import threads_for
from hf_magics.inference.mapping.worker import Finished, Worker
from hf_magics.inference.packing import can_pack
from hf_magics.inference.tasks import Request, Task, task_for
from hf_magics.inference.tokenizing import limit_for
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.paths import path_of
from hf_magics.settings import Settings
from hf_magics.specs import InferSpec, MapSpec

Execute = Callable[[Worker, Iterator[Window]], Generator[tuple[Window, Finished]]]
"""Runs windows in this process or elsewhere, and gives them back in their order."""


def map_source(
    spec: MapSpec, source: Source, session: Session, settings: Settings, execute: Execute
) -> MapResult:
    """Run each row of a source through a model.

    Args:
        spec: The model, the task, where the answers go.
        source: The rows.
        session: Where the model is.
        settings: How much a page shows.
        execute: What runs the windows.

    Raises:
        SessionNameError: No such model.
        HeadError: The model's head does not answer the task, or the task has no value an input.
        OptionError: Options that contradict each other, or that the task does not take.
        InputError: There are no rows, the checkpoint is of another job, or, of a strict job, a row
            can't be run.
        SaveError: The file or the checkpoint can't be written; what is finished is kept.
    """
    loaded = session.get(spec.name)
    _check(spec)
    job = _Job.of(spec, source, loaded, settings, execute)
    started = time.perf_counter()
    try:
        with threads_for(loaded):
            tally = job.run()
    except KeyboardInterrupt:
        raise MapInterruptedError(job.said_of_interrupt()) from None
    took = time.perf_counter() - started
    made = map_snippet(job.spec, source, job.worker.decoding, tally.nothing())
    code = session.record(job.spec, *pieces_of(loaded, *made))
    return MapResult.of(loaded, job.spec, tally, took, code, job.how())


@dataclasses.dataclass
class _Job:
    spec: MapSpec
    source: Source
    task: Task
    worker: Worker
    execute: Execute
    tally: Tally

    @classmethod
    def of(
        cls,
        spec: MapSpec,
        source: Source,
        loaded: LoadedModel,
        settings: Settings,
        execute: Execute,
    ) -> _Job:
        """Return the job, its task and options checked on the first row that can be read."""
        inputs = _first_inputs(source)
        task = task_for(loaded, spec.task, inputs, dict(spec.options))
        _check_options(spec, task, loaded)
        spec = dataclasses.replace(spec, name=loaded.name, task=task.name)
        asked = InferSpec(
            loaded.name,
            task=task.name,
            max_length=spec.max_length,
            options=spec.options,
            extra=spec.extra,
        )
        request = Request(loaded, asked, inputs, dataclasses.replace(settings, rows=1))
        with contextlib.suppress(InputError):  # the row's own fault, which is told of in its place
            task.check(request)
        column = "text" if source.column in {"row", "error"} else source.column
        worker = Worker(task, request, column, spec.batch_tokens or 0, spec.strict)
        return cls(spec, source, task, worker, execute, Tally(column, settings.rows))

    def run(self) -> Tally:
        """Run what is not finished yet, and return what is told of all."""
        if not self._folder:
            self._plan()
            self._go_on(0, self.tally.add)
            return self.tally
        journal = Journal(self._folder)
        self._check_own(journal)
        job = identity(self.spec, self.source, self.worker.request)
        with journal.opened():
            begun = journal.begin(job, self._plan, anew=self.spec.overwrite, to=self._to)
            self._checkpointed(journal, begun)
        return self.tally

    def said_of_interrupt(self) -> str:
        """Say what is kept where the job was interrupted, and how to go on."""
        rows = f"interrupted after {plural(self.tally.rows, 'finished row')}"
        it, are = ("it is", "is") if self.tally.rows == 1 else ("they are", "are")
        if self._folder:
            return f"{rows}: {it} kept in {self._folder}, and the same line goes on from there"
        return f"{rows}, which {are} lost: --checkpoint DIR or --to FILE keeps what is finished"

    def how(self) -> dict[str, str]:
        """Return how it was run, for the page."""
        tally = self.tally
        return {
            "windows": f"{len(tally.entries):,} of at most {self.task.window:,} rows",
            "tokens": f"{tally.total('tokens'):,}",
            "batches": f"at most {plural(self.worker.budget, 'token')}, rows about as long",
            "equal texts": f"{tally.total('equal'):,}, answered once",
            "checkpoint": self.spec.checkpoint,
        }

    @property
    def _folder(self) -> Path | None:
        if self.spec.checkpoint:
            return path_of(self.spec.checkpoint)
        return folder_beside(self._to) if self._to else None

    @property
    def _to(self) -> Path | None:
        return path_of(self.spec.to) if self.spec.to else None

    def _check_own(self, journal: Journal) -> None:
        """Refuse to replace a file that this job did not write."""
        to = self._to
        if to is None or not to.exists():
            return
        read = getattr(self.source, "path", None)
        if read is not None and to.samefile(read):
            raise SaveError(f"--to {to} is the file that is read: give another")
        if not self.spec.overwrite and not journal.wrote(to):
            raise SaveError(f"--to {to} is there already: --overwrite replaces it")

    def _checkpointed(self, journal: Journal, begun: dict[str, Any]) -> None:
        to, keep = self._to, not self.spec.to
        self._take_up(begun, journal.entries)
        failed = sum(one.failed for one in journal.entries)
        if failed and self.spec.strict:
            raise InputError(
                f"{plural(failed, 'row')} failed in the run before, which was not --strict: "
                "--overwrite runs all rows again"
            )
        if to and journal.delivered(to):
            self.tally.skip(journal.entries)
            self.tally.already = True
            return
        self.tally.resumed = len(journal.entries)
        for entry, table in zip(journal.entries, journal.tables(), strict=True):
            self.tally.add(entry, table, keep=keep)

        def write(entry: Entry, table: Any) -> None:
            journal.add(entry, table)
            self.tally.add(entry, table, keep=keep)

        self._go_on(self.tally.rows, write)
        if to:
            journal.deliver(to, keep=bool(self.spec.checkpoint))

    def _plan(self) -> dict[str, Any]:
        """Return the plan of a new job: the size of windows and batches."""
        self.worker.packs = can_pack(self.worker.request.loaded)
        if not self.worker.budget:
            self.worker.budget = find_budget(self.worker, self.source)
        return {
            "rows": self.task.window,
            "chars": WINDOW_CHARS,
            "budget": self.worker.budget,
            "packs": self.worker.packs,
            "versions": self._versions(),
        }

    def _take_up(self, begun: dict[str, Any], entries: list[Entry]) -> None:
        """Go on by the plan of the job as it was begun."""
        plan = begun["plan"]
        self.worker.budget = entries[-1].budget if entries else plan["budget"]
        self.worker.packs = plan["packs"] and can_pack(self.worker.request.loaded)
        now = self._versions()
        if plan["versions"] != now:
            self.tally.notes.append(
                f"begun with {_named(plan['versions'])}, gone on with {_named(now)}: "
                "the last digits may differ"
            )

    def _versions(self) -> dict[str, str]:
        return versions(self.worker.request.loaded, packs=self.worker.packs)

    def _go_on(self, start: int, add: Callable[..., None]) -> None:
        """Run the windows from a row on."""
        windows = self.source.windows(self.task.window, WINDOW_CHARS, start)
        with Speed(self.source, start) as speed:
            self.worker.on_tokens = speed.advance
            with contextlib.closing(self.execute(self.worker, windows)) as finished:
                for window, done in finished:
                    add(Entry.of(window, done), done.table)
                    speed.finish(window.start + len(window.rows))
        self.tally.tokens_run, self.tally.seconds = speed.tokens, speed.seconds


def _first_inputs(source: Source) -> Inputs:
    """Return the first row that can be read, as inputs: what kind a row is.

    Raises:
        InputError: There are no rows.
    """
    empty = True
    for window in source.windows(_LOOKED_AT, WINDOW_CHARS):
        for row, value in enumerate(window.rows):
            empty = False
            if row in window.problems or _says_nothing(value):
                continue
            if isinstance(value, str):
                return Inputs(texts=(value,))
            with contextlib.suppress(InputError):  # the row's own fault, as below
                return read_inputs([value])
        break
    if empty:
        raise InputError(f"{source.name} has no rows")
    return Inputs(texts=("",))


_LOOKED_AT = 100


def _says_nothing(value: Any) -> bool:
    """Say whether a row tells nothing of what kind the rows are."""
    if isinstance(value, str):
        return not value
    return value is None or isinstance(value, (bool, int, float))


def _check(spec: MapSpec) -> None:
    if spec.batch_tokens is not None and spec.batch_tokens < 1:
        raise OptionError(f"--batch-tokens {spec.batch_tokens}: at least 1 is needed")
    if spec.overwrite and not (spec.to or spec.checkpoint):
        raise OptionError("--overwrite goes with --to FILE or --checkpoint DIR")
    if spec.to:
        check_target(path_of(spec.to))


def _check_options(spec: MapSpec, task: Task, loaded: LoadedModel) -> None:
    """Refuse what would be the error of every row, or ignored."""
    if spec.max_length is not None:
        limit_for(loaded, spec.max_length)
    if "top_k" in task.options and dict(spec.options).get("top_k", 1) != 1:
        raise OptionError(
            "--top-k: a map keeps the best answer of each row; %%hf_infer shows more of them"
        )


def _named(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
