"""Prompts to one batch, padded on the left for decoders, and how much room is left behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.errors import InputError
from hf_magics.inference import checks, tokenizing
from hf_magics.inference.asking import asking
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.inputs import Inputs
from hf_magics.modeling.limits import position_limit
from hf_magics.modeling.store import LoadedModel

_TAKEN = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class Prompts:
    """One padded batch of prompts.

    ``inputs`` are ``input_ids`` and ``attention_mask`` of the shape (prompts, longest prompt), and
    what else ``generate`` takes; ``lengths`` counts tokens without padding; ``texts`` are what the
    page shows. ``pad_id`` pads what is finished early, None where the model has one for that;
    ``pad_word`` is a token that was borrowed for it. ``dropped`` are what the tokenizer gives and
    the model does not take.
    """

    inputs: Mapping[str, torch.Tensor]
    lengths: tuple[int, ...]
    texts: tuple[str, ...] = ()
    pad_id: int | None = None
    pad_word: str = ""
    dropped: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The columns of the batch."""
        return int(self.inputs["input_ids"].shape[1])


def encode_prompts(loaded: LoadedModel, inputs: Inputs) -> Prompts:
    """Tokenise the prompts as they are: none is cut, and a tab is a tab.

    Raises:
        TokenizerError: Text, and the model has no tokenizer.
        InputError: Nothing to write on, or it can't be run.
    """
    if inputs.tensors is not None:
        return _from_tensors(loaded, inputs.tensors)
    if inputs.ids:
        return from_ids(loaded, [list(line) for line in inputs.ids])
    tokenizer = tokenizing.need_tokenizer(loaded)
    checks.check_texts(inputs.texts)
    with (
        asking(loaded),
        tokenizing.borrowed_pad(tokenizer, len(inputs.texts)) as pad_word,
    ):
        batch = tokenizer(
            list(inputs.texts),
            padding=len(inputs.texts) > 1,
            padding_side=padding_side(loaded),
            return_tensors="pt",
            return_attention_mask=True,
        )
    kept = {name: batch[name] for name in _TAKEN}
    checks.check_rows(loaded, kept["input_ids"])
    lengths = tuple(kept["attention_mask"].sum(dim=1).tolist())
    dropped = tuple(name for name in batch if name not in _TAKEN)
    return Prompts(kept, lengths, inputs.texts, _pad_id(loaded), pad_word, dropped)


def from_ids(loaded: LoadedModel, lines: list[list[int]]) -> Prompts:
    """Return the batch for lists of token IDs.

    Raises:
        InputError: No IDs, or one outside the vocabulary.
    """
    checks.check_ids(tuple(tuple(line) for line in lines), tokenizing.vocabulary_size(loaded))
    width = max(map(len, lines))
    pad = _pad_id(loaded) or 0
    left = padding_side(loaded) == "left"
    rows, masks = [], []
    for line in lines:
        gap = [pad] * (width - len(line))
        hidden, seen = [0] * len(gap), [1] * len(line)
        rows.append(gap + line if left else line + gap)
        masks.append(hidden + seen if left else seen + hidden)
    tensors = {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(masks)}
    return Prompts(tensors, tuple(map(len, lines)), _texts(loaded, lines), _pad_id(loaded))


def padding_side(loaded: LoadedModel) -> str:
    """Return the side on which the model's prompts are padded."""
    return padding_of(decoder=not loaded.config.is_encoder_decoder)


def padding_of(*, decoder: bool) -> str:
    """Return ``left`` for a decoder, which goes on where the prompt ends."""
    return "left" if decoder else "right"


def fitted(loaded: LoadedModel, prompts: Prompts, plan: Plan) -> Plan:
    """Return the plan with a limit for which the model has positions.

    Raises:
        InputError: A prompt is too long; the message names the line, its tokens and the positions.
    """
    positions = position_limit(loaded.model)
    decoder = not loaded.config.is_encoder_decoder
    taken = prompts.width if decoder else 1
    limit = plan.limit if plan.max_length is None else plan.max_length - taken
    if limit < 1:
        raise InputError(
            f"the prompt has {taken:,} tokens, and max_length is {plan.max_length:,} with it: "
            "--max-new-tokens N counts what is written alone"
        )
    plan = dataclasses.replace(plan, limit=limit)
    if positions is None:
        return plan
    check_lengths(loaded.name, prompts.lengths, positions, decoder=decoder)
    return within(plan, loaded.name, positions, taken)


def within(plan: Plan, name: str, positions: int, taken: int) -> Plan:
    """Return the plan with a limit for which there is room behind ``taken`` positions."""
    limit, room = plan.limit, positions - taken
    if limit <= room:
        return plan
    if not plan.asked:
        return dataclasses.replace(plan, limit=room)
    note = (
        f"at most {room:,} tokens are written, not {limit:,}: with the prompt's "
        f"{taken:,} the {positions:,} positions of {name} are full"
    )
    return dataclasses.replace(plan, limit=room, notes=(*plan.notes, note))


def check_lengths(
    name: str, lengths: tuple[int, ...], positions: int, *, decoder: bool = True
) -> None:
    """Refuse a prompt that is longer than the positions.

    Raises:
        InputError: Naming the line.
    """
    most = positions - 1 if decoder else positions
    for line, length in enumerate(lengths, 1):
        if length > most:
            raise InputError(
                f"line {line} has {length:,} tokens, and {name} has {positions:,} positions"
                + (", of which one has to be left to write in" if length == positions else "")
                + ": shorten it"
            )


def _from_tensors(loaded: LoadedModel, tensors: Mapping[str, Any]) -> Prompts:
    encoded = tokenizing.encode_inputs(loaded, Inputs(tensors=tensors), None)
    ids = encoded.inputs.get("input_ids")
    if ids is None or ids.dim() != 2:  # noqa: PLR2004 - rows and columns
        raise InputError("the dictionary has no 'input_ids' of the shape (prompts, tokens)")
    mask = encoded.inputs.get("attention_mask", torch.ones_like(ids))
    if not loaded.config.is_encoder_decoder and not bool(mask[:, -1].all()):
        raise InputError("the prompts are padded on the right: a decoder needs them on the left")
    kept = {**encoded.inputs, "input_ids": ids, "attention_mask": mask}
    kept.pop("token_type_ids", None)
    lines = [row[seen.bool()].tolist() for row, seen in zip(ids, mask, strict=True)]
    return Prompts(kept, tuple(map(len, lines)), _texts(loaded, lines), _pad_id(loaded))


def _texts(loaded: LoadedModel, lines: list[list[int]]) -> tuple[str, ...]:
    if loaded.tokenizer is None:
        return tuple(" ".join(map(str, line)) for line in lines)
    with loaded.lock:
        return tuple(str(loaded.tokenizer.decode(line)) for line in lines)


def _pad_id(loaded: LoadedModel) -> int | None:
    """Return what to pad with where the model's ``generation_config`` does not say."""
    own = loaded.model.generation_config
    if own.pad_token_id is not None:
        return None
    if loaded.tokenizer is not None:
        with loaded.lock:
            known = loaded.tokenizer.pad_token_id
            if known is None:
                known = loaded.tokenizer.eos_token_id
        if known is not None:
            return int(known)
    end = own.eos_token_id
    return int(end[0] if isinstance(end, list) else end) if end is not None else 0
