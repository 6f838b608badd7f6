"""Every page in the real JupyterLab: light, dark, and untrusted, where it is sanitised.

One notebook has all pages. It is run twice, once in each theme; what the light run gave is opened
again as a notebook that came from somebody else, and so in Notebook 7 as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbconvert import HTMLExporter, LatexExporter, MarkdownExporter
from nbconvert.filters.latex import escape_latex

from hf_magics.display.visible import visible

from .every_page import ATTACKS, CELLS, FOLDER, PLAIN
from .lab import Lab, OpenNotebook, notebook
from .reading import CONTRASTS, READ, line_of, rows_in_text, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BUDGET = 65_536
NARROW = (1000, 900)
WIDE = "import os\nos.environ['COLUMNS'] = '800'"  # text without wrapped cells: a row is a line

NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.context.model.toJSON()"
NAMES = "pages => pages.flatMap(page => [...page.querySelectorAll('img')].map(one => one.alt))"
NOTES = """pages => pages.map(page => [...page.children]
    .filter(part => part.style.borderLeft).map(note => note.textContent))"""
LINES = """pages => pages.map(page => [...page.querySelectorAll('li > details > summary')]
    .filter(line => line.checkVisibility())
    .map(line => line.getBoundingClientRect().top))"""
WORDS = """() => document.body.textContent
    + [...document.querySelectorAll('img')].map(image => `(${image.alt})`).join('')"""
FORMULA = "mjx-container, .MathJax"
# what the browser would make of the HTML as it was sent, beside what is on the screen
COMPARE = """(pages, sources) => pages.map((page, at) => {
    const sent = new DOMParser().parseFromString(sources[at], 'text/html').body.firstElementChild;
    const form = root => [root, ...root.querySelectorAll('*')].map(element => [
        element.tagName, element.style.cssText, element.scope, element.title, element.className,
    ]);
    return [form(sent), form(page)];
})"""
HANDLERS = """pages => pages.flatMap(page => [...page.querySelectorAll('*')])
    .flatMap(element => [...element.attributes])
    .filter(attribute => attribute.name.startsWith('on'))
    .map(attribute => attribute.name)"""


@dataclass
class View:
    """The notebook on the screen, and the outputs that it shows."""

    shown: OpenNotebook
    document: dict[str, Any]

    @property
    def pages(self) -> Locator:
        """Our own outputs, from top to bottom."""
        return self.shown.page.locator(".jp-OutputArea-output .hf-magics")

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs of all cells, as the notebook's file holds them."""
        return [output for cell in self.document["cells"] for output in cell["outputs"]]

    def sent(self, kind: str) -> list[str]:
        """Each page as the kernel sent it, in one of its forms."""
        data = [output["data"] for output in self.outputs if "data" in output]
        ours = [one for one in data if "hf-magics" in "".join(one.get("text/html", ""))]
        return ["".join(one[kind]) for one in ours]


@pytest.fixture(scope="module")
def opened(lab_of_module: Lab) -> Iterator[Lab]:
    yield lab_of_module
    lab_of_module.close()


def run_in(lab: Lab, theme) -> View:
    shown = lab.open(notebook(WIDE, *CELLS), theme)
    return View(shown, shown.page.evaluate(NOTEBOOK))


@pytest.fixture(scope="module")
def light(opened: Lab) -> View:
    return run_in(opened, "light")


@pytest.fixture(scope="module")
def dark(opened: Lab) -> View:
    return run_in(opened, "dark")


@pytest.fixture(scope="module")
def untrusted(opened: Lab, light: View) -> View:
    return View(opened.open(of_somebody(light), run=False), light.document)


@pytest.fixture(scope="module")
def notebook_7(opened: Lab, light: View) -> View:
    shown = opened.open(of_somebody(light), "dark", app="notebook", run=False)
    assert shown.page.locator("#jp-NotebookLogo").is_visible()
    return View(shown, light.document)


