"""What two models differ in, in a sentence: the answer that stands first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hf_magics.display.numbers import number, plural
from hf_magics.display.words import sentence_list
from hf_magics.inference.token_pages import ComparedTokens
from hf_magics.inside.distances import Distance
from hf_magics.inside.output_pairs import OutputPairs, Place
from hf_magics.inside.running_both import Outputs
from hf_magics.inside.vocabularies import Vocabularies
from hf_magics.inside.weight_pairs import ModulePair
from hf_magics.modeling.configs import FieldRow
from hf_magics.modeling.results import ModelFacts

_MOST_NAMED = 3
_FEW = 1.5  # times the median: what stands out of changes that are all alike


@dataclass(frozen=True)
class Compared:
    """Two models in numbers and strings.

    ``fields`` are those of the configs that differ; ``vocabularies`` is None where a model has no
    tokenizer, ``tokens`` where there is no line that they cut otherwise, and ``outputs`` where
    nothing was run.
    """

    models: tuple[ModelFacts, ModelFacts]
    weights: tuple[ModulePair, ...]
    fields: tuple[FieldRow, ...]
    vocabularies: Vocabularies | None
    tokens: ComparedTokens | None
    outputs: Outputs | None

    @property
    def names(self) -> tuple[str, str]:
        """What the models are called."""
        return self.models[0].name, self.models[1].name

    @property
    def both(self) -> tuple[ModulePair, ...]:
        """The modules with weights that both have in one shape."""
        return tuple(pair for pair in self.weights if pair.compared)

    @property
    def differing(self) -> tuple[ModulePair, ...]:
        """Those of them with a value that is another."""
        return tuple(pair for pair in self.both if pair.distance.differs)


def answer(compared: Compared) -> str:
    """Return what differs, in one sentence."""
    return sentence([_architecture(compared), *_weights(compared), *_outputs(compared)])


def sentence(said: Sequence[str]) -> str:
    """Return what is said as one sentence, ``""`` where nothing is."""
    whole = "; ".join(said)
    return f"{whole[0].upper()}{whole[1:]}." if whole else ""


def changes(compared: Compared) -> str:
    """Return which modules changed most and how many did not, ``""`` where none did."""
    differing, both = compared.differing, compared.both
    if not differing:
        return ""
    same = [pair for pair in both if not pair.distance.differs]
    said = [f"{len(same)} of {plural(len(both), 'module')} {_same_words(same)}"] * bool(same)
    most = sorted(differing, key=lambda pair: -pair.distance.relative)[:_MOST_NAMED]
    if _stands_out(differing):
        named = (f"{one.module} ({number(one.distance.relative)})" for one in most)
        said.append(f"changed most, as a part of their length: {sentence_list(named)}")
    return sentence(said)


def place_words(place: Place) -> str:
    """Return a line, which counts from 1, and a position, which counts from 0."""
    if place.position < 0:
        return f"line {place.line + 1}"
    token = f" ({place.token})" if place.token else ""
    return f"line {place.line + 1}, position {place.position}{token}"


def layers_words(layers: Mapping[str, Distance]) -> str:
    """Return from which layer on the hidden states differ."""
    begun = next((name for name, far in layers.items() if far.differs), "")
    said = f"differ from {begun} on" if begun else "are the same in every layer"
    return f"hidden states {said}"


def block_of(path: str) -> str:
    """Return the block of a module, ``encoder.layer.4``, else the first step of its path."""
    found = re.match(r"(.*?\.\d+)(\.|$)", path)
    return found[1] if found else path.partition(".")[0]


def reasons(pairs: OutputPairs) -> list[str]:
    """Return why outputs can't be compared, those of one reason together."""
    by_reason: dict[str, dict[str, None]] = {}
    for name, reason in pairs.not_compared.items():
        by_reason.setdefault(reason, {})[re.sub(r"\[\d+\]$", "", name)] = None
    return [
        f"{sentence_list(names, most=_MOST_NAMED)}: {reason}" for reason, names in by_reason.items()
    ]


