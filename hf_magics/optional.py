"""The one way to a package that is not always installed."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from hf_magics.errors import MissingExtraError
from hf_magics.interrupts import no_interrupt


def optional(module: str, *, extra: str) -> Any:
    """Return the module, imported.

    Args:
        module: What to import, for example ``"pandas"``.
        extra: The extra of this package that brings it.

    Raises:
        MissingExtraError: It is not installed; the message holds the command that installs it.
    """
    if (there := sys.modules.get(module)) is not None:
        return there
    try:
        with no_interrupt():  # one in the middle would leave half of it for the rest of the process
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise  # the package is there, and something that it needs is broken
        raise MissingExtraError(
            f"{module} is not installed: pip install 'hf-magics[{extra}]'"
        ) from None
