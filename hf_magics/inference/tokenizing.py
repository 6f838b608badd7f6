"""Text or token IDs to the tensors of one batch, and what was cut or borrowed on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch

from hf_magics.display.numbers import plural
from hf_magics.display.words import sentence_list
from hf_magics.errors import InputError, TokenizerError
from hf_magics.inference.asking import asking
from hf_magics.inference.checks import check_ids, check_room, check_rows, check_texts
from hf_magics.inference.cutting import Cut, find_cuts
from hf_magics.inference.encoded import batch_of
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.pairs import split_pair
from hf_magics.inference.told import not_taken, reads_padding, told_to_leave_out, told_to_pad
from hf_magics.modeling.elsewhere import EngineModel
from hf_magics.modeling.limits import position_limit, token_limit
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import embedding_rows
from hf_magics.specs import TokenIds


@dataclass(frozen=True)
class Encoded:
    """One padded batch.

    ``inputs`` is what the model takes: ``input_ids`` and ``attention_mask`` of the shape (lines,
    longest line), and what else the tokenizer gives. ``lengths`` counts each line's tokens without
    padding. ``pad_word`` is the token that was borrowed for padding, ``""`` where there was no
    need. ``padding``, ``leaving_out`` and ``truncation`` are what else the tokenizer was told.
    ``hidden_mask`` is the mask of a model whose ``forward`` takes none: where its tokens stand;
    ``reads_padding`` says that the model's answers depend on what a mask hides, and ``bare`` how
    many pad tokens came with the IDs, where no mask hides them.
    """

    inputs: dict[str, torch.Tensor]
    lengths: tuple[int, ...]
    limit: int | None = None
    cuts: tuple[Cut, ...] = ()
    pad_word: str = ""
    unknown: int = 0
    padding: Mapping[str, Any] = field(default_factory=dict)
    leaving_out: Mapping[str, Any] = field(default_factory=dict)
    truncation: str = "longest_first"
    hidden_mask: torch.Tensor | None = None
    reads_padding: bool = False
    bare: int = 0

    @property
    def mask(self) -> torch.Tensor | None:
        """1 where a token stands, 0 at padding; None of tensors that came without a mask."""
        return self.inputs.get("attention_mask", self.hidden_mask)

    @property
    def apart(self) -> torch.Tensor | None:
        """The mask, where rows of other lengths are run apart, without their padding."""
        mask = self.mask
        is_padded = self.reads_padding and mask is not None and not bool(mask.all())
        return mask if is_padded else None


def encode(
    loaded: LoadedModel,
    texts: Sequence[str],
    max_length: int | None = None,
    truncation: str = "longest_first",
) -> Encoded:
    """Tokenise the texts into one batch, padded on the right, each cut to the limit.

    What the model's ``forward`` has no parameter for, such as token types, is left out.

    Args:
        loaded: A model with its tokenizer.
        texts: One input each; a tab parts a pair.
        max_length: Tokens of one input at most; the model's own limit where it is None.
        truncation: Which text of a pair is cut.

    Raises:
        TokenizerError: The model has no tokenizer.
        InputError: A text is empty or no string, or ``max_length`` is over the model's positions.
    """
    tokenizer = need_tokenizer(loaded)
    check_texts(texts)
    limit = limit_for(loaded, max_length)
    cutting = {"truncation": truncation, "max_length": limit} if limit else {}
    parts = [split_pair(text) for text in texts]
    with asking(loaded), borrowed_pad(tokenizer, len(texts)) as pad_word:
        padding = told_to_pad(loaded.model, tokenizer, len(texts))
        batch = _batch(tokenizer, parts, padding, **cutting)
        lengths = tuple(batch["attention_mask"].sum(dim=1).tolist())
        check_room(lengths, limit)
        cuts = find_cuts(tokenizer, parts, lengths, limit, truncation)
    check_rows(loaded, batch["input_ids"])
    unknown = count_unknown(tokenizer, batch["input_ids"])
    left_out = told_to_leave_out(loaded.model, tokenizer)
    inputs = {name: batch[name] for name in batch if name not in not_taken(loaded.model)}
    told = (padding, left_out, truncation, batch["attention_mask"], reads_padding(loaded.model))
    return Encoded(inputs, lengths, limit, cuts, pad_word, unknown, *told)


def from_ids(loaded: LoadedModel, ids: TokenIds, max_length: int | None = None) -> Encoded:
    """Return the batch for lists of token IDs, padded where their lengths differ.

    Raises:
        InputError: No IDs, or one outside the vocabulary.
    """
    check_ids(ids, vocabulary_size(loaded))
    limit = limit_for(loaded, max_length)
    kept = [line[:limit] for line in ids]
    cuts = tuple(
        Cut(number, len(line) - limit, limit, _decoded(loaded, line[limit:]))
        for number, line in enumerate(ids, 1)
        if limit and len(line) > limit
    )
    lengths = tuple(len(line) for line in kept)
    rows = torch.full((len(kept), max(lengths)), pad_id(loaded), dtype=torch.long)
    mask = torch.zeros_like(rows)
    for row, line in enumerate(kept):
        rows[row, : len(line)] = torch.tensor(line)
        mask[row, : len(line)] = 1
    made = {"input_ids": rows, "attention_mask": mask}
    inputs = {name: made[name] for name in made if name not in not_taken(loaded.model)}
    reads = reads_padding(loaded.model)
    bare = _bare_pads(loaded, kept)
    return Encoded(inputs, lengths, limit, cuts, hidden_mask=mask, reads_padding=reads, bare=bare)


def encode_inputs(loaded: LoadedModel, inputs: Inputs, max_length: int | None) -> Encoded:
    """Return the batch for inputs of any kind; tensors are taken as they are, lists made to some.

    Raises:
        TokenizerError: Text, and the model has no tokenizer.
        InputError: They can't be run.
    """
    if inputs.tensors is not None:
        return _from_tensors(loaded, inputs.tensors)
    if inputs.ids:
        return from_ids(loaded, inputs.ids, max_length)
    return encode(loaded, inputs.texts, max_length)


def _from_tensors(loaded: LoadedModel, tensors: Mapping[str, Any]) -> Encoded:
    tensors = batch_of(tensors)
    strange = [name for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
    if strange or not tensors:
        one = strange[0] if strange else "it"
        raise InputError(f"a dictionary of tensors is needed; {one} is none")
    if "input_ids" in tensors:
        check_rows(loaded, tensors["input_ids"])
    return Encoded(tensors, ())


def need_tokenizer(loaded: LoadedModel) -> Any:
    """Return the model's tokenizer.

    Raises:
        TokenizerError: It has none.
        EngineError: An engine has its own.
    """
    if isinstance(loaded, EngineModel):
        raise loaded.refusal("tokenizer of transformers")
    if loaded.tokenizer is None:
        raise TokenizerError(
            f"{loaded.name} has no tokenizer: load or make it with --tokenizer SOURCE, or give "
            "token IDs with -i VAR"
        )
    return loaded.tokenizer


def vocabulary_size(loaded: LoadedModel) -> int:
    """Return the number of rows of the model's embedding, else the tokenizer's entries."""
    rows = embedding_rows(loaded.model)
    return rows if rows is not None else len(need_tokenizer(loaded))


@contextlib.contextmanager
def borrowed_pad(tokenizer: Any, lines: int) -> Iterator[str]:
    """Lend a tokenizer without a pad token its end token for the length of the block.

    Yields the token that was lent, ``""`` where there was no need.
    """
    if lines == 1 or tokenizer.pad_token_id is not None:
        yield ""
        return
    word = word_to_borrow(tokenizer)
    tokenizer.pad_token = word
    try:
        yield word
    finally:
        tokenizer.pad_token = None


def word_to_borrow(tokenizer: Any) -> str:
    """Return the token that pads where the tokenizer has none for that."""
    return str(tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0))


def notes_on(encoded: Encoded) -> list[str]:
    """Say what was cut, borrowed or unknown."""
    said = [cut.words() for cut in encoded.cuts]
    if encoded.pad_word and len(set(encoded.lengths)) > 1:
        said.append(
            f"the tokenizer has no pad token: {encoded.pad_word!r} was borrowed for padding, which "
            "the attention mask hides"
        )
    if encoded.unknown:
        said.append(unknown_note(encoded.unknown, sum(encoded.lengths)))
    if encoded.bare:
        said.append(
            f"{plural(encoded.bare, 'pad token')} in the IDs, which no mask hides: the model reads "
            "padding as text; leave it out, or give the mask too: the result of %hf_tokens whole, "
            "or a dictionary with input_ids and attention_mask"
        )
    return said


def _batch(tokenizer: Any, parts: list[tuple[str, ...]], padding: Any, **words: Any) -> Any:
    words["return_attention_mask"] = True
    if len({len(part) for part in parts}) == 1:
        columns = [list(column) for column in zip(*parts, strict=True)]
        padding = {"padding": len(parts) > 1, **padding}
        return tokenizer(*columns, **padding, return_tensors="pt", **words)
    each = [tokenizer(*part, **words) for part in parts]
    return tokenizer.pad(each, **padding, return_tensors="pt")


def limit_for(loaded: LoadedModel, max_length: int | None) -> int | None:
    """Return the most tokens of one input: what was asked for, else the model's own limit.

    Raises:
        InputError: ``max_length`` is below 1 or over the model's positions.
    """
    positions = position_limit(loaded.model)
    if max_length is None:
        return token_limit(loaded)
    if max_length < 1:
        raise InputError(f"--max-length {max_length}: at least 1 token is needed")
    if positions and max_length > positions:
        raise InputError(
            f"--max-length {max_length:,} is more than the {positions:,} positions of {loaded.name}"
        )
    return max_length


def count_unknown(tokenizer: Any, ids: torch.Tensor) -> int:
    """Return how many of the IDs stand for what the tokenizer does not know."""
    unknown = unknown_id(tokenizer)
    return 0 if unknown is None else int((ids == unknown).sum())


def unknown_id(tokenizer: Any) -> int | None:
    """Return the ID for what a tokenizer does not know; None where that says something else too."""
    unknown: int | None = tokenizer.unk_token_id
    return None if unknown in {tokenizer.eos_token_id, tokenizer.pad_token_id} else unknown


def unknown_note(unknown: int, total: int) -> str:
    """Say how many of the tokens are unknown."""
    verb = "is" if unknown == 1 else "are"
    return f"{unknown:,} of {total:,} tokens {verb} unknown to the tokenizer"


def _bare_pads(loaded: LoadedModel, lines: Sequence[Sequence[int]]) -> int:
    """Return how many pad tokens begin or end the lines of IDs."""
    tokenizer = loaded.tokenizer
    pad = getattr(tokenizer, "pad_token_id", None)
    others = ("eos_token_id", "bos_token_id", "sep_token_id", "cls_token_id", "unk_token_id")
    if pad is None or pad in {getattr(tokenizer, name, None) for name in others}:
        return 0  # such a token also stands for something else
    if "attention_mask" in not_taken(loaded.model):
        return 0
    ends = (side for line in lines if set(line) != {pad} for side in (line, line[::-1]))
    return sum(1 for side in ends for _ in takewhile(lambda one: one == pad, side))


def _decoded(loaded: LoadedModel, ids: Sequence[int]) -> str:
    if loaded.tokenizer is None:
        return sentence_list(map(str, ids))
    return str(loaded.tokenizer.decode(ids))


def pad_id(loaded: LoadedModel) -> int:
    """Return the ID that pads rows of token IDs."""
    if loaded.tokenizer is not None and loaded.tokenizer.pad_token_id is not None:
        return int(loaded.tokenizer.pad_token_id)
    return int(getattr(loaded.config.get_text_config(), "pad_token_id", None) or 0)
