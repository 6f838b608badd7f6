"""The magics that look inside models: layers, compare."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.arguments import fields_for, no_fields, only
from hf_magics.magics.base import Base, magic
from hf_magics.magics.options import HEAD, INPUT, LENGTH, OUTPUT, WHOLE, Asked, options, payload


@magics_class
class InsideMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_cell_magic
    @magic
    @options(
        "hf_layers [NAME|SOURCE|TYPE] [FIELD=VALUE ...] [options] (or %%hf_layers, and a text)",
        argument("--depth", type=int, default=None, metavar="N", help="levels that are shown"),
        argument("--find", default="", metavar="REGEX", help="only modules whose path matches"),
        *HEAD[:2],
        INPUT,
        *OUTPUT,
        WHOLE,
    )
    def hf_layers(self, line: str, cell: str | None = None) -> Shown:
        """Show the modules of a model as a tree; %%hf_layers adds what each computes of a text.

        Examples:
            %hf_layers --depth 3
            %hf_layers bert --find attention
            %hf_layers llama hidden_size=4096 num_hidden_layers=32 --task text-generation
        """
        asked = self.ask(self.hf_layers, line, cell)
        if len(asked.names) > 1:
            only(asked, 1, "%hf_layers [NAME|SOURCE|TYPE]")
        o = asked.options
        inputs, variable = self._inputs(asked)
        result = api.layers(
            "".join(asked.names),
            inputs,
            depth=o.depth,
            find=o.find,
            task=o.task,
            class_=o.class_,
            variable=variable,
            settings=self.settings,
            **fields_for(api.layers, asked),
        )
        return self.give(asked, result, self.hf_layers)

    @line_cell_magic
    @magic
    @options(
        "hf_compare A B [options] (or %%hf_compare A B, and a text)",
        INPUT,
        *OUTPUT,
        LENGTH,
        WHOLE,
    )
    def hf_compare(self, line: str, cell: str | None = None) -> Shown:
        """Put two models side by side; %%hf_compare runs a text through both as well.

        Examples:
            %hf_compare before after
            %hf_compare whole int8 -i texts
        """
        asked = self.ask(self.hf_compare, line, cell)
        only(asked, 2, "%hf_compare A B")
        no_fields(asked, "%hf_compare A B")
        inputs, variable = self._inputs(asked)
        result = api.compare(
            asked.names[0],
            asked.names[1],
            inputs,
            max_length=asked.options.max_length,
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_compare)

    def _inputs(self, asked: Asked) -> tuple[Any, str]:
        """Return what is run, None where nothing is."""
        if asked.cell is None and not asked.options.input:
            return None, ""
        return payload(asked, self.variables)
