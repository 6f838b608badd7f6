"""The config of a checkpoint, read and checked before anything is built from it."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig

from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.damage import check_config, check_gguf
from hf_magics.modeling.refusals import config_error
from hf_magics.optional import optional

_FOR_GGUF = ("gguf", "accelerate")


def read_config(found: Checkpoint, *, trust_remote_code: bool = False) -> Any:
    """Return the config of a checkpoint.

    Raises:
        SourceError: It can't be read, its type is unknown, or it comes with code that is not
            trusted.
        MissingExtraError: It is a GGUF file, and what reads those is not installed.
    """
    for module in _FOR_GGUF if found.gguf else ():
        optional(module, extra="gguf")  # transformers' own words name no extra
    check_gguf(found)
    check_config(found)
    try:
        return AutoConfig.from_pretrained(
            found.location, trust_remote_code=trust_remote_code, **found.arguments()
        )
    except Exception as error:
        raise config_error(found, error, trusted=trust_remote_code) from error
