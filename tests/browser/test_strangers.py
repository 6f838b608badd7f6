"""What a stranger named, labelled or wrote, on the screen of the real JupyterLab: it is read.

One notebook has every magic on hostile checkpoints, and lines that fail. It is run once, and what
that gave is opened again as a notebook that came from somebody else. The notebook that
``%hf_code --notebook`` wrote is opened too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hf_magics.display.visible import visible
from tests.hostile.cells import CELLS, FAILING, names
from tests.hostile.reading import Read, unseen
from tests.hostile.strangers import PLACE, made
from tests.hostile.texts import ALL

from .lab import Lab, OpenNotebook, notebook
from .test_pages import FORMULA, HANDLERS, NOTEBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONTROL = "from IPython.display import HTML\nHTML('<p>$a + b$</p>')"
SET_UP = """
import os, warnings
warnings.filterwarnings("ignore", message="IProgress not found")  # what transformers imports says
os.chdir({place!r})
globals().update({given!r})
"""
# cells that fail would end the run
FAIL = f"for line in {FAILING!r}:\n    _ = get_ipython().run_cell(line)"
TEXTS = "pages => pages.map(page => page.textContent)"
# what a text of a stranger might have made: none of our pages and lines has one of these
MADE = "script, style, svg, math, iframe, object, input, form, link, b, i, [id]"
ADDRESSES = """outputs => outputs.flatMap(output => [...output.querySelectorAll('[href], [src]')])
    .map(element => element.getAttribute('href') ?? element.getAttribute('src'))
    .filter(address => !address.startsWith('data:image/'))"""
PRINTED = ".jp-OutputArea-output:is([data-mime-type$='stderr'], [data-mime-type$='stdout'])"


@dataclass
class View:
    """The notebook on the screen, and what the kernel had sent for it."""

    shown: OpenNotebook
    document: dict[str, Any]

    def texts(self, of: str = ".hf-magics") -> list[str]:
        """The text of each page, or of each output of another kind, as it is on the screen."""
        found: list[str] = self.shown.page.locator(of).evaluate_all(TEXTS)
        return found

    def sent(self) -> list[str]:
        """The HTML of each page."""
        outputs = (one for cell in self.document["cells"] for one in cell["outputs"])
        html = ("".join(one.get("data", {}).get("text/html", "")) for one in outputs)
        return [one for one in html if "hf-magics" in one]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("strange") / PLACE
    return {"place": str(place), "given": names(place, made(place))}


@pytest.fixture(scope="module")
def trusted(lab_of_module: Lab, given: dict[str, Any]) -> Iterator[View]:
    cells = ("%load_ext hf_magics", SET_UP.format(**given), CONTROL, *CELLS, FAIL)
    shown = lab_of_module.open(notebook(*cells))
    yield View(shown, shown.page.evaluate(NOTEBOOK))
    lab_of_module.close()


@pytest.fixture(scope="module")
def untrusted(lab_of_module: Lab, trusted: View) -> View:
    # not the same file: JupyterLab trusts what it has itself saved
    other = {**trusted.document, "metadata": {**trusted.document["metadata"], "from": "somebody"}}
    return View(lab_of_module.open(other, run=False), trusted.document)


@pytest.fixture(params=["trusted", "untrusted"])
def view(request) -> View:
    return request.getfixturevalue(request.param)


def test_every_cell_has_its_page_or_its_line(view: View, request):
    assert len(view.texts()) == len(view.sent()) == len(CELLS)
    assert len("".join(view.texts(PRINTED)).splitlines()) == len(FAILING)
    assert set(view.shown.trusted) == {request.node.callspec.id == "trusted"}


def test_nothing_ran_and_nobody_was_asked(view: View):
    assert view.shown.problems == []
    assert view.shown.foreign == []
    assert view.shown.page.evaluate("document.body.dataset.ran") is None
    assert view.shown.page.locator(".jp-Notebook").is_visible()


def test_no_element_or_handler_or_address_is_theirs(view: View):
    ours = view.shown.page.locator(f".hf-magics, {PRINTED}")

    assert ours.locator(MADE).count() == 0
    assert view.shown.outputs.evaluate_all(HANDLERS) == []
    assert view.shown.outputs.locator(".hf-magics").evaluate_all(ADDRESSES) == []
    lines = view.shown.page.locator(PRINTED)  # in these JupyterLab makes links of what looks so
    assert not [one for one in lines.evaluate_all(ADDRESSES) if "script" in one]


def test_no_formula_is_theirs(view: View):
    """Outside of our pages one is drawn, as the control shows."""
    view.shown.html_outputs.first.locator(FORMULA).first.wait_for(state="attached", timeout=30_000)

    assert view.shown.outputs.locator(FORMULA).count() == 1


def test_it_reads_as_it_was_sent(view: View):
    """Page by page, which has every text, and none of what can't be seen."""
    for text, html in zip(view.texts(), view.sent(), strict=True):
        assert "".join(text.split()) == "".join(Read(html).text.split())
    there = "\n".join(view.texts())
    assert [one for one in ALL if visible(one) not in there] == []
    assert unseen(there) == []


def test_a_line_that_failed_reads_as_it_is(view: View):
    lines = "".join(view.texts(PRINTED)).splitlines()

    assert all(line.startswith("UsageError: ") for line in lines)
    assert unseen("".join(lines)) == []
    assert sum(visible(one) in line for one in ALL for line in lines) > 500


def test_the_notebook_that_was_written_is_text(lab_of_module: Lab, trusted: View, given):
    """A heading of a Markdown cell has what was run, and where it was saved."""
    book = json.loads(Path(given["given"]["book"]).read_text())
    shown = lab_of_module.open(book, run=False)
    headings = shown.page.locator(".jp-RenderedMarkdown")

    assert headings.count() == sum(cell["cell_type"] == "markdown" for cell in book["cells"])
    assert shown.problems == shown.foreign == []
    assert headings.locator(f"{FORMULA}, img, b, i, em, strong, code, svg, style").count() == 0
    addresses = headings.evaluate_all(ADDRESSES)
    assert [one for one in addresses if not one.startswith("#")] == []  # JupyterLab's own
    text = "\n".join(headings.all_inner_texts())
    assert "saved <b onclick=alert(16)>\\x1b[35m\\u202e$s$" in text
    assert ALL[0] in text