def of_somebody(view: View) -> dict[str, Any]:
    """The notebook that ran as another file: JupyterLab trusts what it has itself saved."""
    return {**view.document, "metadata": {**view.document["metadata"], "from": "somebody"}}


@pytest.fixture(scope="module", params=["light", "dark", "untrusted", "notebook_7"])
def view(request) -> View:
    return request.getfixturevalue(request.param)


def test_every_cell_shows_its_page(view: View):
    """Nothing failed or was printed, and every magic that `%hf` lists is among the cells."""
    assert [one for one in view.outputs if one["output_type"] in {"error", "stream"}] == []
    ours = [cell for cell in CELLS if cell.startswith(("%hf", "%%hf")) or cell in PLAIN]
    assert view.pages.count() == len(ours)
    listed = view.pages.first.locator("tbody th").all_inner_texts()
    assert len(listed) > 5
    assert [name for name in listed if name.lstrip("%") not in "\n".join(CELLS)] == []


def test_trust_is_as_it_should_be(view: View, request):
    trusted = request.node.callspec.id in {"light", "dark"}
    assert set(view.shown.trusted) == {trusted}


def test_a_row_of_a_table_is_a_line_of_the_text(view: View):
    """The same numbers and labels, in the same order; a folded table may be cut in the text."""
    pages = view.pages.evaluate_all(READ)

    checked = 0
    for page, text in zip(pages, view.sent("text/plain"), strict=True):
        for whole in page["rows"]:
            rows = rows_in_text(whole, text)
            if not rows:  # of images alone: the text names them
                named = [word for name in whole[0][1:] for word in name.split()]
                assert [word for word in named if word not in text] == []
                continue
            assert re.search(line_of(rows[0]), text, re.MULTILINE), rows[0]
            cut = "more rows are not shown" in text
            missing = [row for row in rows if not re.search(line_of(row), text, re.MULTILINE)]
            assert not missing or cut, missing
            checked += len(rows) - len(missing)
    assert checked > 200


def test_every_word_of_the_text_is_on_the_screen(view: View):
    pages = view.pages.evaluate_all(READ)

    for page, text in zip(pages, view.sent("text/plain"), strict=True):
        there = re.sub(r"\s", "", page["text"])
        assert [word for word in words_of(text) if word not in there] == []


def test_titles_notes_and_captions_are_in_the_text(view: View):
    pages = view.pages.evaluate_all(READ)

    for page, text in zip(pages, view.sent("text/plain"), strict=True):
        there = re.sub(r"\s", "", text)
        named = [re.sub(r"\s", "", name) for name in page["named"]]
        # of %hf_code a terminal has the whole script as it is, under no heading of its own
        named = [name for name in named if not name.startswith("Thewholescript")]
        assert [name for name in named if name not in there] == []


def test_no_note_is_said_twice(view: View):
    for page in view.pages.evaluate_all(NOTES):
        assert len(set(page)) == len(page)


def test_nothing_is_taken_away(view: View):
    """The sanitiser leaves every tag, style, heading's scope and title as it was sent."""
    for sent, drawn in view.pages.evaluate_all(COMPARE, view.sent("text/html")):
        assert drawn == sent


def test_tables_say_what_their_cells_are(view: View):
    rows = view.pages.locator("tbody tr").count()

    assert view.pages.locator("caption").count() > 10
    assert view.pages.locator("tbody th[scope=row]").count() == rows
    assert view.pages.locator("thead th:not([scope=col])").count() == 0
    assert view.pages.locator("td[scope], tbody th:not([scope])").count() == 0


def test_texts_stand_out_from_what_they_stand_on(view: View):
    """4.5 to 1, as WCAG 2.2 asks of texts at AA, on every tint and in both themes."""
    assert len(view.pages.evaluate_all(CONTRASTS, 22)) > 1_000  # none has more than 21
    assert view.pages.evaluate_all(CONTRASTS, 4.5) == []


