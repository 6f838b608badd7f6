"""Progress: seen while it lasts, gone at the end; and interrupts while things are imported."""

import os
import pty
import subprocess
import sys
import termios

import nbformat
import pytest
from nbclient import NotebookClient

from tests.hub.children import hub_environment, run_python
from tests.magics.words import tiny_line

NEW = "hf.new('bert', hidden_size=32, num_hidden_layers=1, num_attention_heads=2)"
LONG_WORK = """
from hf_magics.display import progress
from hf_magics.magics.progress import line_maker
with progress.lines_from(line_maker(get_ipython())), progress.progress("walking") as meter:
    meter.at_once()
    meter._started = meter._shown = 0
    meter.advance(2, 3)
"""
INTERRUPTED = """
import os, signal, sys, threading, time
import hf_magics as hf
def interrupt():
    while "torch" not in sys.modules:
        time.sleep(0.001)
    time.sleep(WAIT)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    NEW
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted", len(hf.session))
assert len(NEW.model.config.to_dict()) > 5
import transformers
transformers.BertModel, transformers.AutoModelForMaskedLM, transformers.BertTokenizer
print("works", len(hf.session))
"""


@pytest.fixture
def env(tmp_path):
    return hub_environment("http://127.0.0.1:9", tmp_path)


def test_a_line_in_a_notebook_is_seen_and_then_empty(kernel):
    """It is one display, updated in place, that holds nothing when the cell is done."""
    sent = kernel.run(LONG_WORK)
    ids = {one["transient"]["display_id"] for _, one in sent}
    shown = [(kind, one["data"]["text/plain"]) for kind, one in sent]
    assert len(ids) == 1
    assert shown == [
        ("display_data", "walking …"),
        ("update_display_data", "walking: 2 of 3"),
        ("update_display_data", ""),
    ]


def test_an_executed_notebook_keeps_no_progress(tmp_path):
    """What nbclient saves has the pages, no line of progress, no stream and no widget."""
    cells = ["%load_ext hf_magics", tiny_line("a"), "%hf_models"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [one for cell in notebook.cells for one in cell.outputs]
    assert {one.output_type for one in outputs} == {"display_data", "execute_result"}
    for one in outputs:
        assert (one.output_type == "display_data") == (one.data["text/plain"] == "")
        assert not [kind for kind in one.data if "widget" in kind]
    assert "widgets" not in notebook.metadata


def test_a_script_without_a_terminal_shows_nothing(env):
    """Neither our line nor transformers' own bars reach a pipe."""
    done = run_python(f"import hf_magics as hf\n{NEW}\nhf.save('x')\nhf.load('x')", env)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_line_in_a_terminal_is_seen_and_then_gone(env):
    """On a terminal it is overwritten with blanks; what is left of it is nothing."""
    code = f"import hf_magics as hf\n{NEW}\nprint('done')"
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 100))
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=env, cwd=env["HOME"], stderr=theirs, stdout=theirs
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert child.wait(timeout=120) == 0, seen
    text = seen.decode()
    assert "importing torch and transformers" in text
    assert "done" in text
    assert left_on_screen(text) == ["done"]


def left_on_screen(text: str) -> list[str]:
    """The lines of a terminal after it has shown this text."""
    screen = [""]
    for part in text.replace("\x1b[A", "").replace("\r\n", "\n").split("\n"):
        for piece in part.split("\r"):
            screen[-1] = piece + screen[-1][len(piece) :]
        screen.append("")
    return [line.rstrip() for line in screen if line.strip()]


@pytest.mark.parametrize("wait", [0.2, 0.9, 1.6])
def test_an_interrupt_during_the_imports_breaks_nothing(env, wait):
    """It is held back until they are done: the same line works afterwards, and so does the rest."""
    code = INTERRUPTED.replace("NEW", NEW).replace("WAIT", str(wait))
    said = run_python(code, env).stdout.split("\n")
    assert said[0].startswith("interrupted")
    assert said[1] == "works 1"
