"""Where the tokens of a forward pass are: how many rows and tokens, and which are padding.

A model in a model (an encoder, a decoder, what reads the pictures) has tokens of its own, so each
gets a scope while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.modeling.forwarding import parameters_of


@dataclass(frozen=True)
class Span:
    """Rows of tokens.

    ``rows`` and ``width`` are 0 where the inputs don't say, as those of pictures; ``mask`` is a
    bool for each token, of the shape (rows, width), None where there is no padding; ``readable``
    is False where a mask is there that says something else. ``sizes`` are the numbers of the
    config: what is no number of tokens.
    """

    rows: int = 0
    width: int = 0
    mask: torch.Tensor | None = None
    readable: bool = True
    sizes: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Scope:
    """The tokens of a model that runs, and of the ``states`` that a decoder reads of an encoder."""

    own: Span
    states: torch.Tensor | None = None
    other: Span | None = None

    def spans(self, given: Any) -> tuple[Span, ...]:
        """Return the tokens that a module's output may have, the likelier first.

        Args:
            given: What the module was given; keys and values of an encoder's states are of its
                tokens, also where both texts are as long.
        """
        if self.other is None:
            return (self.own,)
        both = (self.own, self.other)
        return both[::-1] if given is self.states else both


NOWHERE = Scope(Span())
"""A module that is called outside of any model."""


def scope_of(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Scope:
    """Return the tokens of a model that is called with these arguments."""
    given = _arguments(model, args, kwargs)
    side = "decoder_" if "decoder_input_ids" in parameters_of(model) else ""
    ids = _first(given, f"{side}input_ids", f"{side}inputs_embeds")
    sizes = _sizes(getattr(model, "config", None))
    own = _span(ids, given.get(f"{side}attention_mask"), sizes)
    states = given.get("encoder_hidden_states")
    if not isinstance(states, torch.Tensor):
        return Scope(own)
    return Scope(own, states, _span(states, given.get("encoder_attention_mask"), sizes))


def _arguments(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    names = [
        name for name, one in parameters_of(model).items() if one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _first(given: Mapping[str, Any], *names: str) -> torch.Tensor | None:
    found = (given.get(name) for name in names)
    return next((one for one in found if isinstance(one, torch.Tensor) and one.dim() > 1), None)


def _span(ids: torch.Tensor | None, mask: Any, sizes: frozenset[int]) -> Span:
    """Return the tokens of ``ids``, which may be vectors, under their mask.

    A mask that is wider than the tokens counts those of a key-value cache first.
    """
    rows, width = ids.shape[:2] if ids is not None else (0, 0)
    if not isinstance(mask, torch.Tensor):
        return Span(rows, width, readable=mask is None, sizes=sizes)
    rows, width = (rows, width) if ids is not None else tuple(mask.shape[:2])
    if mask.dim() != 2 or mask.shape[0] != rows or mask.shape[1] < width:  # noqa: PLR2004
        return Span(rows, width, readable=False, sizes=sizes)
    hidden = mask[:, -width:].bool()
    return Span(rows, width, None if bool(hidden.all()) else hidden, sizes=sizes)


def _sizes(config: Any) -> frozenset[int]:
    values = vars(config).values() if config is not None else ()
    return frozenset(one for one in values if type(one) is int)
