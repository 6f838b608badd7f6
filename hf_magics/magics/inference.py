"""The magics of inference: tokens, infer."""

from __future__ import annotations

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.base import Base, check_output_name, magic
from hf_magics.magics.options import (
    INPUT,
    LENGTH,
    OUTPUT,
    SET,
    WHOLE,
    options,
    pairs,
    payload,
)


@magics_class
class InferenceMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_cell_magic
    @magic
    @options(
        "hf_tokens [options] TEXT (or %%hf_tokens [options], and a cell of text)",
        argument(
            "-m", "--model", action="append", metavar="NAME", help="whose tokenizer; repeatable"
        ),
        INPUT,
        *OUTPUT,
        LENGTH,
        argument("--padding", default="", metavar="P", help="longest, or max_length"),
        argument("--no-special", action="store_true", help="without special tokens"),
        WHOLE,
    )
    def hf_tokens(self, line: str, cell: str | None = None) -> Shown:
        """Show each token of a text: its ID, span, word and mask; with -i ids, decode them.

        A line that ends in ? is IPython's help before a magic sees it: write questions in a cell.
        """
        asked = self.ask(self.hf_tokens, line, cell, has_text=True)
        o = asked.options
        check_output_name(o.output)
        inputs, variable = payload(asked, self.variables)
        result = api.tokens(
            inputs,
            model=tuple(o.model or ()),
            max_length=o.max_length,
            padding=o.padding,
            special=not o.no_special,
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_tokens)

    @line_cell_magic
    @magic
    @options(
        "hf_infer [options] TEXT (or %%hf_infer [options], and a cell of text)",
        argument(
            "-m", "--model", default="", metavar="NAME", help="the model; else the current one"
        ),
        argument(
            "--task", default="", metavar="TASK", help="how to show it; features: the tensors"
        ),
        INPUT,
        *OUTPUT,
        LENGTH,
        SET,
        WHOLE,
    )
    def hf_infer(self, line: str, cell: str | None = None) -> Shown:
        """Run text through a model, one input a line, and show what comes out.

        A line that ends in ? is IPython's help before a magic sees it: write questions in a cell.
        """
        asked = self.ask(self.hf_infer, line, cell, has_text=True)
        o = asked.options
        check_output_name(o.output)
        inputs, variable = payload(asked, self.variables)
        result = api.infer(
            inputs,
            model=o.model,
            task=o.task,
            max_length=o.max_length,
            set=pairs(o.set),
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_infer)
