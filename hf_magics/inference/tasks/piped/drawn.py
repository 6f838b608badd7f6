"""The pages of answers that are drawn: boxes, segments, depth, points that match."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from hf_magics.display.numbers import number, plural, prob
from hf_magics.display.parts import Bar, Cell, Column, Table
from hf_magics.display.words import left_out
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.tasks.piped import pictures
from hf_magics.inference.tasks.piped.seen import (
    MOST_PICTURES,
    Seen,
    beside,
    image_of,
    notes_on_names,
    notes_on_nothing,
    small_pictures,
    table_of,
)


def boxes(seen: Seen) -> Answer:
    """The image with its boxes, and a row an object; the number on a box is its probability."""
    drawn = [
        pictures.boxed(
            image_of(given),
            [_corners(one["box"]) for one in answers[: seen.most]],
            [f"{one['label']} {prob(one['score'])}" for one in answers[: seen.most]],
        )
        for given, answers in zip(seen.given[:MOST_PICTURES], seen.answers, strict=False)
    ]
    shown = small_pictures(
        seen, drawn, [f"{plural(len(one), 'object')} found" for one in seen.answers]
    )
    columns = (Column("object"), Column("probability"), Column("box (left, top, right, bottom)"))
    tables = [
        table_of(seen, at, columns, [_boxed(one) for one in answers], "Objects")
        for at, answers in enumerate(seen.answers)
    ]
    records = [
        {**seen.named(at), "label": one["label"], "prob": one["score"], **one["box"]}
        for at, answers in enumerate(seen.answers)
        for one in answers
    ]
    values = tuple([one["label"] for one in answers] for answers in seen.answers)
    return Answer(
        beside(shown, tables), records, (*notes_on_nothing(seen), *notes_on_names(seen)), values
    )


def masks(seen: Seen) -> Answer:
    """The image with its segments tinted and numbered, and a row a segment."""
    drawn = [
        pictures.masked(image_of(given), [one["mask"] for one in answers[: seen.most]])
        for given, answers in zip(seen.given[:MOST_PICTURES], seen.answers, strict=False)
    ]
    said = [plural(len(one), "segment") for one in seen.answers]
    shown = small_pictures(seen, drawn, said)
    columns = (
        Column("segment", "right"),
        Column("label"),
        Column("probability"),
        Column("part of the picture"),
    )
    measured = [[_segment(one) for one in answers] for answers in seen.answers]
    tables = [
        table_of(
            seen, at, columns, [_masked(one, rank) for rank, one in enumerate(rows, 1)], "Segments"
        )
        for at, rows in enumerate(measured)
    ]
    records = [
        {**seen.named(at), "segment": rank, **one}
        for at, rows in enumerate(measured)
        for rank, one in enumerate(rows, 1)
    ]
    values = tuple([one["label"] for one in rows] for rows in measured)
    return Answer(
        beside(shown, tables), records, (*notes_on_nothing(seen), *notes_on_names(seen)), values
    )


def from_masks(seen: Seen) -> Seen:
    """Return what mask generation answers in the form of segments: numbered, without labels."""
    answers = tuple(
        [
            {"label": "", "score": float(score), "mask": _as_image(mask)}
            for mask, score in zip(one["masks"], one["scores"], strict=True)
        ]
        for one in seen.answers
    )
    return replace(seen, answers=answers)


def depth(seen: Seen) -> Answer:
    """The image beside the picture of its depth: white is the largest value, black the least."""
    given = seen.given[:MOST_PICTURES]
    images = [image_of(one) for one in given]
    images += [one["depth"] for one in seen.answers[:MOST_PICTURES]]
    names = [f"{one.name}, as given" for one in given] + [f"depth of {one.name}" for one in given]
    drawn = pictures.fitted(images, names)
    ends = [(one["predicted_depth"].float(), one) for one in seen.answers]
    records = [
        {
            **seen.named(at),
            "least": float(values.min()),
            "largest": float(values.max()),
            "mean": float(values.mean()),
        }
        for at, (values, _) in enumerate(ends)
    ]
    rows = tuple(
        (
            row["name"],
            *((drawn[at], drawn[len(given) + at]) if at < len(given) else ("", "")),
            *(number(row[name]) for name in ("least", "largest", "mean")),
        )
        for at, row in enumerate(records[: seen.most])
    )
    measures = (Column(name, "right") for name in ("least (black)", "largest (white)", "mean"))
    columns = (Column("input"), Column("picture"), Column("depth"), *measures)
    table = Table(columns, rows, "Depth", left_out(len(records), seen.most))
    return Answer((table,), records, (), tuple(row["mean"] for row in records))


def matches(seen: Seen) -> Answer:
    """The two images side by side with lines between the points that match, likely ones first."""
    records = [
        {**seen.named(at), **_match(one)} for at, found in enumerate(seen.answers) for one in found
    ]
    drawn = [
        pictures.joined(given.value[0], given.value[1], [_line(one) for one in found[: seen.most]])
        for given, found in zip(seen.given[:MOST_PICTURES], seen.answers, strict=False)
    ]
    said = [plural(len(one), "match", "matches") for one in seen.answers]
    columns = (Column("point of the first"), Column("of the second"), Column("probability"))
    tables = [
        table_of(seen, at, columns, [_matched(_match(one)) for one in found], "Matches")
        for at, found in enumerate(seen.answers)
    ]
    values = tuple(len(one) for one in seen.answers)
    return Answer(beside(small_pictures(seen, drawn, said), tables), records, (), values)


def _corners(box: dict[str, float]) -> pictures.Box:
    return box["xmin"], box["ymin"], box["xmax"], box["ymax"]


def _boxed(one: dict[str, Any]) -> tuple[Cell, ...]:
    corners = ", ".join(map(str, _corners(one["box"])))
    return one["label"], Bar(one["score"], prob(one["score"])), corners


def _segment(one: dict[str, Any]) -> dict[str, Any]:
    box = one["mask"].getbbox() or (0, 0, 0, 0)
    corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return {
        "label": one["label"],
        "prob": one["score"],
        "share": pictures.share(one["mask"]),
        **corners,
    }


def _as_image(mask: Any) -> Image.Image:
    return Image.fromarray(np.asarray(mask).astype(np.uint8) * 255)


def _masked(one: dict[str, Any], rank: int) -> tuple[Cell, ...]:
    likely: Cell = "–" if one["prob"] is None else Bar(one["prob"], prob(one["prob"]))
    return str(rank), one["label"], likely, Bar(one["share"], f"{100 * one['share']:.1f} %")


def _match(one: dict[str, Any]) -> dict[str, Any]:
    first, second = one["keypoint_image_0"], one["keypoint_image_1"]
    names = ("x0", "y0", "x1", "y1")
    return dict(zip(names, (first["x"], first["y"], second["x"], second["y"]), strict=True)) | {
        "prob": one["score"]
    }


def _line(one: dict[str, Any]) -> tuple[float, float, float, float]:
    row = _match(one)
    return row["x0"], row["y0"], row["x1"], row["y1"]


def _matched(row: dict[str, Any]) -> tuple[Cell, ...]:
    first, second = f"{row['x0']:g}, {row['y0']:g}", f"{row['x1']:g}, {row['y1']:g}"
    return first, second, Bar(row["prob"], prob(row["prob"]))