def _architecture(compared: Compared) -> str:
    one, other = compared.models
    if one.head != other.head:
        return f"different classes: {one.head} and {other.head}"
    if all(pair.only_in is None and not pair.remarks for pair in compared.weights):
        return "the same architecture"
    return f"the same class, {one.head}, with other weights"


def _weights(compared: Compared) -> list[str]:
    both, differing = compared.both, compared.differing
    if not both and any(pair.only_in is None for pair in compared.weights):
        return ["no weight of the two can be compared"]
    if not both:
        return ["no module of the one has a counterpart in the other"]
    said = [_differing(both, differing)]
    for at, name in enumerate(compared.names):
        alone = sum(pair.only_in == at for pair in compared.weights)
        said += [f"{plural(alone, 'module')} only in {name}"] * bool(alone)
    shaped = sum(bool(pair.remarks) for pair in compared.weights)
    said += [f"{plural(shaped, 'module')} with weights that can't be compared"] * bool(shaped)
    return said


def _differing(both: Sequence[ModulePair], differing: Sequence[ModulePair]) -> str:
    if not differing:
        return f"all {plural(len(both), 'module')} {_same_words(both)}"
    rounded = {pair.rounded_to for pair in differing}
    how = ""
    if len(rounded) == 1 and (dtype := rounded.pop()):
        how = f" by no more than the rounding to {dtype}"
    verb = "differs" if len(differing) == 1 else "differ"
    if len(differing) == len(both) > 1:
        return f"all {plural(len(both), 'module')} differ{how}"
    first = differing[0].module
    return f"{len(differing)} of {plural(len(both), 'module')} {verb}{how}, first {first}"


def _same_words(pairs: Sequence[ModulePair]) -> str:
    verb = "is" if len(pairs) == 1 else "are"
    bits = all(pair.distance.same for pair in pairs)
    return f"{verb} the same bit by bit" if bits else f"{verb} the same in value"


def _stands_out(differing: Sequence[ModulePair]) -> bool:
    """Say whether some changed more than most did; of a cast to another dtype none does."""
    found = sorted(pair.distance.relative for pair in differing)
    return found[-1] > _FEW * found[len(found) // 2] or len(found) <= _MOST_NAMED


def _outputs(compared: Compared) -> list[str]:
    ran = compared.outputs
    if ran is None:
        return []
    took = f"{compared.names[1]} takes {ran.seconds[1] / ran.seconds[0]:.2f} times as long"
    pairs = ran.pairs
    if not pairs.main and pairs.layers:
        return [layers_words(pairs.layers), took]
    if not pairs.main:
        return [f"no output can be compared ({sentence_list(reasons(pairs), most=2)})", took]
    return [_apart(pairs.main, pairs.distances[pairs.main]), *_tops(pairs), took]


def _apart(name: str, far: Distance) -> str:
    if not far.differs:
        return f"{name} is the same {'bit by bit' if far.same else 'in value'}"
    return f"{name} differs by at most {number(far.largest)} (cosine {far.cosine:.6f})"


def _tops(pairs: OutputPairs) -> list[str]:
    if not pairs.judged:
        return []
    if not pairs.tops:
        return [f"the top entry is the same at {_all_places(pairs.judged)}"]
    first = place_words(pairs.tops[0].place)
    places = f"{len(pairs.tops):,} of {plural(pairs.judged, 'place')}"
    return [f"the top entry is another at {places}, first at {first}"]


def _all_places(judged: int) -> str:
    return f"all {judged:,} places" if judged > 1 else "the one place there is"


def listed(words: Iterable[str], count: int) -> str:
    """Return examples, and how many more there are."""
    shown = list(words)
    more = count - len(shown)
    return "  ".join(shown) + (f"  and {more:,} more" if more else "")
