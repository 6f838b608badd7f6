"""What a map is given to its source: a value of the notebook, or a file that is streamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_magics.inference.mapping.files import open_file
from hf_magics.inference.mapping.sources import Source
from hf_magics.inference.mapping.values import open_values


def open_source(value: Any, name: str = "", column: str = "") -> Source:
    """Return a value of the notebook, or a file, as a source.

    Args:
        value: A list, a Series, an array, a column of a ``datasets.Dataset``, a table, a stream of
            rows that can be gone through again, or a path.
        name: The notebook's name of it.
        column: The column of a table or a file.

    Raises:
        InputError: It is none of these, or there is no such column or file.
    """
    if isinstance(value, (str, Path)):
        return open_file(value, column)
    return open_values(value, name, column)
