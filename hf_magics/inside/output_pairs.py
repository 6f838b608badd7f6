"""What two models give of the same input: each tensor of one beside that of the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import torch

from hf_magics.display.numbers import number, shape
from hf_magics.inference.tensors import walk
from hf_magics.inference.vocabulary import vocabulary_words
from hf_magics.inside.distances import Distance, distance
from hf_magics.modeling.store import LoadedModel

_LAYER = re.compile(r"(?:\w+_)?hidden_states\[\d+\]")
_MAIN = ("logits", "last_hidden_state")
_LINES_ALONE, _WITH_POSITIONS = 2, 3  # dimensions of a tensor


@dataclass(frozen=True)
class Place:
    """A line and a position in it, counted from 0, and the token there, ``""`` if not known."""

    line: int
    position: int
    token: str = ""


@dataclass(frozen=True)
class TopPair:
    """A place where the top entry of the logits is another; ``position`` is -1 of a whole line.

    ``one`` and ``other`` are the entries with their probabilities.
    """

    place: Place
    one: str
    other: str


@dataclass
class OutputPairs:
    """How far the outputs of two models are apart, by the names of their tensors.

    ``main`` is the one that says most. ``gaps`` has, of that, the largest difference at each
    position of each line. ``tops`` are where the top entry differs, of ``judged`` places.
    Padding counts nowhere.
    """

    distances: dict[str, Distance] = field(default_factory=dict)
    layers: dict[str, Distance] = field(default_factory=dict)
    gaps: list[list[float]] = field(default_factory=list)
    tops: list[TopPair] = field(default_factory=list)
    judged: int = 0
    not_compared: dict[str, str] = field(default_factory=dict)

    @property
    def main(self) -> str:
        """The name of the tensor that says most, ``""`` where none can be compared."""
        return next((name for name in (*_MAIN, *self.distances) if name in self.distances), "")

    def first_gap(self) -> Place | None:
        """Return the first place where the main output differs at all."""
        places = (
            Place(line, position)
            for line, gaps in enumerate(self.gaps)
            for position, gap in enumerate(gaps)
            if gap != 0
        )
        return next(places, None)

    def largest_gap(self) -> tuple[Place, float] | None:
        """Return the place where the main output differs most, and by how much."""
        found = [
            (gap, line, position)
            for line, gaps in enumerate(self.gaps)
            for position, gap in enumerate(gaps)
            if gap > 0
        ]
        if not found:
            return None
        gap, line, position = max(found, key=lambda one: one[0])
        return Place(line, position), gap


@dataclass(frozen=True)
class Part:
    """Some lines that were run: the first of them, their IDs and mask, None where there is none.

    ``aligned`` says that both models were given the same tokens.
    """

    start: int
    ids: Any
    mask: Any
    aligned: bool


def add_part(
    found: OutputPairs,
    models: tuple[LoadedModel, LoadedModel],
    outputs: tuple[Any, Any],
    part: Part,
) -> None:
    """Add what both models gave of some lines to what is known of those before."""
    one, other = _tensors(outputs[0]), _tensors(outputs[1])
    for name in dict.fromkeys([*one, *other]):
        reason = _can_not(one.get(name), other.get(name), part, models)
        if reason:
            found.not_compared.setdefault(name, reason)
            continue
        into = found.layers if _LAYER.fullmatch(name) else found.distances
        apart = distance(_real(one[name], part.mask), _real(other[name], part.mask))
        into[name] = into.get(name, Distance()) + apart
    if found.main:
        a, b = one[found.main], other[found.main].to(one[found.main].device)
        _add_gaps(found, a, b, part)
        if found.main == "logits" and a.shape[-1] > 1:
            _add_tops(found, models, (a, b), part)


def _tensors(outputs: Any) -> dict[str, Any]:
    """Return the tensors of an output, without attention maps and what a cache holds."""
    return {
        name: leaf
        for name, leaf in walk(outputs)
        if isinstance(leaf, torch.Tensor)
        and leaf.is_floating_point()
        and leaf.dim()
        and "attentions" not in name
    }


def _can_not(one: Any, other: Any, part: Part, models: tuple[LoadedModel, LoadedModel]) -> str:
    if one is None or other is None:
        return f"only {models[one is None].name} gives it"
    if not part.aligned and _is_by_token(one, part):
        return "the tokens differ"
    if one.shape != other.shape:
        return f"{shape(one.shape)} and {shape(other.shape)}"
    return ""


def _is_by_token(tensor: Any, part: Part) -> bool:
    by_token = part.ids is not None and tensor.shape[:2] == part.ids.shape[:2]
    return bool(by_token) or tensor.dim() > _LINES_ALONE


def _real(tensor: Any, mask: Any) -> Any:
    """Return what stands at tokens and not at padding."""
    if mask is None or tensor.shape[:2] != mask.shape or bool(mask.all()):
        return tensor
    return tensor[mask.to(tensor.device).bool()]


def _add_gaps(found: OutputPairs, one: Any, other: Any, part: Part) -> None:
    if one.dim() < _WITH_POSITIONS:
        return
    for line, (a, b) in enumerate(zip(one, other, strict=True)):
        gaps = (a.float() - b.float()).abs().flatten(1).amax(1)
        found.gaps.append(_real_of(gaps, part.mask, line).tolist())


def _real_of(values: Any, mask: Any, line: int) -> Any:
    if mask is None or mask.shape[1] != values.shape[0]:
        return values
    return torch.where(mask[line].to(values.device).bool(), values, 0.0)


def _add_tops(
    found: OutputPairs,
    models: tuple[LoadedModel, LoadedModel],
    logits: tuple[Any, Any],
    part: Part,
) -> None:
    one, other = (each.argmax(-1) for each in logits)
    counts = torch.ones_like(one, dtype=torch.bool)
    if part.mask is not None and part.mask.shape == one.shape:
        counts = part.mask.to(one.device).bool()
    found.judged += int(counts.sum())
    for at in torch.nonzero((one != other) & counts).tolist():
        here = tuple(at)
        words = [
            _top(model, models[1 - which], each[here])
            for which, (model, each) in enumerate(zip(models, logits, strict=True))
        ]
        place = Place(part.start + at[0], at[1] if len(at) > 1 else -1)
        found.tops.append(TopPair(place, words[0], words[1]))


def _top(loaded: LoadedModel, beside: LoadedModel, logits: Any) -> str:
    """Return the top entry of one row of logits, and its probability.

    Without a tokenizer it has the words of the model beside it, whose tokens it was given.
    """
    chances = torch.softmax(logits.float(), -1)
    value, index = chances.max(-1)
    entry = _entry(loaded, loaded.tokenizer or beside.tokenizer, int(index), logits.shape[-1])
    return f"{entry} {number(float(value))}"


def _entry(loaded: LoadedModel, tokenizer: Any, index: int, width: int) -> str:
    """Return what an entry stands for: a token, a label, else its number."""
    labels = loaded.config.id2label or {}
    if width == getattr(loaded.config.get_text_config(), "vocab_size", None):
        return _token(tokenizer, index)
    return str(labels[index]) if len(labels) == width and index in labels else f"entry {index}"


def token_at(tokenizer: Any, line: list[int], position: int) -> str:
    """Return the token at a position of a line of IDs, ``""`` where that is not known."""
    return _token(tokenizer, line[position]) if 0 <= position < len(line) else ""


def _token(tokenizer: Any, token_id: int) -> str:
    return f"ID {token_id}" if tokenizer is None else vocabulary_words(tokenizer, [token_id])[0]
