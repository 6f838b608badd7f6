"""The magic that runs a whole column: map."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.errors import OptionError
from hf_magics.magics.arguments import no_fields, only
from hf_magics.magics.base import Base, magic
from hf_magics.magics.binding import check_output
from hf_magics.magics.lines import look_up, nearest_variable
from hf_magics.magics.options import LENGTH, MODEL, OUTPUT, SET, TASK, options
from hf_magics.paths import path_of

_USAGE = "%hf_map IN -o OUT | --to FILE"
# --to is the file here
_TASK = tuple(one for one in TASK if "--to" not in one.args)


@magics_class
class MapMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_magic
    @magic
    @options(
        "hf_map IN [options]",
        MODEL,
        *OUTPUT,
        argument("--to", default="", metavar="FILE", help="a .parquet, .jsonl or .csv for it"),
        argument("--column", default="", metavar="C", help="the column of a table or file"),
        argument("--checkpoint", default="", metavar="DIR", help="keep what is finished there"),
        argument("--overwrite", action="store_true", help="begin anew, over the file there is"),
        argument("--strict", action="store_true", help="stop at the first row that fails"),
        argument(
            "--batch-tokens", type=int, default=None, metavar="N", help="tokens of a batch at most"
        ),
        argument("--on", default="", metavar="WHERE", help="ray: a pool of actors"),
        argument("--address", default="", metavar="A", help="the Ray cluster; else local"),
        argument("--actors", type=int, default=None, metavar="N", help="models in the pool"),
        *_TASK,
        argument(
            "--to-language", default="", metavar="LANG", help="translation: to; --to is the file"
        ),
        LENGTH,
        SET,
    )
    def hf_map(self, line: str) -> Shown:
        """Run a column, a list or a file of any size through a model, and go on where it stopped.

        IN is a variable such as df.text, or a text, CSV, JSONL or Parquet file. With --to or
        --checkpoint the same line goes on after an interrupt, an error or a crash.

        Examples:
            %hf_map df.text -o df.label --task text-classification
            %hf_map reviews.csv --column text --to labels.parquet
            %hf_map texts -o vectors --task embed --checkpoint ./half_done
        """
        asked = self.ask(self.hf_map, line)
        no_fields(asked, _USAGE)
        only(asked, 1, "%hf_map IN")
        o = asked.options
        inputs, variable = self._input(asked.names[0])
        check_output(o.output, self.variables, inputs)
        if "." in o.output and o.to:
            raise OptionError("-o TABLE.COLUMN and --to FILE both take the answers: give one")
        result = api.map(
            inputs,
            model=o.model,
            column=o.column,
            to=o.to,
            checkpoint=o.checkpoint,
            overwrite=o.overwrite,
            strict=o.strict,
            batch_tokens=o.batch_tokens,
            to_language=o.to_language,
            on=o.on,
            address=o.address,
            actors=o.actors,
            **self.task_words(o),
            variable=variable,
            settings=self.settings,
        )
        return self.give(asked, result, self.hf_map)

    def _input(self, word: str) -> tuple[Any, str]:
        """Return a variable with its name, or the path of a file.

        Raises:
            OptionError: It is neither.
        """
        path = path_of(word)
        if word.partition(".")[0] in self.variables and not path.is_file():
            return look_up(word, self.variables), word
        if not path.is_file():
            close = nearest_variable(word.partition(".")[0], self.variables)
            raise OptionError(
                f"there is no variable and no file '{word}'{close}: %hf_map takes df.text or a "
                ".csv, .jsonl, .parquet or .txt file"
            )
        return path, ""
