"""A table where no image can be shown: without the columns of them."""

from __future__ import annotations

from dataclasses import replace

from hf_magics.display.parts import Picture, Table


def without_pictures(table: Table) -> Table:
    """The table without its columns of images, whose names would fill it; it says which.

    Where those were all but the first, no rows are left to read.
    """
    kept = [at for at in range(len(table.columns)) if not _is_of_pictures(table, at)]
    if len(kept) == len(table.columns):
        return table
    names = [one.name for at, one in enumerate(table.columns) if at not in kept]
    said = f"{', '.join(names)}: pictures, which a notebook shows"
    kept = kept if len(kept) > 1 else []
    return replace(
        table,
        columns=tuple(table.columns[at] for at in kept),
        rows=tuple(tuple(row[at] for at in kept) for row in table.rows),
        left_out="; ".join(filter(None, (table.left_out, said))),
    )


def _is_of_pictures(table: Table, at: int) -> bool:
    return bool(table.rows) and all(isinstance(row[at], Picture) for row in table.rows)
