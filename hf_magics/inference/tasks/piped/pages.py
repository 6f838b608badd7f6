"""The pages of answers in words: labels, texts, answers to questions."""

from __future__ import annotations

from typing import Any

from hf_magics.display.numbers import number, prob
from hf_magics.display.parts import Bar, Cell, Column, Part, Table
from hf_magics.display.words import left_out, shortened
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.tasks.classify import kind_of
from hf_magics.inference.tasks.piped import pictures
from hf_magics.inference.tasks.piped.seen import (
    MOST_PICTURES,
    Seen,
    image_of,
    notes_on_names,
    thumbs,
)


def labels(seen: Seen) -> Answer:
    """A row an input: the label, its probability, and the next likely ones.

    Without its own labels a checkpoint is noted; a regression gives numbers, no probabilities.
    """
    request = seen.request
    extra = dict(request.spec.extra)
    is_score = "labels" not in request.options and (
        extra.get("function_to_apply") == "none" or kind_of(request.loaded.config) == "regression"
    )
    field = "value" if is_score else "prob"
    small = thumbs(seen)
    rows: list[tuple[Cell, ...]] = []
    for at, answers in enumerate(seen.answers[: seen.most]):
        best, *rest = answers
        then = ", ".join(f"{one['label']} {_score(one['score'], is_score)}" for one in rest)
        score = _score(best["score"], is_score)
        cell: Cell = score if is_score else Bar(best["score"], score)
        rows.append((seen.given[at].name, *small[at], best["label"], cell, then))
    names = ("picture", "label") if any(small) else ("label",)
    measure = "value" if is_score else "probability"
    columns = (Column("input"), *map(Column, names), Column(measure), Column("then"))
    table = Table(columns, tuple(rows), "Labels", left_out(len(seen.answers), seen.most))
    records = [
        {**seen.named(at), "rank": rank, "label": one["label"], field: one["score"]}
        for at, answers in enumerate(seen.answers)
        for rank, one in enumerate(answers, 1)
    ]
    return Answer(
        (table,), records, notes_on_names(seen), tuple(one[0]["label"] for one in seen.answers)
    )


def written(seen: Seen) -> Answer:
    """What was heard or written, a row an input; the pieces with their times where there are."""
    texts = tuple(_text(one) for one in seen.answers)
    questions = any(one.question for one in seen.given)
    small = thumbs(seen)
    rows = tuple(
        (given.name, *thumb, *((given.question,) if questions else ()), shortened(text))
        for given, thumb, text in zip(seen.given[: seen.most], small, texts, strict=False)
    )
    names = ("input", *(("picture",) if any(small) else ()), *(("question",) if questions else ()))
    columns = tuple(map(Column, (*names, "text")))
    pieces = _pieces(seen)
    parts: list[Part] = [Table(columns, rows, "Text", left_out(len(texts), seen.most))]
    if pieces:
        times = (Column("input"), Column("from", "right"), Column("to", "right"), Column("text"))
        cells = tuple(
            (row["name"], _second(row["start"]), _second(row["end"]), row["text"])
            for row in pieces[: seen.most]
        )
        parts.append(Table(times, cells, "Pieces", left_out(len(pieces), seen.most)))
    records = pieces or [{**seen.named(at), "text": text} for at, text in enumerate(texts)]
    return Answer(tuple(parts), records, (), texts, texts)


def replies(seen: Seen) -> Answer:
    """A row an answer to a question on a document or a table."""
    listed = [one if isinstance(one, list) else [one] for one in seen.answers]
    records = [
        {**seen.named(at), "rank": rank, **_reply(one)}
        for at, answers in enumerate(listed)
        for rank, one in enumerate(answers, 1)
    ]
    names = list(dict.fromkeys(name for row in records for name in row))[4:]
    columns = (*map(Column, ("input", "question", *names)),)
    rows = tuple(
        (row["name"], row["question"], *(_cell(name, row.get(name, "")) for name in names))
        for row in records[: seen.most]
    )
    kept = [one for one in seen.given if one.image][:MOST_PICTURES]
    shown = pictures.fitted([image_of(one) for one in kept], [one.name for one in kept])
    table = Table(columns, rows, "Answers", left_out(len(records), seen.most))
    values = tuple(one[0].get("answer") if one else None for one in listed)
    return Answer((table, *shown), records, (), values)


def _score(value: float, is_score: bool) -> str:
    return number(value) if is_score else prob(value)


def _text(answer: Any) -> str:
    first = answer[0] if isinstance(answer, list) else answer
    text = first.get("text", first.get("generated_text", ""))
    return str(text)


def _pieces(seen: Seen) -> list[dict[str, Any]]:
    return [
        {**seen.named(at), **_times(piece["timestamp"]), "text": piece["text"]}
        for at, answer in enumerate(seen.answers)
        if isinstance(answer, dict)
        for piece in answer.get("chunks", ())
    ]


def _times(pair: tuple[Any, Any]) -> dict[str, float | None]:
    """Return a piece's seconds, which numpy counted; the last may have no end."""
    start, end = (None if one is None else float(one) for one in pair)
    return {"start": start, "end": end}


def _second(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _reply(one: dict[str, Any]) -> dict[str, Any]:
    """Return an answer's fields, its score under the name of probabilities."""
    kept = {"answer": one.get("answer") or "", "prob": one.get("score")}
    rest = {name: value for name, value in one.items() if name not in ("answer", "score")}
    return {name: value for name, value in kept.items() if value is not None} | rest


def _cell(name: str, value: Any) -> Cell:
    if name == "prob" and value != "":
        return Bar(value, prob(value))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
