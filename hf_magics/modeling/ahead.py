"""What transformers makes once, at the first load, and what of it can be made before."""

from __future__ import annotations

from transformers.conversion_mapping import get_checkpoint_conversion_mapping


def build() -> None:
    """Let transformers compile its table of weight conversions: a thousand regular expressions.

    It keeps them for the process; every ``from_pretrained`` needs them.
    """
    get_checkpoint_conversion_mapping("")
