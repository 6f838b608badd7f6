"""The gallery before it has run: it has every magic, and the cells that the browser is tested with."""

from __future__ import annotations

from itertools import pairwise

from nbformat import validate
from nbformat.v4 import new_code_cell, new_notebook

from hf_magics.magics.magics import HFMagics

from .every_page import CELLS
from .gallery import execute, gallery

MAGICS = {*HFMagics.magics["line"], *HFMagics.magics["cell"]}


def sources(kind: str) -> list[str]:
    return [cell.source for cell in gallery().cells if cell.cell_type == kind]


def test_every_magic_is_in_it():
    called = {cell.lstrip("%").split()[0] for cell in sources("code") if cell.startswith("%")}

    assert MAGICS - called == set()


def test_its_cells_are_those_that_the_browser_shows():
    validate(gallery())

    assert tuple(sources("code")) == CELLS


def test_a_heading_stands_above_every_group():
    kinds = [cell.cell_type for cell in gallery().cells[1:]]

    assert kinds[0] == "markdown"
    assert ("markdown", "markdown") not in pairwise(kinds)
    assert len(set(sources("markdown"))) == kinds.count("markdown") + 1


def test_what_ran_has_its_outputs_and_a_failure_its_line():
    well = new_notebook(cells=[new_code_cell("6 * 7")])
    ill = new_notebook(cells=[new_code_cell("'first'"), new_code_cell("1 / 0")])

    assert execute(well) == ""
    assert well.cells[0].outputs[0].data["text/plain"] == "42"
    assert execute(ill) == "ZeroDivisionError: division by zero"
    assert ill.cells[0].outputs[0].data["text/plain"] == "'first'"
