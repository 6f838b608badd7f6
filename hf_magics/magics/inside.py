"""The magics that look inside models: layers, attention, the logit lens, score, compare."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.arguments import fields_for, no_fields, only
from hf_magics.magics.asked import Asked, payload
from hf_magics.magics.base import Base, magic
from hf_magics.magics.binding import check_output
from hf_magics.magics.options import HEAD, INPUT, LENGTH, MODEL, OUTPUT, WHOLE, options


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
        "hf_attention [options] TEXT (or %%hf_attention [options], and a line)",
        MODEL,
        argument("--layer", type=int, default=None, metavar="L", help="one layer, from 0"),
        argument("--head", type=int, default=None, metavar="H", help="one head, from 0"),
        argument("--kind", default="", metavar="K", help="self, encoder, decoder or cross"),
        INPUT,
        *OUTPUT,
        WHOLE,
    )
    def hf_attention(self, line: str, cell: str | None = None) -> Shown:
        """Show which token of a line looks at which, in each head of each layer.

        A tab parts a pair: what one text sees of the other, or source and target of a translation.

        Examples:
            %hf_attention The cat sat on the mat.
            %hf_attention --layer 3 --head 5 The cat sat on the mat.
            %hf_attention -m t5 --kind cross -i pair
        """
        asked = self.ask(self.hf_attention, line, cell, has_text=True)
        o = asked.options
        inputs, variable = self._text(asked)
        result = api.attention(
            inputs, model=o.model, layer=o.layer, head=o.head, kind=o.kind, variable=variable
        )
        return self.give(asked, result, self.hf_attention)

    @line_cell_magic
    @magic
    @options(
        "hf_lens [options] TEXT (or %%hf_lens [options], and a line)",
        MODEL,
        argument("--target", default="", metavar="TOKEN", help="a token to follow"),
        argument("--position", type=int, default=None, metavar="N", help="… there, from 0"),
        argument("--hidden", action="store_true", help="norms and cosines of the states too"),
        INPUT,
        *OUTPUT,
        WHOLE,
    )
    def hf_lens(self, line: str, cell: str | None = None) -> Shown:
        """Show what the head would say of each layer: the likeliest token at each position.

        Examples:
            %hf_lens The capital of France is
            %hf_lens --target Paris The capital of France is
            %hf_lens -m bert --hidden Paris is the [MASK] of France.
        """
        asked = self.ask(self.hf_lens, line, cell, has_text=True)
        o = asked.options
        inputs, variable = self._text(asked)
        words = {"target": o.target, "position": o.position, "hidden": o.hidden}
        result = api.lens(inputs, model=o.model, **words, variable=variable)
        return self.give(asked, result, self.hf_lens)

    @line_cell_magic
    @magic
    @options(
        "hf_score [options] TEXT (or %%hf_score [options], and a cell of text)",
        MODEL,
        INPUT,
        *OUTPUT,
        LENGTH,
        WHOLE,
    )
    def hf_score(self, line: str, cell: str | None = None) -> Shown:
        """Show how surprising each token of a text is to a model, and the text's perplexity.

        A line that ends in ? is IPython's help before a magic sees it: write questions in a cell.

        Examples:
          %hf_score The cat sat on the mat.
          %hf_score -i df.text -o df.perplexity     a column of perplexities
          %hf_score -m bert -i ids                  token IDs
        """
        asked = self.ask(self.hf_score, line, cell, has_text=True)
        o = asked.options
        inputs, variable = self._text(asked)
        result = api.score(
            inputs,
            model=o.model,
            max_length=o.max_length,
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_score)

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

    def _text(self, asked: Asked) -> tuple[Any, str]:
        """Return what is run; its outputs have a place where -o says."""
        inputs, variable = payload(asked, self.variables)
        check_output(asked.options.output, self.variables, inputs)
        return inputs, variable
