"""Settings: every default of the package as one frozen value.

The magics make it from ``%config HFMagics``; scripts pass one, or take these defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """What is done where a line does not say otherwise.

    The help of each field is the help of the trait of the same name.
    """

    device: str = field(
        default="auto",
        metadata={"help": "where models live: auto (a GPU where there is one), cpu, cuda:1, mps"},
    )
    dtype: str = field(
        default="auto",
        metadata={
            "help": "dtype of the weights: auto (as stored, float32 for a new model), bfloat16, …"
        },
    )
    attn: str = field(
        default="",
        metadata={"help": "attention: eager, sdpa, flash_attention_2; empty: the model's own"},
    )
    rows: int = field(
        default=50,
        metadata={"help": "rows that a table shows before it is cut", "min": 1},
    )
    max_new_tokens: int = field(
        default=256,
        metadata={
            "help": "tokens of a written text at most, where line and checkpoint do not say",
            "min": 1,
        },
    )
    outputs_bytes: int = field(
        default=2**30,
        metadata={
            "help": "bytes of output tensors kept for shown results, newest first",
            "min": 0,
        },
    )
    offline: bool = field(
        default=False,
        metadata={"help": "never ask a hub: use what is in its cache"},
    )


DEFAULTS = Settings()
"""What a script gets that passes no settings."""
