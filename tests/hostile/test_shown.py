"""What a stranger named, labelled or wrote is read on every page as it is, and does nothing.

Here it is the HTML and the text as they are sent; `tests/browser/test_strangers.py` looks at them
in a browser.
"""

import json
import re
from pathlib import Path

from nbconvert.filters.markdown import markdown2html

import hf_magics as hf
from hf_magics.display.visible import visible
from hf_magics.inference.tasks import TASKS
from hf_magics.inference.tasks.piped.table import PIPED
from hf_magics.magics.magics import HFMagics
from hf_magics.specs import InferSpec
from tests.hostile.cells import CELLS, FAILING, LOADS
from tests.hostile.reading import Read, strings, unseen
from tests.hostile.texts import ALL, SURROGATE

CUT = ("not shown", "more character", "more line", "are drawn", "are not shown in text")


def test_every_magic_has_a_cell():
    """What is new among the magics has to show what a stranger gave."""
    of = {cell.lstrip("%").split()[0] for cell in CELLS}
    assert of == {*HFMagics.magics["line"], *HFMagics.magics["cell"]}


def test_every_page_shows_it_as_text(stranger, capsys):
    """Nothing is markup or control, and each text that is on a page can be read in both forms."""
    read = 0
    for cell in CELLS:
        result = stranger.run(cell)
        html, text = Read(result._repr_html_()), repr(result)
        assert html.foreign == [], cell
        for drawn in (html.text, "".join(html.called), text, result.code):
            assert unseen(drawn) == [], cell
        compile(result.code, cell, "exec")  # nothing ends a string or a comment of the script
        read += is_readable(result, html.text, text, cell)
    assert read > 500
    said = capsys.readouterr()
    assert unseen(said.out) == unseen(said.err) == []
    assert said.err == ""
    done = {one.task for one in hf.session.log if isinstance(one, InferSpec)}
    assert {task.name for task in TASKS.values() if task not in PIPED} <= done  # of text, each


def test_every_error_is_one_line_of_text(stranger, capsys):
    """Mistyped names, configs that no model comes of, files in the way: nothing unseen in any."""
    for cell in LOADS:
        stranger.run(cell)
    read = 0
    capsys.readouterr()
    for cell in FAILING:
        line = stranger.error(cell)
        said = capsys.readouterr()
        assert unseen(line) == unseen(said.out) == unseen(said.err) == [], cell
        assert line in said.err, cell
        read += sum(visible(one) in line for one in ALL)
    assert read > 500


def test_an_error_of_a_bug_has_no_controls(stranger, capsys, monkeypatch):
    """What keeps its traceback is printed as it is, and so is what is behind it."""

    def broken(**_: object) -> None:
        try:
            {}[ALL[1]]
        except KeyError as error:
            raise RuntimeError("first\n\tsecond " + "".join(ALL)) from error

    monkeypatch.setattr("hf_magics.api.models", broken)
    result = stranger.ip.run_cell("%hf_models")
    said = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)  # the traceback's own colours
    assert isinstance(result.error_in_exec, RuntimeError)
    assert unseen(said) == []
    assert visible(SURROGATE) in said
    assert "first\n\tsecond <script>" in said
    said.encode()


def test_a_model_that_raises_is_one_line(stranger):
    """Of whatever it says."""
    stranger.run(LOADS[0])

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("".join(ALL))

    stranger.names["texts"] = ["x"]
    hf.session["sorter"].model.forward = broken
    for cell in ("%hf_infer -i texts", "%hf_attention -i texts", "%hf_layers sorter -i texts"):
        assert unseen(stranger.error(cell)) == []
    page = stranger.run("%hf_map texts")
    assert unseen(repr(page)) == unseen(Read(page._repr_html_()).text) == []


def test_a_notebook_that_is_written_has_texts(stranger):
    """The heading of a step names folders and texts: nbconvert keeps markup in one as it is."""
    stranger.run(LOADS[0])
    stranger.run('%hf_save "$saved" --overwrite')
    stranger.run("%hf_tokens -i texts")
    stranger.run('%hf_code --all --notebook "$book" --overwrite')
    cells = json.loads(Path(stranger.names["book"]).read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    read = [Read(markdown2html(text)) for text in texts]
    own = {"h2", "h2 id", "a", "a class", "a href"}  # the heading, and its own address
    assert {one for page in read for one in page.foreign} <= own
    for name in ("by <b onclick=alert(14)>", "saved <b onclick=alert(16)>", ALL[0]):
        assert name in "".join(page.text for page in read)
    assert unseen("".join("".join(cell["source"]) for cell in cells)) == []


def is_readable(result, html: str, text: str, cell: str) -> int:
    """How many of the texts stand on a page, each of them in its HTML and in its text."""
    there = "\n".join(strings(result._drawn()))
    found = [visible(one) for one in ALL if one in there]
    for drawn in (html, "".join(text.split())):
        cut = any(one in drawn or one.replace(" ", "") in drawn for one in CUT)
        spaced = drawn is html
        lost = [one for one in found if (one if spaced else "".join(one.split())) not in drawn]
        assert not lost or cut, (cell, lost)
    return len(found)
