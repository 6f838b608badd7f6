"""The page of two models side by side: the answer, then the tables that it is drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hf_magics.display.numbers import count, number, plural, seconds, size
from hf_magics.display.parts import Bar, Cell, Column, Fold, Note, Page, Part, Table, Text
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.inside.compare_words import (
    Compared,
    answer,
    block_of,
    changes,
    layers_words,
    listed,
    place_words,
    reasons,
    sentence,
)
from hf_magics.inside.distances import Distance
from hf_magics.inside.output_pairs import TopPair
from hf_magics.inside.running_both import Outputs
from hf_magics.inside.vocabularies import Vocabularies
from hf_magics.inside.weight_pairs import ModulePair
from hf_magics.modeling.configs import value_words
from hf_magics.modeling.results import ModelFacts

_FEW = 20  # modules that are shown one by one
_MOST_NAMED = 40
_APART = (Column("max |Δ|", "right"), Column("cosine", "right"), Column("relative change"))
_RELATIVE = "relative change: the length of the difference as a part of that in {}"


class CompareResult(Shown):
    """Two models side by side; ``.weights`` has a `ModulePair` a module, in the first's order."""

    def __init__(self, compared: Compared, *, notes: Sequence[str], rows: int, code: str) -> None:
        self.compared = compared
        self.code = code
        self._notes = tuple(notes)
        self._rows = rows

    @property
    def weights(self) -> tuple[ModulePair, ...]:
        """The modules that hold weights."""
        return self.compared.weights

    @property
    def outputs_apart(self) -> dict[str, Distance]:
        """How far the outputs are apart, by their names, and the states of layers."""
        ran = self.compared.outputs
        return {**ran.pairs.distances, **ran.pairs.layers} if ran else {}

    @property
    def tops(self) -> tuple[TopPair, ...]:
        """Where the top entry of the logits is another."""
        return tuple(self.compared.outputs.pairs.tops) if self.compared.outputs else ()

    def records(self) -> list[dict[str, Any]]:
        """A row a module with weights: ``max_abs_diff``, ``cosine``, and what else is known."""
        return [pair.record() for pair in self.compared.weights]

    def page(self) -> Page:
        """The answer, then models, outputs, layers, weights, config and tokenizers."""
        one, other = self.compared.names
        said = changes(self.compared)
        parts: list[Part] = [Text(answer(self.compared)), *([Text(said)] if said else [])]
        parts.append(self._models())
        if self.compared.outputs is not None:
            parts += self._outputs(self.compared.outputs)
        parts += [*self._weights(), *self._alone(), self._config(), *self._tokenizers()]
        return Page(f"{one} · {other}", tuple(parts), tuple(Note(one) for one in self._notes))

    def _models(self) -> Table:
        rows = [_facts(one) for one in self.compared.models]
        if self.compared.outputs is not None:
            took = self.compared.outputs.seconds
            for row, duration in zip(rows, took, strict=True):
                row["forward pass"] = seconds(duration)
        both = tuple((name, rows[0][name], rows[1][name]) for name in rows[0])
        kept = tuple(row for row in both if row[1] or row[2])
        columns = (Column("model"), *(Column(name, mono=True) for name in self.compared.names))
        return Table(columns, kept, "Side by side")

    def _outputs(self, ran: Outputs) -> list[Part]:
        pairs, first = ran.pairs, self.compared.names[0]
        parts: list[Part] = []
        if pairs.distances:
            caption = f"Outputs; {_RELATIVE.format(first)}"
            parts.append(_distances("output", pairs.distances, caption))
        if places := _places(ran):
            parts.append(Text(places))
        if pairs.tops:
            parts.append(self._tops(pairs.tops))
        if pairs.layers:
            parts += self._layers(pairs.layers)
        if pairs.not_compared:
            lines = tuple(Text(reason) for reason in reasons(pairs))
            parts.append(Fold("Outputs that can't be compared", lines))
        return parts

    def _layers(self, layers: Mapping[str, Distance]) -> list[Part]:
        caption = "Hidden states; [0] is the embedding, [1] what layer 0 gives"
        said = sentence([layers_words(layers)])
        return [Text(said), _distances("layer", layers, caption)]

    def _tops(self, tops: Sequence[TopPair]) -> Table:
        one, other = self.compared.names
        rows = tuple((place_words(top.place), top.one, top.other) for top in tops[:_FEW])
        left = len(tops) - len(rows)
        columns = (Column("place"), Column(one, mono=True), Column(other, mono=True))
        left_out = f"{plural(left, 'more place')}: .tops has them all" if left else ""
        return Table(
            columns, rows, "Where the top entry is another, with its probability", left_out
        )

    def _weights(self) -> list[Part]:
        differing, first = self.compared.differing, self.compared.names[0]
        same = [pair for pair in self.compared.both if not pair.distance.differs]
        parts: list[Part] = []
        if len(differing) > _FEW:
            blocks = _blocks(self.compared.both)
            caption = f"Weights by block; {_RELATIVE.format(first)}"
            parts.append(_distances("block", blocks, caption))
            most = sorted(differing, key=lambda one: -one.distance.relative)[: self._rows]
            kept = [pair for pair in differing if pair in most]
            table = _modules(kept, "Modules that changed most, in the model's order")
            hidden = len(differing) - len(kept)
            more = (Text(f"{plural(hidden, 'more module')}: .df has them all"),) if hidden else ()
            parts.append(Fold(f"{plural(len(differing), 'module')} that differ", (table, *more)))
        elif differing:
            caption = f"Weights that differ, in the model's order; {_RELATIVE.format(first)}"
            parts.append(_modules(differing, caption))
        if same:
            named = Text(sentence_list((pair.module for pair in same), most=_MOST_NAMED))
            parts.append(Fold(f"{plural(len(same), 'module')} the same", (named,)))
        return parts

    def _alone(self) -> list[Part]:
        """Return what can't be compared: modules of one model alone, and other shapes."""
        parts: list[Part] = []
        for at, name in enumerate(self.compared.names):
            alone = [pair.module for pair in self.compared.weights if pair.only_in == at]
            if alone:
                named = Text(sentence_list(alone, most=_MOST_NAMED))
                parts.append(Fold(f"{plural(len(alone), 'module')} only in {name}", (named,)))
        odd = [pair for pair in self.compared.weights if pair.remarks]
        if odd:
            columns = (Column("module", mono=True), Column("weights"))
            rows = tuple((pair.module, "; ".join(pair.remarks)) for pair in odd[: self._rows])
            left = plural(len(odd) - len(rows), "more module") if odd[self._rows :] else ""
            left = left and f"{left}: .df has them all"
            parts.append(Table(columns, rows, "Weights that can't be compared", left))
        return parts

    def _config(self) -> Part:
        fields = self.compared.fields
        if not fields:
            return Text("Every field of the config is the same.")
        columns = (
            Column("field", mono=True),
            *(Column(name, mono=True) for name in self.compared.names),
        )
        rows = tuple((row.field, value_words(row.value), value_words(row.other)) for row in fields)
        table = Table(columns, rows, "Config fields that differ")
        return table if len(rows) <= _FEW else Fold(f"{len(rows)} config fields differ", (table,))

    def _tokenizers(self) -> list[Part]:
        known, cut = self.compared.vocabularies, self.compared.tokens
        if known is None:
            return [Text("The tokenizers can't be compared: a model has none.")]
        parts: list[Part] = [_tokenizer_words(known)] if known.same else self._vocabularies(known)
        if cut is not None:
            lines = len(next(iter(cut.ids.values())))
            tables = tuple(cut.beside(line) for line in range(min(lines, _FEW)))
            parts.append(Fold(f"{plural(lines, 'line')} cut otherwise", tables))
        return parts

    def _vocabularies(self, known: Vocabularies) -> list[Part]:
        one, other = self.compared.names
        rows: list[tuple[str, str, str]] = [
            ("tokens", count(known.sizes[0]), count(known.sizes[1])),
            ("only there", *(count(some.count) for some in known.only)),  # type: ignore[list-item]
            ("such as", *(listed(some.examples, some.count) for some in known.only)),  # type: ignore[list-item]
            *known.special,
        ]
        kept = tuple(row for row in rows if row[1] not in {"", "0"} or row[2] not in {"", "0"})
        columns = (Column("tokenizer"), Column(one, mono=True), Column(other, mono=True))
        parts: list[Part] = [Table(columns, kept, "Tokenizers")]
        if moved := known.renumbered:
            said = f"{plural(moved.count, 'token')} have another ID: "
            parts += [Text(said + listed(moved.examples, moved.count))] * bool(moved.count)
        if known.rules:
            parts.append(Fold("Steps of the tokenizers that differ", tuple(map(Text, known.rules))))
        return parts


