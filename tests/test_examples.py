"""The examples, run from top to bottom in a kernel: what a reader who starts them will see."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbconvert import HTMLExporter

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.ipynb"))
TOUR = [path for path in EXAMPLES if path.stem == "tour"]
COURSE = [path for path in EXAMPLES if path.stem == "course"]
# what the models of the course answer: the real ones, and the toys that it trains
ANSWERS = {
    "embed": "Lines 1 and 2 are the most alike",
    "moods": "positive",
    "zero": "sport  0.9",
    "mask": "[C 0.99",
    "names": "[Charles Babbage PER]",
    "finder": "[Bergen 0.",
    "summary": "snow in cairo.",
    "translate": "el perro canta.",
    "eye": "down",
    "ear": "high",
    "next": "tired",
}
BUDGET = 65_536
MARK = '<div class="hf-magics'
# none of these may be left of a page's way to the screen
LEFT_OVERS = ("importing torch", "Traceback", "IProgress")


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def ran(request, tmp_path_factory):
    """An example with its outputs, run as a copy in a folder of its own."""
    folder = tmp_path_factory.mktemp("example")
    document = nbformat.read(shutil.copy(request.param, folder), as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        # the kernel's own folder: no start-up file of the user, no warning of its transport
        profile = folder / ".ipython/profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 'ERROR'")
        patch.setenv("IPYTHONDIR", str(profile.parent))
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(document, timeout=300, kernel_name="python3", resources=resources)
        return client.execute()


def code_cells(document) -> list:
    return [cell for cell in document.cells if cell.cell_type == "code"]


def outputs(document, kind: str) -> list:
    """The outputs of one kind, from top to bottom."""
    found = (output for cell in code_cells(document) for output in cell.outputs)
    return [output for output in found if output.output_type == kind]


def tensor_in(page: str) -> str:
    """The values of a page as torch prints them."""
    return re.search(r"tensor\(.*?\]\)", page, re.DOTALL).group()


def pages(cell) -> list:
    """What a cell shows as a page, in both of its forms."""
    data = [output.data for output in cell.outputs if "data" in output]
    return [one for one in data if one.get("text/html", "").startswith(MARK)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(path):
    cells = code_cells(nbformat.read(path, as_version=4))

    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_every_cell_runs_without_error_or_warning(ran):
    assert outputs(ran, "error") == []
    assert [one for one in outputs(ran, "stream") if one.name == "stderr"] == []
    assert all(cell.execution_count for cell in code_cells(ran))


def test_every_magic_shows_one_page_in_both_forms(ran):
    magics = [cell for cell in code_cells(ran) if "%hf" in cell.source]

    assert magics
    for cell in magics:
        (page,) = pages(cell)
        assert page["text/plain"].strip(), cell.source
        assert len(page["text/html"].encode()) <= BUDGET, cell.source
        assert len(page["text/plain"].encode()) <= BUDGET, cell.source


def test_no_progress_line_is_left(ran):
    displayed = [one.data.get("text/plain", "") for one in outputs(ran, "display_data")]
    printed = [one.text for one in outputs(ran, "stream")]

    assert all(text == "" for text in displayed)
    assert not [text for text in printed for mark in LEFT_OVERS if mark in text]


def test_it_becomes_html_with_every_page_in_it(ran):
    html, _ = HTMLExporter().from_notebook_node(ran)

    shown = [page["text/html"] for cell in code_cells(ran) for page in pages(cell)]
    converted = [str(page) for page in BeautifulSoup(html, "html.parser").select(".hf-magics")]
    assert converted == [str(BeautifulSoup(page, "html.parser")) for page in shown]


@pytest.mark.parametrize("ran", TOUR, indirect=True, ids=["tour"])
def test_the_tour_shows_the_six_steps_of_the_teaching_page(ran):
    shown = {cell.id: [page["text/plain"] for page in pages(cell)] for cell in code_cells(ran)}
    text = {name: "\n".join(found) for name, found in shown.items()}

    assert "4,385,920" in text["new"]
    assert "random" in text["new"]
    assert "22,713,216" in text["load"]
    assert "classifier.weight" in text["task"]
    assert "103 tensors" in text["save"]
    assert "[101, 7592, 999, 102]" in text["tokens"]
    assert "3 × 4 × 384" in text["infer"]
    assert "3 × 4 × 384" in text["infer-ids"]
    assert "sorter" in text["models"]
    assert "dropped tiny, sorter, again" in text["drop"]


@pytest.mark.parametrize("ran", COURSE, indirect=True, ids=["course"])
def test_the_course_teaches_what_its_text_says(ran):
    """Where the text says what stands on a page, it stands there, on toys and on real models."""
    shown = {cell.id: [page["text/plain"] for page in pages(cell)] for cell in code_cells(ran)}
    text = {name: "\n".join(found) for name, found in shown.items()}

    for name, answer in ANSWERS.items():
        assert answer in text[name], name
    assert "random" in text["transfer"]
    assert "9 it     2 dog" in text["attention"]
    assert "EncDecAttention" in text["both"]
    assert "differs" in text["config"].lower()
    assert "2 × 9 × 384" in text["states"]
    assert "1 × 10 × 384" in text["batch"]
    assert "3 pad tokens" in text["unmasked"]
    assert tensor_in(text["masked"]) == tensor_in(text["logits"])
    assert tensor_in(text["unmasked"]) != tensor_in(text["logits"])
    assert "10 were lost" in text["cut"]
    assert "[101, 4895, 8671, 2666, 3567, 6321, 19204, 3550, 999, 102]" in text["encode"]
    assert "unbelievably tokenized!" in text["decode"]
    assert "weights have changed" in text["code"]


def test_what_is_no_toy_is_not_trained():
    """Each cell that trains stands under a text that says so, and no other does."""
    cells = nbformat.read(COURSE[0], as_version=4).cells
    trains = [at for at, cell in enumerate(cells) if "\ntrain(" in cell.source]

    assert len(trains) == 7
    assert all("(toy)" in cells[at - 1].source for at in trains)
    assert sum("(toy)" in cell.source for cell in cells) == len(trains)
