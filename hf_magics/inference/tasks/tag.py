"""Token classification: the words of a text with their labels, and what entities they make."""

from __future__ import annotations

from typing import Any

from hf_magics.display.numbers import prob
from hf_magics.display.parts import Bar, Cell, Column, Marked, Part, Span, Table, Text
from hf_magics.display.words import left_out, nearest, shortened
from hf_magics.errors import OptionError
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.entities import AGGREGATES, Entity, entities_of
from hf_magics.inference.answering.marked import marked_lines
from hf_magics.inference.answering.sub_tokens import Line, read_lines
from hf_magics.inference.answering.task import Done, Request, Task
from hf_magics.inference.snippets import mask_code
from hf_magics.inference.tasks.classify import notes_on_labels


class Tag(Task):
    """Softmax over the labels of each token; words merged from sub-tokens; entities of words."""

    name = "token-classification"
    column = "entities"
    options = ("aggregate",)
    reads = ("texts", "ids")

    def check(self, request: Request) -> None:
        """Refuse an unknown ``--aggregate``."""
        super().check(request)
        asked = request.options.get("aggregate", AGGREGATES[0])
        if asked not in AGGREGATES:
            raise OptionError(
                f"no --aggregate '{asked}'{nearest(asked, AGGREGATES)}; there are: "
                f"{', '.join(AGGREGATES)}"
            )

    def answer(self, done: Done) -> Answer:
        """Return the texts with their entities in place, and a row an entity."""
        config, most = done.request.loaded.config, done.request.settings.rows
        aggregate = done.request.options.get("aggregate", AGGREGATES[0])
        scores = done.outputs["logits"].float().softmax(dim=-1).cpu().numpy()
        found = [
            (line, entities_of(line, rows, config.id2label, aggregate))
            for line, rows in zip(read_lines(done), scores, strict=True)
        ]
        records = [
            _record(number, line, one)
            for number, (line, entities) in enumerate(found, 1)
            for one in entities
        ]
        values = tuple(
            [(line.text[one.start : one.end], one.label) for one in entities]
            for line, entities in found
        )
        texts = marked_lines([_marked(*one) for one in found], most)
        parts = (texts, _entities(records, len(found), most))
        return Answer(parts, records, notes_on_labels(config), values)

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return logits to a label a token, padding left out."""
        return (
            f"best, mask = outputs.logits.argmax(dim=-1), {mask_code(done.encoded)}.bool()",
            "# a label a token; TokenClassificationPipeline makes words and entities of them",
            "labels = []",
            "for row, kept in zip(best, mask):",
            "    labels.append([model.config.id2label[i] for i in row[kept].tolist()])",
        )


def _marked(line: Line, entities: list[Entity]) -> Marked:
    spans = (
        Span(one.start, one.end, f"{one.label} {prob(one.prob)}", one.label, one.prob)
        for one in entities
    )
    return Marked(line.text, tuple(spans))


def _record(number: int, line: Line, entity: Entity) -> dict[str, Any]:
    """Return a row; it has no place in a text that was put together from tokens."""
    return {
        "line": number,
        "entity": line.text[entity.start : entity.end],
        "label": entity.label,
        "prob": entity.prob,
        "start": entity.start if line.given else None,
        "end": entity.end if line.given else None,
    }


def _entities(records: list[dict[str, Any]], lines: int, most: int) -> Part:
    if not records:
        return Text("No entity was found: every word is labelled O.")
    several, placed = lines > 1, records[0]["start"] is not None
    columns = (
        *([Column("line", "right")] if several else []),
        Column("entity"),
        Column("label"),
        Column("probability"),
        *([Column("characters", "right")] if placed else []),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *([str(row["line"])] if several else []),
            shortened(row["entity"]),
            row["label"],
            Bar(row["prob"], prob(row["prob"])),
            *([f"{row['start']}–{row['end']}"] if placed else []),
        )
        for row in records[:most]
    ]
    return Table(columns, tuple(rows), "Entities", left_out(len(records), most))
