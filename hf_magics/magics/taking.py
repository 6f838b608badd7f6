"""The magics that take the work home: code, explain."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.magics.arguments import at_most_one
from hf_magics.magics.base import Base, magic
from hf_magics.magics.options import OUTPUT, options

_FILES = (
    argument("--all", action="store_true", help="the whole session, in order"),
    argument("--to", default="", metavar="FILE", help="write it to a .py file"),
    argument("--notebook", default="", metavar="FILE", help="write it to an .ipynb file, as cells"),
    argument("--overwrite", action="store_true", help="replace a file that is there"),
)


@magics_class
class TakingMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_magic
    @magic
    @options("hf_code [NAME] [options]", *_FILES, *OUTPUT)
    def hf_code(self, line: str) -> Shown:
        """Show what was done as plain transformers code, which runs without hf_magics.

        Without a name: the last step. With the name of a model: how it came to be, and all that
        was done with it.

        Examples:
            %hf_code
            %hf_code bert --to bert.py
            %hf_code --all --notebook session.ipynb
        """
        return self._taken(self.hf_code, api.code, line)

    @line_magic
    @magic
    @options("hf_explain [NAME] [options]", *_FILES, *OUTPUT)
    def hf_explain(self, line: str) -> Shown:
        """Show the code of %hf_code with a comment above each kind of step that says why.

        Examples:
            %hf_explain
            %hf_explain bert
            %hf_explain --all --notebook lesson.ipynb
        """
        return self._taken(self.hf_explain, api.explain, line)

    def _taken(self, method: Any, verb: Any, line: str) -> Shown:
        asked = self.ask(method, line)
        usage = f"%{method.__name__} [NAME]"
        name = at_most_one(asked, usage)
        o = asked.options
        result = verb(
            name,
            all=o.all,
            to=o.to,
            notebook=o.notebook,
            overwrite=o.overwrite,
        )
        return self.give(asked, result, method)