def _facts(one: ModelFacts) -> dict[str, str]:
    return {
        "class": one.head,
        "parameters": count(one.parameters),
        "memory": size(one.memory_bytes),
        "dtype": one.dtype,
        "device": one.device,
        "attention": one.attention,
        "computed by": one.engine,
        "source": one.source,
        "tokenizer": one.tokenizer,
    }


def _distances(what: str, found: Mapping[str, Distance], caption: str) -> Table:
    most = _most(found.values())
    rows = tuple((name, *_cells(far, most)) for name, far in found.items())
    return Table((Column(what, mono=True), *_APART), rows, caption)


def _modules(pairs: Sequence[ModulePair], caption: str) -> Table:
    most = _most([pair.distance for pair in pairs])
    rows = tuple((pair.module, pair.kind, *_cells(pair.distance, most)) for pair in pairs)
    return Table((Column("module", mono=True), Column("class", mono=True), *_APART), rows, caption)


def _blocks(pairs: Sequence[ModulePair]) -> dict[str, Distance]:
    found: dict[str, Distance] = {}
    for pair in pairs:
        name = block_of(pair.module)
        found[name] = found.get(name, Distance()) + pair.distance
    return found


def _cells(far: Distance, most: float) -> tuple[Cell, ...]:
    if not far.differs:
        return ("0", "1", "the same bit by bit" if far.same else "the same in value")
    part = far.relative / most if most and math.isfinite(far.relative) else 0.0
    return (number(far.largest), f"{far.cosine:.6f}", Bar(part, number(far.relative)))


def _most(found: Any) -> float:
    known = [far.relative for far in found if math.isfinite(far.relative)]
    return max(known, default=0.0)


def _places(ran: Outputs) -> str:
    """Return where the main output differs first and most, ``""`` where it has no positions."""
    if ran.first is None or ran.largest is None:
        return ""
    place, gap = ran.largest
    return (
        f"{ran.pairs.main} differs first at {place_words(ran.first)}, and most at "
        f"{place_words(place)}, by {number(gap)}."
    )


def _tokenizer_words(known: Vocabularies) -> Text:
    return Text(
        f"The tokenizers have the same {known.sizes[0]:,} tokens, special tokens and rules."
    )
