"""The skin: the only rooms that know IPython."""

from __future__ import annotations

from typing import Any

from hf_magics.magics.completion import complete
from hf_magics.magics.magics import HFMagics
from hf_magics.magics.plain import PlainDisplay
from hf_magics.magics.warming import WarmStart

_MATCHER = "hf_magics_matcher"
_WARM = "hf_magics_warm_start"
_PLAIN = "hf_magics_plain_display"


def register(shell: Any) -> None:
    """Register the magics and the matcher in a shell; a second time changes nothing."""
    unregister(shell)
    magics = HFMagics(shell=shell)
    shell.register_magics(magics)
    setattr(shell, _MATCHER, matcher := complete(shell))
    shell.Completer.custom_matchers.append(matcher)
    warm = WarmStart(shell, lambda: bool(magics.warm_start))
    setattr(shell, _WARM, warm)
    warm.register()
    plain = PlainDisplay(shell, lambda: magics.settings)
    setattr(shell, _PLAIN, plain)
    magics.observe(plain.set, "show_plain")
    if magics.show_plain:  # in a config file
        plain.on()


def unregister(shell: Any) -> None:
    """Take back the magics, the matcher, the formatters and the configurable."""
    ours = [one for one in shell.configurables if isinstance(one, HFMagics)]
    for kind, found in shell.magics_manager.magics.items():
        # only our names are looked at: IPython imports a magic of its own when its entry is read
        for name in HFMagics.magics[kind]:
            if name in found and getattr(found[name], "__self__", None) in ours:
                del found[name]
    shell.configurables[:] = [one for one in shell.configurables if one not in ours]
    shell.magics_manager.registry.pop(HFMagics.__name__, None)
    if warm := shell.__dict__.pop(_WARM, None):
        warm.unregister()
    if plain := shell.__dict__.pop(_PLAIN, None):
        for one in ours:
            one.unobserve_all("show_plain")
        plain.off()
    matcher = shell.__dict__.pop(_MATCHER, None)
    if matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
