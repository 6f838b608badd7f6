"""HFMagics: all magics in one configurable class."""

from __future__ import annotations

from IPython.core.magic import line_magic, magics_class

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.base import magic, traits
from hf_magics.magics.inference import InferenceMagics
from hf_magics.magics.models import ModelMagics
from hf_magics.magics.options import options
from hf_magics.magics.overview import Overview


@magics_class
class _AllMagics(ModelMagics, InferenceMagics):
    @line_magic
    @magic
    @options("hf")
    def hf(self, line: str) -> Shown:
        """Show what there is, and the session at a glance."""
        self.ask(self.hf, line)
        return Overview(magics_of(self), api.models() if len(api.session) else None)


_AllMagics.magics = {
    kind: {
        name: method
        for owner in (_AllMagics, ModelMagics, InferenceMagics)
        for name, method in owner.magics[kind].items()
    }
    for kind in ("line", "cell")
}
HFMagics = type(
    "HFMagics", (_AllMagics,), {"__doc__": "Magics for transformer models.", **traits()}
)


def magics_of(magics: _AllMagics) -> dict[str, object]:
    """Return the magics by the way they are written, cell magics with two percent signs."""
    names = sorted({**magics.magics["line"], **magics.magics["cell"]})
    cells = magics.magics["cell"]
    return {f"%%{name}" if name in cells else f"%{name}": getattr(magics, name) for name in names}
