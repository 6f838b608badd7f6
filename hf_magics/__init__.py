"""A workbench for transformer models in IPython: ``%load_ext hf_magics``.

The same verbs work in scripts: ``import hf_magics as hf``, then ``hf.load(...)``,
``hf.infer(...)``, with ``hf.session`` as the store. Importing this imports neither torch nor
transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_magics.api import (
    add,
    attention,
    chat,
    code,
    compare,
    config,
    drop,
    explain,
    generate,
    infer,
    layers,
    lens,
    load,
    map,
    models,
    new,
    save,
    score,
    session,
    tokens,
    use,
)
from hf_magics.errors import HFMagicsError
from hf_magics.settings import Settings

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

__all__ = [
    "HFMagicsError",
    "Settings",
    "add",
    "attention",
    "chat",
    "code",
    "compare",
    "config",
    "drop",
    "explain",
    "generate",
    "infer",
    "layers",
    "lens",
    "load",
    "map",
    "models",
    "new",
    "save",
    "score",
    "session",
    "tokens",
    "use",
]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: IPython calls this for ``%load_ext hf_magics``."""
    from hf_magics.magics import register  # noqa: PLC0415 - IPython is not needed in scripts

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take back everything that loading registered; the session stays."""
    from hf_magics.magics import unregister  # noqa: PLC0415 - as above

    unregister(shell)
