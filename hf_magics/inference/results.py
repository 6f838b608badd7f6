"""What an inference gives back: the answer's page, with the real outputs in reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import plural, seconds
from hf_magics.display.parts import Code, Fold, Note, Page, Text
from hf_magics.display.words import shortened
from hf_magics.inference.cutting import Cut
from hf_magics.inference.held import WithOutputs
from hf_magics.inference.tasks import Answer, Done


@dataclass(frozen=True)
class Ran:
    """What was run: the model, the task, the first texts, what was cut, and the seconds.

    ``inputs`` and ``tokens`` are counts, 0 where tensors were given.
    """

    name: str
    number: int
    head: str
    task: str
    texts: tuple[str, ...]
    inputs: int
    tokens: int
    cuts: tuple[Cut, ...]
    seconds: float
    unit: str = "line"

    @classmethod
    def of(cls, done: Done, took: float, *, echoes: bool) -> Ran:
        """Return what is said of a request that was run."""
        request = done.request
        return cls(
            request.loaded.name,
            request.loaded.number,
            type(request.loaded.model).__name__,
            request.spec.task,
            _echo(request.inputs.texts) if echoes else (),
            request.inputs.count,
            sum(done.encoded.lengths),
            done.encoded.cuts,
            took,
            "input" if request.inputs.kind == "things" else "line",
        )

    def words(self) -> str:
        """Say how much was run, and how long that took."""
        lines = plural(self.inputs, self.unit) if self.inputs else "tensors"
        tokens = f", {plural(self.tokens, 'token')}" if self.tokens else ""
        return f"{lines}{tokens}; the model took {seconds(self.seconds)}."


class InferResult(WithOutputs):
    """The answer of a task.

    ``outputs`` is the model's own, in the order of one plain batch that is padded on the right.
    """

    def __init__(
        self,
        ran: Ran,
        answer: Answer,
        notes: tuple[str, ...],
        *,
        held: Mapping[str, Any],
        code: str,
    ) -> None:
        super().__init__(ran.number, code, held)
        self._ran = ran
        self._answer = dataclasses.replace(answer, raw={})
        self._notes = notes

    @property
    def task(self) -> str:
        """The task that was answered."""
        return self._ran.task

    @property
    def values(self) -> tuple[Any, ...]:
        """The answer's main value for each input: a label, a text, a vector."""
        main = self._answer.main
        return tuple(self._raw(main)) if main else self._answer.values

    @property
    def embeddings(self) -> Any:
        """The vectors, an array of the shape (inputs, dimensions).

        Raises:
            AttributeError: The task gives none.
            EvictedError: They were let go for newer ones.
        """
        return self._raw("embeddings")

    @property
    def captured(self) -> dict[str, Any]:
        """What modules gave: a tensor by name, with a row a line where the page doesn't say else.

        Raises:
            AttributeError: No ``--capture`` asked for it.
            EvictedError: They were let go for newer ones.
        """
        return dict(self._raw("captured"))

    @property
    def text(self) -> list[str]:
        """What was written, a text an input; empty for tasks that write none."""
        return list(self._answer.text)

    def records(self) -> list[dict[str, Any]]:
        """The task's rows."""
        main = self._answer.main
        if not main:
            return self._answer.records
        column = main.removesuffix("s")
        rows = zip(self._answer.records, self._raw(main), strict=True)
        return [{**record, column: row} for record, row in rows]

    def page(self) -> Page:
        """The notes, the answer, and one line on what was run."""
        ran = self._ran
        echo = (Text("\n".join(ran.texts)),) if ran.texts else ()
        notes = tuple(Note(note) for note in self._notes)
        lost = tuple(Code(f"line {cut.line}: {cut.lost_text}") for cut in ran.cuts)
        folded = (Fold("Text that was lost", lost),) if lost else ()
        parts = (*echo, *self._answer.parts, *folded, Text(ran.words()))
        return Page(f"{ran.name} · {ran.head} · {ran.task}", parts, notes)


def _echo(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first lines as they were read, shortened."""
    shown = [shortened(text, _WIDE) for text in texts[:_MOST_ECHOED]]
    more = len(texts) - _MOST_ECHOED
    return (*shown, *([f"… and {plural(more, 'more line')}"] if more > 0 else []))


_WIDE, _MOST_ECHOED = 100, 3
