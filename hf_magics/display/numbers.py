"""How numbers read on every page: one format for each kind of number."""

from __future__ import annotations

import math
from collections.abc import Sequence

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_COUNTS = ("", "k", "M", "B", "T")
_STEP, _NEXT_UNIT = 1000, 999.95  # from the second on, one decimal would read 1000.0
_FIXED_FROM, _FIXED_TO = 1e-3, 1e6  # beyond these, four decimals show too little or too much
_MINUTE, _HOUR = 60, 60
_MINUTES_FROM = 59.95  # what would read 60 s
_TIMES = ((0.9995, 1, "s"), (0.9995e-3, 1e3, "ms"), (0, 1e6, "µs"))


def count(number: int) -> str:
    """A whole number with its thousands parted: ``22,713,216``."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number and its noun: ``1 row``, ``2,000 rows``; ``many`` where an s doesn't do."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number_of_bytes: int) -> str:
    """A number of bytes in decimal units: ``90.9 MB``."""
    return _scaled(number_of_bytes, _SIZES)


def short_count(number: int) -> str:
    """A count to three figures or so: ``22.7 M``."""
    return _scaled(number, _COUNTS)


def shape(dimensions: Sequence[int]) -> str:
    """The shape of a tensor: ``3 × 4 × 384``."""
    return " × ".join(map(str, dimensions)) or "scalar"


def number(value: float) -> str:
    """A float with four decimals, or in scientific form where those would hide it."""
    if not math.isfinite(value):
        return str(float(value))
    if value == 0:
        return "0.0000"  # never -0.0000
    if _FIXED_FROM <= abs(value) < _FIXED_TO:
        return f"{value:.4f}"
    return f"{value:.3e}"


def prob(value: float) -> str:
    """Return a probability with four decimals; one that rounds to 0 or 1 says that it is not.

    ``0.9731``, ``<0.0001``, ``>0.9999``.
    """
    if 0 < value < 0.00005:  # noqa: PLR2004 - half of the last decimal
        return "<0.0001"
    if 0.99995 <= value < 1:  # noqa: PLR2004 - as above
        return ">0.9999"
    return f"{value:.4f}"


def seconds(duration: float) -> str:
    """A time in the unit that one thinks in: ``350 µs``, ``34 ms``, ``2.1 s``, ``3 min 5 s``."""
    if duration >= _MINUTES_FROM:
        return _minutes(round(duration))
    factor, unit = next((f, u) for least, f, u in _TIMES if duration >= least)
    return f"{duration * factor:.3g} {unit}"


def _minutes(duration: int) -> str:
    minutes, rest = divmod(duration, _MINUTE)
    if minutes < _HOUR:
        return f"{minutes} min {rest} s"
    return f"{minutes // _HOUR:,} h {minutes % _HOUR} min"


def _scaled(number: int, units: Sequence[str]) -> str:
    if abs(number) < _STEP:
        return f"{number} {units[0]}".rstrip()
    value, power = float(number), 0
    while abs(value) >= _NEXT_UNIT and power < len(units) - 1:
        value, power = value / _STEP, power + 1
    return f"{value:,.1f} {units[power]}"
