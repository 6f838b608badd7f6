"""The magic that keeps a conversation: chat."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.errors import InputError
from hf_magics.magics.asked import Asked, cell_lines, pairs
from hf_magics.magics.base import Base, magic
from hf_magics.magics.binding import check_output
from hf_magics.magics.lines import look_up
from hf_magics.magics.options import INPUT, MODEL, OUTPUT, SET, WRITING, options

_REPLY = tuple(one for one in WRITING if "--beams" not in one.args)  # a reply is streamed


@magics_class
class ChatMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_cell_magic
    @magic
    @options(
        "hf_chat [options] TEXT (or %%hf_chat [options], and a cell that is one turn)",
        MODEL,
        argument("--system", default="", metavar="TEXT", help="the system message, in quotes"),
        argument("--new", action="store_true", help="begin anew"),
        argument("--undo", action="store_true", help="take the last turn back"),
        argument("--show-prompt", action="store_true", help="show what the template makes of it"),
        *_REPLY,
        INPUT,
        *OUTPUT,
        SET,
    )
    def hf_chat(self, line: str, cell: str | None = None) -> Shown:
        """Talk with a model, turn by turn; without a text, show the conversation.

        The conversation belongs to the model. A line that ends in ? is IPython's help before a
        magic sees it: write questions in a cell.

        Examples:
          %hf_chat --system "You answer in one word." Name a colour.
          %hf_chat                                the conversation, a row a message
          %hf_chat --undo Name another colour.    in place of the last turn
        """
        asked = self.ask(self.hf_chat, line, cell, has_text=True)
        o = asked.options
        check_output(o.output, self.variables, "")
        result = api.chat(
            self._turn(asked),
            model=o.model,
            system=o.system,
            new=o.new,
            undo=o.undo,
            show_prompt=o.show_prompt,
            max_new_tokens=o.max_new_tokens,
            temperature=o.temperature,
            top_p=o.top_p,
            top_k=o.top_k,
            seed=o.seed,
            stop=tuple(o.stop or ()),
            set=pairs(o.set),
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_chat)

    def _turn(self, asked: Asked) -> Any:
        """Return what the user says, ``""`` where the line says nothing."""
        variable = asked.options.input
        body = "".join(cell_lines(asked.cell or "", whole=True))
        given = [one for one in (asked.text, body.strip() and body, variable) if one]
        if len(given) > 1:
            raise InputError(
                "the turn is given twice: on the line, in the cell or with -i; one of them is meant"
            )
        return look_up(variable, self.variables) if variable else "".join(given)
