"""The keys and values of what a model has read, so that the next turn reads only what is new."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from hf_magics.modeling.weights import weights_mark

_KINDS = (DynamicLayer, DynamicSlidingWindowLayer)


class Memory:
    """Which tokens a model has read, and the keys and values that it computed of them.

    `begin` lends the cache to a generation, and `settle` takes it back: what fails in between
    leaves nothing that could be wrong, and the next turn is read from its first token.
    """

    def __init__(self) -> None:
        self._cache: Cache | None = None
        self._ids: tuple[int, ...] = ()
        self._mark: tuple[Any, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """The tokens whose keys and values are kept."""
        return self._ids

    def begin(self, model: Any, ids: Sequence[int]) -> tuple[Cache | None, int]:
        """Lend a cache for a prompt, and say how many of its first tokens are in it.

        At least one token is left to read. What is kept counts only while the weights are the same,
        on the same device and in the same dtype.

        Args:
            model: The transformers model.
            ids: The whole prompt.

        Returns:
            The cache as ``generate`` takes it in ``past_key_values``, None for a model whose cache
            can't be kept; and a number of tokens.
        """
        mark = weights_mark(model)
        kept, known = self._cache, _common(self._ids, ids[:-1])
        unchanged = mark == self._mark
        self.forget()
        self._mark = mark
        if kept is not None and unchanged and known and trimmed(kept, known):
            return kept, known
        return _fresh(model), 0

    def settle(self, cache: Cache | None, ids: Sequence[int]) -> None:
        """Take a cache back that holds these tokens at least, and cut off what is behind them."""
        if cache is not None and ids and trimmed(cache, len(ids)):
            self._cache, self._ids = cache, tuple(ids)

    def forget(self) -> None:
        """Let go of the cache."""
        self._cache, self._ids, self._mark = None, (), ()


def trimmed(cache: Cache, length: int) -> bool:
    """Cut a cache to its first tokens, and say whether it could be cut.

    A window that has begun to slide can't go back, and a layer that was interrupted between its
    keys and its values is cut to what it has of both. Layers that share the keys of others hold
    none.
    """
    layers = _filled(cache)
    if not layers or not all(_holds(one, length) for one in layers):
        return False
    for layer in layers:
        _cut(layer, length)
    return True


def held(cache: Cache) -> int:
    """Return how many tokens each layer of a cache has the keys and the values of."""
    return min(map(_length, _filled(cache)), default=0)


def _filled(cache: Cache) -> list[Any]:
    return [one for one in cache.layers if getattr(one, "is_initialized", True)]


def _length(layer: Any) -> int:
    return int(layer.get_seq_length()) if _slides(layer) else _both(layer)


def _both(layer: Any) -> int:
    """Return how many tokens have their keys and their values in a layer."""
    return min(layer.keys.shape[-2], layer.values.shape[-2]) if layer.keys.numel() else 0


def _holds(layer: Any, length: int) -> bool:
    if _has_slid(layer):
        return _length(layer) == length
    return type(layer) in _KINDS and length <= min(_length(layer), _both(layer))


def _cut(layer: Any, length: int) -> None:
    if _has_slid(layer):
        return
    if _slides(layer):
        layer.cumulative_length = length
    if layer.keys.shape[-2] != length or layer.values.shape[-2] != length:
        layer.keys = layer.keys[..., :length, :]
        layer.values = layer.values[..., :length, :]


def _slides(layer: Any) -> bool:
    return isinstance(layer, DynamicSlidingWindowLayer)


def _has_slid(layer: Any) -> bool:
    return _slides(layer) and bool(layer.get_seq_length() >= layer.sliding_window)


def _fresh(model: Any) -> Cache | None:
    """Return an empty cache, None where the model's layers keep something else."""
    if model.config.is_encoder_decoder or not model._supports_default_dynamic_cache():  # noqa: SLF001 - has no public name
        return None
    cache = DynamicCache(config=model.config)
    return cache if all(type(one) in _KINDS for one in cache.layers) else None


def _common(known: Sequence[int], ids: Sequence[int]) -> int:
    """Return the length of the beginning that two lists of tokens share."""
    pairs = zip(known, ids, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
