"""The names of a table's columns, for Tab: of a variable, or of a file."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from hf_magics.errors import HFMagicsError
from hf_magics.inference.mapping.files import column_names
from hf_magics.inference.mapping.sources import labels_of
from hf_magics.paths import path_of


def columns_of(name: str, variables: Mapping[str, Any]) -> list[str]:
    """Return the columns of a variable or file of that name, none where there are none to see."""
    table = variables.get(name)
    if table is None:
        return _columns_in(name)
    return list(map(str, labels_of(table)))


def _columns_in(file: str) -> list[str]:
    try:
        return column_names(path_of(file))
    except (HFMagicsError, OSError, zlib.error):  # running the line says what is wrong
        return []
