"""Rows of a result as a table of pandas or of polars."""

from __future__ import annotations

from typing import Any

from hf_magics.optional import optional


def of_pandas(records: list[dict[str, Any]]) -> Any:
    """Return the rows as a pandas ``DataFrame``.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    return optional("pandas", extra="data").DataFrame(records)


def of_polars(records: list[dict[str, Any]]) -> Any:
    """Return the rows as a polars ``DataFrame``.

    A column of polars has values of one kind: where a result has several in one, as the fields of a
    config are, they are texts there; so are dicts, whose keys would each be a field of every row.

    Raises:
        MissingExtraError: polars is not installed.
    """
    polars = optional("polars", extra="polars")
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return polars.DataFrame(
        {
            name: polars.Series(_of_one_kind(values), strict=False)
            for name, values in columns.items()
        }
    )


def _of_one_kind(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if dict not in kinds and (len(kinds) <= 1 or any(kinds <= alike for alike in _ALIKE)):
        return values
    return [None if value is None else str(value) for value in values]


_ALIKE = ({int, float}, {list, tuple})
