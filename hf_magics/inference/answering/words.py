"""What the pages of several tasks say in the same words."""

from __future__ import annotations

from hf_magics.display.numbers import plural
from hf_magics.errors import OptionError
from hf_magics.inference.answering.task import Request, option

_WIDE = 200


def prob(value: float) -> str:
    """Return a probability with four decimals; one that rounds to 0 or 1 says that it is not.

    ``0.9731``, ``<0.0001``, ``>0.9999``.
    """
    if 0 < value < 0.00005:  # noqa: PLR2004 - half of the last decimal
        return "<0.0001"
    if 0.99995 <= value < 1:  # noqa: PLR2004 - as above
        return ">0.9999"
    return f"{value:.4f}"


def named_lines(request: Request, count: int) -> list[str]:
    """Return a name for each of so many inputs: its text, else its number."""
    texts = request.inputs.texts
    return list(texts) if len(texts) == count else [f"input {at}" for at in range(1, count + 1)]


def shortened(text: str) -> str:
    """Return a text at most 200 characters long."""
    return text if len(text) <= _WIDE else f"{text[:_WIDE]}…"


def left_out(count: int, shown: int) -> str:
    """Say how many rows a table leaves out, ``""`` where none."""
    return f"{plural(count - shown, 'more row')}: .df has them all" if count > shown else ""


def need_positive(request: Request, *names: str) -> None:
    """Refuse counts below 1.

    Raises:
        OptionError: Naming the option.
    """
    for name in names:
        value = request.options.get(name)
        if value is not None and value < 1:
            raise OptionError(f"{option(name)} {value}: at least 1 is needed")
