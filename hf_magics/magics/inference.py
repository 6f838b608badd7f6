"""The magics of inference: tokens, infer."""

from __future__ import annotations

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.asked import payload
from hf_magics.magics.base import Base, magic
from hf_magics.magics.binding import check_output
from hf_magics.magics.options import INPUT, LENGTH, MODEL, OUTPUT, SET, TASK, WHOLE, options

_CAPTURE = (
    argument(
        "--capture",
        action="append",
        metavar="PATTERN",
        help="keep what modules give: * stops at a dot, ** does not; repeatable",
    ),
    argument("--keep", default="", metavar="K", help="of a capture: mean (unasked), last or all"),
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

        Examples:
          %hf_tokens Hello, world!
          %hf_tokens --padding longest -i texts
          %hf_tokens -i ids                       decodes token IDs
          %hf_tokens -m bert -m gpt2 Hello        two tokenizers side by side
        """
        asked = self.ask(self.hf_tokens, line, cell, has_text=True)
        o = asked.options
        inputs, variable = payload(asked, self.variables)
        check_output(o.output, self.variables, inputs)
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
        MODEL,
        *TASK,
        INPUT,
        *OUTPUT,
        LENGTH,
        SET,
        *_CAPTURE,
        WHOLE,
    )
    def hf_infer(self, line: str, cell: str | None = None) -> Shown:
        """Run text through a model, one input a line, and show what its head answers.

        A line that ends in ? is IPython's help before a magic sees it: write questions in a cell.

        Examples:
          %hf_infer I loved this film.
          %hf_infer --task features -o out Hello!       the tensors; out.outputs keeps them
          %hf_infer --labels sports,politics We won 3 to 1 in the last minute.
          %hf_infer -i df.text -o df.label              a column of answers
          %hf_infer --capture 'encoder.layer.*.output' -o out Hello!     out.captured, by name
        """
        asked = self.ask(self.hf_infer, line, cell, has_text=True)
        o = asked.options
        inputs, variable = payload(asked, self.variables)
        check_output(o.output, self.variables, inputs)
        result = api.infer(
            inputs,
            model=o.model,
            to=o.to,
            **self.task_words(o),
            capture=tuple(o.capture or ()),
            keep=o.keep,
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_infer)
