"""The magic that writes text: generate."""

from __future__ import annotations

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.asked import pairs, payload
from hf_magics.magics.base import Base, magic
from hf_magics.magics.binding import check_output
from hf_magics.magics.options import INPUT, MODEL, OUTPUT, SET, WHOLE, WRITING, options


@magics_class
class GenerationMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_cell_magic
    @magic
    @options(
        "hf_generate [options] TEXT (or %%hf_generate [options], and a cell of prompts)",
        MODEL,
        *WRITING,
        argument("--sequences", type=int, default=None, metavar="N", help="texts for each prompt"),
        INPUT,
        *OUTPUT,
        SET,
        WHOLE,
    )
    def hf_generate(self, line: str, cell: str | None = None) -> Shown:
        """Write on from a text, one prompt a line, and show how sure each token was.

        --set takes any field of transformers' GenerationConfig: --set repetition_penalty=1.1. A
        line that ends in ? is IPython's help before a magic sees it: write questions in a cell.
        The likeliest token is taken each time unless an option draws.

        Examples:
          %hf_generate Once upon a time
          %hf_generate --temperature 0.8 --seed 1 Once upon a time     draws, repeatably
          %hf_generate --max-new-tokens 20 --stop . -i prompts -o texts
          %hf_generate --beams 4 --set length_penalty=1.2 To sum it up,
        """
        asked = self.ask(self.hf_generate, line, cell, has_text=True)
        o = asked.options
        inputs, variable = payload(asked, self.variables)
        check_output(o.output, self.variables, inputs)
        result = api.generate(
            inputs,
            model=o.model,
            max_new_tokens=o.max_new_tokens,
            temperature=o.temperature,
            top_p=o.top_p,
            top_k=o.top_k,
            beams=o.beams,
            seed=o.seed,
            stop=tuple(o.stop or ()),
            sequences=o.sequences,
            set=pairs(o.set),
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_generate)
