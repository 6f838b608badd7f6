"""Columns of Python values as Arrow has them, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_magics.inference.mapping.tables import Table
from hf_magics.optional import optional


def to_arrow(table: Table) -> Any:
    """Return a table of Arrow's; vectors are fixed-size lists, null where a row failed."""
    arrow = optional("pyarrow", extra="data")
    failed = np.array([one is not None for one in table["error"]])
    made = {name: _array(values, failed) for name, values in table.items()}
    made["row"] = arrow.array(table["row"], arrow.int64())
    made["error"] = arrow.array([_sound(one) for one in table["error"]], arrow.string())
    return arrow.table(made)


def from_arrow(table: Any) -> Table:
    """Return the table as it was before `to_arrow`."""
    return {name: _values(table.column(name)) for name in table.column_names}


def unified(schemas: Sequence[Any]) -> Any:
    """Return one schema for all parts: a column that is null in one has the others' type.

    What has types in two parts that are none together is text: JSON.
    """
    arrow = optional("pyarrow", extra="data")
    names = list(dict.fromkeys(name for schema in schemas for name in schema.names))
    fields = [_field([one.field(name) for one in schemas if name in one.names]) for name in names]
    last = [one for one in fields if one.name == "error"]
    return arrow.schema([one for one in fields if one.name != "error"] + last)


def as_type(table: Any, schema: Any) -> Any:
    """Return a part's table with the columns and types of all."""
    arrow = optional("pyarrow", extra="data")
    return arrow.table([_cast(table, one) for one in schema], schema=schema)


def _field(fields: Sequence[Any]) -> Any:
    arrow = optional("pyarrow", extra="data")
    try:
        merged = arrow.unify_schemas(
            [arrow.schema([one]) for one in fields], promote_options="permissive"
        )
    except (arrow.ArrowTypeError, arrow.ArrowInvalid):
        return arrow.field(fields[0].name, arrow.string())
    return merged.field(0)


def _cast(table: Any, field: Any) -> Any:
    arrow = optional("pyarrow", extra="data")
    if field.name not in table.column_names:
        return arrow.nulls(table.num_rows, field.type)
    column = table.column(field.name)
    if column.type == field.type:
        return column
    if arrow.types.is_null(column.type):
        return arrow.nulls(len(column), field.type)
    if arrow.types.is_string(field.type):
        return arrow.array([_json(one) for one in column.to_pylist()], field.type)
    return column.cast(field.type)


def _array(values: Any, failed: Any) -> Any:
    arrow = optional("pyarrow", extra="data")
    if isinstance(values, np.ndarray):
        flat = arrow.array(np.ascontiguousarray(values).reshape(-1))
        return arrow.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=arrow.array(failed))
    try:
        return arrow.array([_sound(one) for one in values])
    except (arrow.ArrowException, OverflowError):  # of several kinds, or larger than 64 bits
        return arrow.array([_json(one) for one in values], arrow.string())


def _values(column: Any) -> Any:
    arrow = optional("pyarrow", extra="data")
    if not arrow.types.is_fixed_size_list(column.type):
        return column.to_pylist()
    whole = column.combine_chunks()
    flat = whole.values.to_numpy(zero_copy_only=False)
    return np.array(flat.reshape(-1, column.type.list_size))


def _sound(value: Any) -> Any:
    """Return a value whose texts a file can hold: half a character shows as an escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, (list, tuple)):
        return [_sound(one) for one in value]
    if isinstance(value, dict):
        return {_sound(key): _sound(one) for key, one in value.items()}
    return value


def _json(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(_sound(value))
    return json.dumps(plain(_sound(value)), ensure_ascii=False, default=str)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: there is no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value
