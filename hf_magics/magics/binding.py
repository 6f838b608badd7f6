"""What ``-o`` does: a variable for the result, or a column of a table for its values."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.shown import Shown
from hf_magics.errors import OptionError
from hf_magics.optional import optional


def check_output(name: str, variables: Mapping[str, Any], inputs: Any = None) -> None:
    """Refuse what nothing can be bound to, before anything is run.

    Args:
        name: ``out``, or ``df.column``; ``""`` binds nothing.
        variables: The notebook's variables.
        inputs: What is run: a column needs as many inputs as its table has rows.

    Raises:
        OptionError: It is no Python name, no table, or one of another length.
    """
    if not name:
        return
    table, dot, column = name.partition(".")
    if not (table.isidentifier() and not keyword.iskeyword(table) and bool(dot) == bool(column)):
        raise OptionError(f"-o takes the name of a variable, or TABLE.COLUMN, not '{name}'")
    if not dot:
        return
    frame = variables.get(table)
    if frame is None or not hasattr(frame, "columns"):
        raise OptionError(f"-o {name}: {table} is no table (a pandas or polars DataFrame)")
    count = _count(inputs)
    if count is not None and count != len(frame):
        raise OptionError(
            f"-o {name}: {table} has {plural(len(frame), 'row')}, and the inputs are {count:,}: "
            f"-i {table}.COLUMN gives one a row"
        )


def _count(inputs: Any) -> int | None:
    """Return how many inputs there are, None where only the task can tell."""
    if isinstance(inputs, str):
        return 1
    is_texts = getattr(getattr(inputs, "dtype", None), "kind", "") in set("OUT")  # an array
    # a Series of pandas has an index, one of polars makes a list
    listed = isinstance(inputs, (list, tuple)) or hasattr(inputs, "index")
    listed = listed or hasattr(inputs, "to_list") or is_texts
    if not listed or all(isinstance(one, int) for one in inputs):  # one list of token IDs
        return None
    return len(inputs)


def bind(name: str, result: Shown, shell: Any) -> None:
    """Bind a result to a variable, or its values to the column of a table.

    Raises:
        OptionError: A column is wanted, and the result has no main value an input.
    """
    table, dot, column = name.partition(".")
    if not dot:
        shell.user_ns[name] = result
        return
    values = list(getattr(result, "values", ()))
    if not values:
        raise OptionError(
            f"-o {name}: this answer has no main value an input for a column; "
            "-o NAME binds the result, and its .df has the rows"
        )
    frame = shell.user_ns[table]
    if len(values) != len(frame):
        raise OptionError(
            f"-o {name}: {table} has {plural(len(frame), 'row')}, and the answers are "
            f"{len(values):,}; -o NAME binds the result"
        )
    if hasattr(frame, "with_columns"):  # polars: a table is not changed in place
        polars = optional("polars", extra="polars")
        shell.user_ns[table] = frame.with_columns(polars.Series(column, values))
    else:
        frame[column] = values
