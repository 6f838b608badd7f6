"""The skin: the only rooms that know IPython."""

from __future__ import annotations

from typing import Any

from hf_magics.magics.completion import complete
from hf_magics.magics.magics import HFMagics

_MATCHER = "hf_magics_matcher"


def register(shell: Any) -> None:
    """Register the magics and the matcher in a shell; a second time changes nothing."""
    unregister(shell)
    magics = HFMagics(shell=shell)
    shell.register_magics(magics)
    setattr(shell, _MATCHER, matcher := complete(shell))
    shell.Completer.custom_matchers.append(matcher)


def unregister(shell: Any) -> None:
    """Take back the magics, the matcher and the configurable."""
    for kind in ("line", "cell"):
        found = shell.magics_manager.magics[kind]
        for name in [name for name in found if name == "hf" or name.startswith("hf_")]:
            del found[name]
    shell.configurables[:] = [one for one in shell.configurables if not isinstance(one, HFMagics)]
    shell.magics_manager.registry.pop(HFMagics.__name__, None)
    matcher = getattr(shell, _MATCHER, None)
    if matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
