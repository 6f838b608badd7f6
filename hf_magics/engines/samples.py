"""The samples on which a graph is traced and compared, and how far two outputs are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.display.numbers import number, plural
from hf_magics.engines.layout import flatten
from hf_magics.errors import HFMagicsError
from hf_magics.inference import tokenizing
from hf_magics.inference.inputs import Inputs
from hf_magics.modeling.architectures import is_head_for
from hf_magics.modeling.forwarding import parameters_of
from hf_magics.modeling.limits import position_limit
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import embedding_rows

Batch = dict[str, torch.Tensor]

_TEXTS = (
    (
        "The quick brown fox jumps over the lazy dog, and it does so twice.",
        "Which words are these?\tThey are five words.",
        "Hello!",
    ),
    ("A short line.", "Another one, of another length than all of the others that came before it."),
)
_LENGTHS = ((11, 7, 3), (5, 16))
_LONG = 160


def samples(loaded: LoadedModel) -> tuple[Batch, ...]:
    """Return two batches of different shapes with padding, and one with a long line.

    The two hold sentences where the model has a tokenizer that takes them, else token IDs; the long
    line is for models whose attention has a window.
    """
    most = position_limit(loaded.model) or 512
    made = [
        _batch(loaded, texts, tuple(min(one, most) for one in lengths))
        for texts, lengths in zip(_TEXTS, _LENGTHS, strict=True)
    ]
    if made[0].keys() != made[1].keys():
        made = [_from_ids(loaded, lengths) for lengths in _LENGTHS]
    made.append(_long(loaded, made[0], min(most, _LONG)))
    if is_head_for(loaded.model, "multiple-choice"):
        made = [_with_choices(one) for one in made]
    return tuple(made)


def _long(loaded: LoadedModel, like: Batch, length: int) -> Batch:
    found = _from_ids(loaded, (length,))
    return {name: found.get(name, torch.zeros_like(found["input_ids"])) for name in like}


def bare(batch: Batch) -> Batch:
    """Return the last line of a batch without padding, its token IDs alone."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    length = int(mask[-1:].sum(dim=-1).max())
    return {"input_ids": ids[-1:, ..., :length]}


def _batch(loaded: LoadedModel, texts: tuple[str, ...], lengths: tuple[int, ...]) -> Batch:
    if loaded.tokenizer is None:
        return _from_ids(loaded, lengths)
    try:
        found = tokenizing.encode_inputs(loaded, Inputs(texts=texts), None).inputs
    except HFMagicsError:  # a vocabulary that is not the model's, a limit of few tokens
        return _from_ids(loaded, lengths)
    return found if _usable(found) else _from_ids(loaded, lengths)


def _usable(batch: Mapping[str, torch.Tensor]) -> bool:
    return set(batch) >= {"input_ids", "attention_mask"} and batch["input_ids"].shape[1] > 1


def _from_ids(loaded: LoadedModel, lengths: tuple[int, ...]) -> Batch:
    """Return lines of token IDs from all over the vocabulary."""
    rows = embedding_rows(loaded.model) or 2
    draw = torch.Generator().manual_seed(0)
    listed = torch.randint(0, rows, (len(lengths), max(lengths)), generator=draw)
    ids = tuple(tuple(row[:length].tolist()) for row, length in zip(listed, lengths, strict=True))
    made = dict(tokenizing.from_ids(loaded, ids).inputs)
    if getattr(loaded.config, "type_vocab_size", 0) > 1 and takes(loaded.model, "token_type_ids"):
        made["token_type_ids"] = torch.zeros_like(made["input_ids"])
    return made


def takes(model: Any, name: str) -> bool:
    """Say whether a model's ``forward`` has a parameter of that name."""
    return name in parameters_of(model)


def _with_choices(batch: Batch) -> Batch:
    return {name: torch.stack((one, one.flip(0)), dim=1) for name, one in batch.items()}


@dataclass(frozen=True)
class Apart:
    """How far outputs are from those of torch.

    ``largest`` is the largest difference of two numbers, ``relative`` that over the largest of
    torch's numbers in the same tensor; ``cosine`` the least of two vectors. Padding is left out.
    """

    largest: float = 0.0
    relative: float = 0.0
    cosine: float = 1.0
    lines: int = 0

    def __add__(self, other: Apart) -> Apart:
        return Apart(
            max(self.largest, other.largest),
            max(self.relative, other.relative),
            min(self.cosine, other.cosine),
            self.lines + other.lines,
        )

    @property
    def finite(self) -> bool:
        """Whether there is a number for it: a NaN or an infinite value leaves none."""
        return math.isfinite(self.largest) and math.isfinite(self.cosine)


def apart(one: Any, torch_s: Any, batch: Mapping[str, torch.Tensor]) -> Apart:
    """Compare an output with torch's for the same batch."""
    lines = len(batch["input_ids"])
    found = Apart(lines=lines)
    for mine, other in zip(flatten(one), flatten(torch_s), strict=True):
        found += _tensor_apart(mine.float(), other.float(), batch)
    return found


def far_words(far: Apart, *, exact: bool) -> str:
    """Return it as a page says it; what is not ``exact`` is not called so."""
    on = f"on a sample of {plural(far.lines, 'line')}"
    if exact:
        return f"largest difference {number(far.largest)} {on}"
    return (
        f"largest difference {number(far.largest)}, least cosine {far.cosine:.4f} {on}: not exact"
    )


def _tensor_apart(one: torch.Tensor, other: torch.Tensor, batch: Mapping[str, Any]) -> Apart:
    if one.shape != other.shape or not one.numel():
        same = one.shape == other.shape
        return Apart() if same else Apart(math.inf, math.inf, math.nan)
    one, other = _attended(one, batch), _attended(other, batch)
    largest = (one - other).abs().max().item()
    scale = other.abs().max().item()
    dots = torch.nn.functional.cosine_similarity(one, other, dim=-1)
    there = other.norm(dim=-1) > 0
    least = dots[there].min().item() if there.any() else 1.0
    return Apart(largest, largest / max(scale, 1e-6), min(least, 1.0))


def _attended(tensor: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return a tensor with zeros where the input is padding, if it has a row for each token."""
    mask = batch.get("attention_mask")
    if mask is None or tensor.shape[: mask.dim()] != mask.shape:
        return tensor
    spread = mask.reshape(*mask.shape, *[1] * (tensor.dim() - mask.dim()))
    return tensor.masked_fill(spread == 0, 0.0)