def test_the_lines_of_a_tree_stand_under_each_other(view: View):
    """Each branch right below the one before it, whatever a notebook makes of lists."""
    trees = view.pages.evaluate_all(LINES)
    assert sum(map(len, trees)) > 50
    for tops in trees:
        assert tops == sorted(set(tops))


def test_pages_are_static_and_within_their_budget(view: View):
    assert view.pages.locator("script, style, svg, math, iframe, object, input, [id]").count() == 0
    assert view.pages.evaluate_all(HANDLERS) == []
    assert max(len(html.encode()) for html in view.sent("text/html")) <= BUDGET
    assert view.shown.foreign == []


def test_hostile_names_are_text(view: View):
    """They are read as they are, and neither ran nor put an element into the page."""
    text = "".join(page["text"] for page in view.pages.evaluate_all(READ))

    for attack in (*ATTACKS, FOLDER):
        assert visible(attack) in text
    assert not re.search("[\x00-\x08\x1b\u200b\u202e]", text)
    assert view.pages.locator("b, img:not([src^='data:image/'])").count() == 0
    assert view.shown.page.evaluate("document.body.dataset.ran") is None
    assert view.shown.problems == []


def test_dollar_signs_are_dollar_signs(view: View):
    """Where the page does not say so they begin a formula, as the control shows."""
    control = view.shown.html_outputs.first
    control.locator(FORMULA).first.wait_for(state="attached", timeout=30_000)

    assert view.pages.locator(FORMULA).count() == 0
    assert view.pages.filter(has_text="$5 and $6").count() >= 2


def test_the_notebook_never_scrolls_sideways(view: View):
    """Not in a narrow window either: what is too wide scrolls by itself."""
    before = view.shown.page.viewport_size
    assert not view.shown.scrolls_sideways
    view.shown.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert not view.shown.scrolls_sideways
    assert view.shown.wide_outputs == []
    view.shown.page.set_viewport_size(before)


EXPORTERS = {
    "HTML": HTMLExporter,
    "HTML without styles": lambda: HTMLExporter(sanitize_html=True),
    "Markdown": MarkdownExporter,
    "LaTeX": LatexExporter,
}


@pytest.fixture(scope="module", params=EXPORTERS)
def exported(request, light: View) -> tuple[str, str]:
    """The notebook that ran, as nbconvert writes it."""
    document = nbformat.from_dict(light.document)
    return request.param, EXPORTERS[request.param]().from_notebook_node(document)[0]


def test_an_exported_notebook_has_every_word(exported: tuple[str, str], light: View):
    """Of HTML as a browser reads it; LaTeX has the text, with what TeX would take for a command."""
    kind, written = exported
    spelt = escape_latex if kind == "LaTeX" else str
    there = re.sub(r"\s", "", written if kind == "LaTeX" else _read(written, light))
    # nbconvert's own sanitiser takes pictures away, and what they are called
    lost = light.pages.evaluate_all(NAMES) if kind == "HTML without styles" else []
    pictures = "|".join(re.escape(f"({name})") for name in lost) or "(?!)"
    for text in light.sent("text/plain"):
        words = words_of(re.sub(pictures, "", text))
        assert [word for word in words if spelt(word) not in there] == []


def _read(written: str, view: View) -> str:
    page = view.shown.page.context.new_page()
    page.set_content(written, wait_until="domcontentloaded")
    there = page.evaluate(WORDS)
    page.close()
    return there


def test_an_exported_page_is_as_narrow_as_its_window(exported: tuple[str, str], light: View):
    """600 pixels: what is too wide scrolls by itself."""
    kind, written = exported
    if not kind.startswith("HTML"):
        pytest.skip("no page")
    page = light.shown.page.context.new_page()
    page.set_viewport_size({"width": 600, "height": 900})
    page.set_content(written, wait_until="domcontentloaded")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 600
    page.close()
