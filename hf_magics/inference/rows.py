"""Texts tokenised one by one, without padding: what batches of any kind are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.inference import tokenizing
from hf_magics.inference.asking import asking
from hf_magics.inference.batching import Batch
from hf_magics.inference.checks import check_ids, check_room, check_rows, check_texts
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.pairs import split_pair
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inference.told import not_taken, reads_last
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import embedding_rows


@dataclass(frozen=True)
class Rows:
    """Token IDs, and what else the tokenizer gives, as lists: no torch is at work here.

    ``cut`` are the numbers of the rows that the limit cut; ``masked`` says whether the model takes
    a mask, ``left`` that its head reads the last place, so that padding goes before the text.
    """

    columns: dict[str, list[list[int]]]
    lengths: tuple[int, ...]
    pads: dict[str, int]
    limit: int | None
    cut: tuple[int, ...] = ()
    masked: bool = True
    left: bool = False

    def batch(self, rows: Batch) -> Encoded:
        """Return some rows as one batch, padded to the longest, with its mask."""
        lengths = tuple(self.lengths[row] for row in rows)
        width = max(lengths)
        inputs = {
            name: torch.tensor(
                _padded([lines[row] for row in rows], width, self.pads[name], left=self.left)
            )
            for name, lines in self.columns.items()
        }
        reach, place = torch.tensor(lengths)[:, None], torch.arange(width)
        mask = ((width - 1 - place if self.left else place) < reach).long()
        if self.masked:
            inputs["attention_mask"] = mask
        return Encoded(inputs, lengths, self.limit, hidden_mask=mask)


def tokenise(loaded: LoadedModel, inputs: Inputs, max_length: int | None = None) -> Rows:
    """Tokenise texts, or take token IDs, a row each, cut to the limit.

    Raises:
        TokenizerError: Text, and the model has no tokenizer.
        InputError: A text is empty or none, or an ID is outside the vocabulary.
    """
    if inputs.ids:
        return _from_ids(loaded, inputs, max_length)
    tokenizer = tokenizing.need_tokenizer(loaded)
    check_texts(inputs.texts)
    limit = tokenizing.limit_for(loaded, max_length)
    cutting = {"truncation": "longest_first", "max_length": limit} if limit else {}
    parts = [split_pair(text) for text in inputs.texts]
    with asking(loaded):
        batch = _tokenised(tokenizer, parts, cutting)
        cut = _cut(tokenizer, parts, batch["input_ids"], limit)
    left_out = {*not_taken(loaded.model), "attention_mask"}
    columns = {name: lines for name, lines in batch.items() if name not in left_out}
    lengths = tuple(map(len, columns["input_ids"]))
    check_room(lengths, limit)
    _check_embedded(loaded, columns["input_ids"])
    pads = {name: _pads(tokenizer).get(name, 0) for name in columns}
    return Rows(columns, lengths, pads, limit, cut, **_of_model(loaded.model))


def _of_model(model: Any) -> dict[str, bool]:
    masked = "attention_mask" not in not_taken(model)
    return {"masked": masked, "left": reads_last(model)}


def _check_embedded(loaded: LoadedModel, lines: Sequence[list[int]]) -> None:
    """Refuse token IDs that the embedding does not have: on a GPU such a one ends the session."""
    rows = embedding_rows(loaded.model)
    highest = max((max(line) for line in lines if line), default=0)
    if rows is not None and highest >= rows:
        check_rows(loaded, torch.tensor([[highest]]))


def _tokenised(
    tokenizer: Any, parts: Sequence[tuple[str, ...]], words: dict[str, Any]
) -> dict[str, list[list[int]]]:
    words = {**words, "verbose": False, "padding": False}
    if len({len(part) for part in parts}) == 1:
        chunks = (parts[at : at + _AT_ONCE] for at in range(0, len(parts), _AT_ONCE))
        found = [dict(tokenizer(*map(list, zip(*one, strict=True)), **words)) for one in chunks]
        return {name: [line for one in found for line in one[name]] for name in found[0]}
    each = [tokenizer(*part, **words) for part in parts]
    return {name: [one[name] for one in each] for name in each[0]}


_AT_ONCE = 1_024  # texts: a tokenizer's own notes of a batch take ten times its token IDs


def _pads(tokenizer: Any) -> dict[str, int]:
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = tokenizer.convert_tokens_to_ids(tokenizing.word_to_borrow(tokenizer))
    return {"input_ids": int(pad), "token_type_ids": int(tokenizer.pad_token_type_id)}


def _from_ids(loaded: LoadedModel, inputs: Inputs, max_length: int | None) -> Rows:
    check_ids(inputs.ids, tokenizing.vocabulary_size(loaded))
    limit = tokenizing.limit_for(loaded, max_length)
    kept = [list(line[:limit]) for line in inputs.ids]
    pads = {"input_ids": tokenizing.pad_id(loaded)}
    cut = tuple(row for row, line in enumerate(inputs.ids) if limit and len(line) > limit)
    lengths = tuple(map(len, kept))
    return Rows({"input_ids": kept}, lengths, pads, limit, cut, **_of_model(loaded.model))


def _cut(
    tokenizer: Any, parts: Sequence[tuple[str, ...]], lines: list[list[int]], limit: int | None
) -> tuple[int, ...]:
    """Return the rows that are longer without the limit, of those that are as long as it."""
    full = [row for row, line in enumerate(lines) if len(line) == limit]
    if limit is None or not full:
        return ()
    starts = {row: tuple(part[: limit * _ENOUGH] for part in parts[row]) for row in full}
    lengths = _lengths(tokenizer, starts)
    unsure = {
        row: parts[row] for row in full if starts[row] != parts[row] and lengths[row] < 2 * limit
    }
    lengths |= _lengths(tokenizer, unsure)
    return tuple(row for row in full if lengths[row] > limit)


_ENOUGH = 32  # characters a token: where these give twice the limit, the end adds what it may


def _lengths(tokenizer: Any, parts: Mapping[int, tuple[str, ...]]) -> dict[int, int]:
    """Return how many tokens each row has."""
    lines = _tokenised(tokenizer, list(parts.values()), {})["input_ids"] if parts else []
    return dict(zip(parts, map(len, lines), strict=True))


def _padded(lines: Sequence[list[int]], width: int, value: int, *, left: bool) -> list[list[int]]:
    short = ([value] * (width - len(line)) for line in lines)
    if left:
        return [pads + line for pads, line in zip(short, lines, strict=True)]
    return [line + pads for pads, line in zip(short, lines, strict=True)]
