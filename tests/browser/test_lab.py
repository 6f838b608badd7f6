"""The harness itself: a notebook is run, drawn and looked at as a reader would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .lab import Lab, notebook

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

SCRIPT = "<script>document.body.dataset.ran = 'yes'</script>"
SHOW = f"""
class Shown:
    def _repr_html_(self):
        return "<table><caption>a table</caption></table>{SCRIPT}"
Shown()
"""
OUTPUT = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"text/html": f"<table><caption>a table</caption></table>{SCRIPT}"},
}
WIDE = "<div style='width: 4000px'>wide</div>"


def with_output(html: str) -> dict:
    """A notebook that came with an output from somewhere else."""
    document = notebook("1")
    document["cells"][0]["outputs"] = [{**OUTPUT, "data": {"text/html": html}}]
    return document


@pytest.mark.parametrize(
    ("theme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(17, 17, 17)")]
)
def test_cells_run_in_the_theme_that_was_asked_for(lab: Lab, theme, background, tmp_path: Path):
    shown = lab.open(notebook("6 * 7", SHOW), theme)

    assert shown.outputs.first.inner_text().strip() == "42"
    assert shown.html_outputs.locator("caption").inner_text() == "a table"
    assert shown.trusted == [True]
    panel = shown.page.locator(".jp-Notebook")
    assert panel.evaluate("panel => getComputedStyle(panel).backgroundColor") == background
    shown.screenshot(tmp_path / "window.png")
    shown.screenshot(tmp_path / "output.png", of=shown.html_outputs)
    assert (tmp_path / "window.png").stat().st_size > (tmp_path / "output.png").stat().st_size > 0
    assert shown.problems == []
    assert shown.foreign == []


def test_a_notebook_that_is_only_opened_is_untrusted(lab: Lab):
    shown = lab.open(with_output(OUTPUT["data"]["text/html"]), run=False)

    assert shown.html_outputs.locator("caption").inner_text() == "a table"
    assert shown.trusted == [False]
    assert shown.page.evaluate("document.body.dataset.ran") is None
    assert shown.problems == []


def test_a_notebook_is_read_from_a_file_and_left_as_it_is(lab: Lab, tmp_path: Path):
    path = tmp_path / "of a user.ipynb"
    path.write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    before = path.read_bytes()

    lab.open(path, run=False)

    assert path.read_bytes() == before


def test_a_cell_that_fails_ends_the_run_and_its_error_is_shown(lab: Lab):
    shown = lab.open(notebook("1 / 0", "'never'"))

    assert "ZeroDivisionError" in shown.outputs.inner_text()


def test_dialogs_are_noted_and_closed(lab: Lab):
    shown = lab.open(
        notebook("from IPython.display import HTML\nHTML('<script>alert(1)</script>')")
    )

    assert shown.problems == ["dialog: 1"]


def test_errors_of_scripts_and_foreign_addresses_are_noted(lab: Lab):
    shown = lab.open(with_output("<img src='http://somewhere.invalid/a.png'>"), run=False)
    shown.page.evaluate("setTimeout(() => { throw new Error('odd') })")
    shown.page.wait_for_timeout(100)

    assert shown.problems == ["error: odd"]
    assert shown.foreign == ["http://somewhere.invalid/a.png"]


def test_an_output_wider_than_the_window_scrolls_by_itself(lab: Lab):
    shown = lab.open(with_output(WIDE), run=False)

    assert shown.wide_outputs == [0]
    assert not shown.scrolls_sideways
