"""HFMagics: all magics in one configurable class."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_magic, magics_class
from traitlets import Bool

from hf_magics import api
from hf_magics.display.guide import Overview
from hf_magics.display.shown import Shown
from hf_magics.magics.arguments import only
from hf_magics.magics.base import Base, magic
from hf_magics.magics.chatting import ChatMagics
from hf_magics.magics.generation import GenerationMagics
from hf_magics.magics.inference import InferenceMagics
from hf_magics.magics.inside import InsideMagics
from hf_magics.magics.mapping import MapMagics
from hf_magics.magics.models import ModelMagics
from hf_magics.magics.options import options
from hf_magics.magics.taking import TakingMagics


@magics_class
class HFMagics(
    ModelMagics,
    InferenceMagics,
    MapMagics,
    GenerationMagics,
    ChatMagics,
    InsideMagics,
    TakingMagics,
):
    """Magics for transformer models: load, configure, tokenise, run and save them."""

    warm_start: Any = Bool(
        True, help="import torch and transformers in the background, while no cell runs"
    ).tag(config=True)
    show_plain: Any = Bool(
        False,
        help="show bare tensors, ModelOutputs, BatchEncodings, configs and models as pages too",
    ).tag(config=True)

    @line_magic
    @magic
    @options("hf")
    def hf(self, line: str) -> Shown:
        """Show what there is, and the session at a glance."""
        asked = self.ask(self.hf, line)
        only(asked, 0, "%hf")
        return Overview(summaries(self), api.models() if len(api.session) else None)


# IPython registers the magics of the class itself alone: it has those of its bases as well
_OWNERS = [owner for owner in HFMagics.__mro__ if issubclass(owner, Base) and owner is not Base]
HFMagics.magics = {
    kind: {name: method for owner in _OWNERS for name, method in owner.magics[kind].items()}
    for kind in ("line", "cell")
}


def summaries(magics: HFMagics) -> dict[str, str]:
    """Return each magic as it is written, cell magics with two percent signs, with its summary."""
    cells = magics.magics["cell"]
    names = sorted({**magics.magics["line"], **cells})
    return {
        ("%%" if name in cells else "%") + name: getattr(magics, name).summary for name in names
    }
