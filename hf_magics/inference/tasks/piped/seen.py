"""What was given to a pipeline and what it answered, and what the pages of answers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from hf_magics.display.parts import Cell, Column, Part, Picture, Table, Text
from hf_magics.display.words import left_out
from hf_magics.inference.answering.task import Request
from hf_magics.inference.tasks.classify import notes_on_labels
from hf_magics.inference.tasks.piped import pictures

MOST_PICTURES = 8
"""Of the inputs on one page, which has no room for more that can be seen."""


@dataclass(frozen=True)
class Given:
    """One input: its name on the page, where it came from, and what the pipeline takes.

    ``image`` is the picture that stands beside the answer, None where there is none.
    """

    name: str
    source: Any
    value: Any
    image: Image.Image | None = None
    question: str = ""


@dataclass(frozen=True)
class Seen:
    """What was asked, the inputs, and the pipeline's answer for each of them."""

    request: Request
    given: tuple[Given, ...]
    answers: tuple[Any, ...]

    @property
    def most(self) -> int:
        """How many rows a table shows."""
        return self.request.settings.rows

    def named(self, at: int) -> dict[str, Any]:
        """Return the first fields of the rows of one input: its number and name."""
        question = self.given[at].question
        return {"input": at + 1, "name": self.given[at].name} | (
            {"question": question} if question else {}
        )


def thumbs(seen: Seen) -> list[tuple[Picture, ...]]:
    """Return a small picture for each row that a table shows; nothing where the input has none."""
    shown = seen.given[: seen.most]
    kept = [one for one in shown if one.image][:MOST_PICTURES]
    drawn = pictures.fitted([image_of(one) for one in kept], [one.name for one in kept])
    if not drawn:
        return [()] * len(shown)
    empty = [Picture(b"", one.name) for one in shown[len(drawn) :]]
    return [(one,) for one in (*drawn, *empty)]


def small_pictures(seen: Seen, drawn: Sequence[Image.Image], said: Sequence[str]) -> list[Picture]:
    """Return what was drawn, of the first inputs, small; ``said`` is the label of each input."""
    labels = [f"{one.name}: {words}" for one, words in zip(seen.given, said, strict=True)]
    return pictures.fitted(drawn, labels[: len(drawn)])


def image_of(given: Given) -> Image.Image:
    """Return the image of an input of a task that reads images."""
    assert given.image is not None
    return given.image


def beside(shown: Sequence[Picture], tables: Sequence[Table]) -> tuple[Part, ...]:
    """Return each picture before its table; an input that has no row has a sentence."""
    parts: list[Part] = []
    for at, table in enumerate(tables):
        parts += [*shown[at : at + 1], table if table.rows else Text(f"{table.caption}: none")]
    return tuple(parts)


def notes_on_nothing(seen: Seen) -> tuple[str, ...]:
    """Say that a threshold hides what there is."""
    empty = [given.name for given, one in zip(seen.given, seen.answers, strict=True) if not one]
    if not empty:
        return ()
    return (f"nothing was found in {', '.join(empty)}: --set threshold=0.1 shows less likely ones",)


def notes_on_names(seen: Seen) -> tuple[str, ...]:
    """Say that a checkpoint's labels have no names, where the answer has the checkpoint's."""
    named = "labels" in seen.request.options or seen.request.spec.task == "mask-generation"
    return () if named else notes_on_labels(seen.request.loaded.config)


def table_of(
    seen: Seen,
    at: int,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[Cell, ...]],
    caption: str,
) -> Table:
    """Return the table of one input, which it names where there are several."""
    named = caption if len(seen.given) == 1 else f"{caption} of {seen.given[at].name}"
    return Table(columns, tuple(rows[: seen.most]), named, left_out(len(rows), seen.most))
