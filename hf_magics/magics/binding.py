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
    frame: Any = variables.get(table)
    takes_columns = hasattr(frame, "columns") or hasattr(frame, "add_column")
    if not (takes_columns and hasattr(frame, "__len__")):  # a stream of rows has no length
        raise OptionError(
            f"-o {name}: {table} is no table (a DataFrame of pandas or polars, or a Dataset)"
        )
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


def bind(name: str, result: Shown, shell: Any, variables: Mapping[str, Any]) -> None:
    """Bind a result to a variable, or its values to the column of a table.

    Args:
        name: As in `check_output`.
        result: What is bound.
        shell: The shell whose notebook gets the variable.
        variables: Where the table is: in a function, among its own.

    Raises:
        OptionError: A column is wanted, and the result has no main value an input, or the table
            can't get one.
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
    frame = variables[table]
    if len(values) != len(frame):
        raise OptionError(
            f"-o {name}: {table} has {plural(len(frame), 'row')}, and the answers are "
            f"{len(values):,}; -o NAME binds the result"
        )
    replaced = _with_column(frame, column, values)
    if replaced is None:
        return
    if shell.user_ns.get(table) is not frame:  # nobody can give a function's variable a value
        raise OptionError(
            f"-o {name}: {table} is a function's own {type(frame).__name__}, which can't be "
            "changed in place: -o NAME binds the result, whose .values are the column"
        )
    shell.user_ns[table] = replaced


def _with_column(frame: Any, column: str, values: list[Any]) -> Any:
    """Return a table with one column more; None where it was changed in place."""
    if hasattr(frame, "with_columns"):
        polars = optional("polars", extra="polars")
        return frame.with_columns(polars.Series(column, values))
    if hasattr(frame, "add_column"):
        return _in_dataset(frame, column, values)
    frame[column] = values
    return None


def _in_dataset(dataset: Any, column: str, values: list[Any]) -> Any:
    """Return a ``datasets.Dataset`` with a column, which takes the place of one of its name."""
    if column not in dataset.column_names:
        return dataset.add_column(column, values)
    # added before that one goes, which may be the only one: without a column there are no rows
    new = max(dataset.column_names, key=len) + "_"
    return dataset.add_column(new, values).remove_columns(column).rename_column(new, column)
