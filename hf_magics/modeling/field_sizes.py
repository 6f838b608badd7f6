"""Sizes of a config that can't go together: which, and what would fit."""

from __future__ import annotations

import re
from typing import Any

from hf_magics.errors import ConfigError
from hf_magics.modeling.fields import declared, with_parts
from hf_magics.specs import Fields

_COUNTS = re.compile(r"(^|[.])(num_\w+|n_\w+|\w*_layers|\w+_size)$")
MOST_LAYERS = 10_000
_HEAD_SIZES = ("head_dim", "d_kv", "kv_channels", "attention_head_size", "qk_head_dim")


def check_sizes(config: Any, fields: Fields, *, loaded: bool = False) -> None:
    """Refuse sizes that the user set and that can't go together.

    A size that was not given counts with the default that its class declares: what a config derives
    from other sizes is derived anew from those that were given. A ``loaded`` config has its own.

    Raises:
        ConfigError: Naming both fields, their values, and values that would fit.
    """
    for name, value in fields:
        if _COUNTS.search(name) and type(value) is int and value < 0:
            raise ConfigError(f"{name}={value} can't be: it must not be negative")
        if name.endswith("layers") and type(value) is int and value > MOST_LAYERS:
            raise ConfigError(f"{name}={value} is more than can be built: at most {MOST_LAYERS:,}")
    for prefix, part in with_parts(config):
        sizes = (vars(part) if loaded else declared(part)) | _below(fields, prefix)
        given = {name for name in sizes if prefix + name in dict(fields)}
        owner = type(part)
        _check_division(owner, prefix, sizes, given, "hidden_size", "num_attention_heads")
        _check_division(owner, prefix, sizes, given, "num_attention_heads", "num_key_value_heads")


def _below(fields: Fields, prefix: str) -> dict[str, Any]:
    inside = {name.removeprefix(prefix): value for name, value in fields if name.startswith(prefix)}
    return {name: value for name, value in inside.items() if "." not in name}


def _check_division(
    owner: type[Any],
    prefix: str,
    sizes: dict[str, Any],
    given: set[str],
    *wanted: str,
) -> None:
    if wanted[0] == "hidden_size" and any(type(sizes.get(name)) is int for name in _HEAD_SIZES):
        return  # the size of a head is a field of its own: nothing has to divide
    names = [owner.attribute_map.get(name, name) for name in wanted]
    total, count = (sizes.get(name) for name in names)
    if type(total) is not int or type(count) is not int or given.isdisjoint(names):
        return
    if count > 0 and total > 0 and total % count == 0:
        return
    raise ConfigError(
        f"{prefix}{names[0]}={total} can't be split over {prefix}{names[1]}={count}"
        + _that_fits(names, total, count)
    )


def _that_fits(names: list[str], total: int, count: int) -> str:
    for name, size in zip(names, (total, count), strict=True):
        if size <= 0:
            return f": {name} must be at least 1"
    close = _nearest_divisor(total, count)
    upper = (total // count + 1) * count
    return f": {names[0]}={upper} or {names[1]}={close} would fit"


def _nearest_divisor(total: int, count: int) -> int:
    """Return the divisor nearest to a count, the smaller of two: found from there outwards.

    A size that was mistyped may have billions of numbers below it.
    """
    start = min(count, total)
    around = (one for far in range(start) for one in (start - far, start + far))
    return next(one for one in around if total % one == 0)
