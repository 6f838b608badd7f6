"""A warm start imports while the notebook is idle, says nothing, and can't be broken off."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from hf_magics.first_import import AHEAD
from tests.magics.kernels import Kernel

pytestmark = pytest.mark.slow

LOADED = "import sys\n'torch' in sys.modules"
WAIT_S = 90  # for imports on a busy machine


@pytest.fixture
def bare(tmp_path):
    """A kernel of its own, without the extension."""
    with Kernel.started(tmp_path) as one:
        yield one


def wait_for(kernel, module) -> None:
    """Look from time to time whether a module is there, as a cell may."""
    end = time.monotonic() + WAIT_S
    while kernel.text(f"import sys\n{module!r} in sys.modules") != "True":
        assert time.monotonic() < end, f"{module} was never imported"
        time.sleep(1.5)


def test_an_idle_notebook_has_all_imported_and_nothing_said(bare, minilm):
    """No cell asked for it; no message was sent; the first load imports nothing big."""
    assert bare.run("%load_ext hf_magics") == []
    assert bare.text(LOADED) == "False"
    wait_for(bare, AHEAD[-1])
    made = "sys.modules['transformers.conversion_mapping']._checkpoint_conversion_mapping_cache"
    assert bare.text(f"bool({made})") == "True"
    before = int(bare.text("len(sys.modules)"))
    sent = bare.run(f"%hf_load {minilm} -n m\n%hf_infer -q hello")
    assert not [content for kind, content in sent if kind == "stream"]
    assert int(bare.text("len(sys.modules)")) - before < 30


def test_nothing_is_imported_while_a_cell_runs(bare):
    """A cell that sleeps is not idleness; neither is the moment between two cells."""
    bare.run("%load_ext hf_magics")
    assert bare.text("import time, sys\ntime.sleep(3)\n'torch' in sys.modules") == "False"


def test_it_is_switched_off_by_its_trait(bare):
    """In the cell that loads the extension, or in a configuration."""
    bare.run("%load_ext hf_magics\n%config HFMagics.warm_start = False")
    time.sleep(4)
    assert bare.text(LOADED) == "False"


def test_unloading_stops_it(bare):
    bare.run("%load_ext hf_magics")
    bare.run("%unload_ext hf_magics")
    time.sleep(4)
    assert bare.text("import sys\n'transformers' in sys.modules") == "False"
    assert "hf-magics" not in bare.text("import threading\nstr(threading.enumerate())")


def test_interrupts_break_no_import(tmp_path, minilm):
    """SIGINT every 50 ms while it imports, idle and with cells between: the load works."""
    for round_ in range(2):
        with Kernel.started(tmp_path) as kernel:
            pid = int(kernel.text("import os\nos.getpid()"))
            kernel.run("%load_ext hf_magics")
            end = time.monotonic() + 3
            while time.monotonic() < end:
                os.kill(pid, signal.SIGINT)
                time.sleep(0.05)
                if round_:
                    kernel.sent("1 + 1")
            time.sleep(0.2)
            kernel.run(f"%hf_load {minilm} -n m")
            assert "hello" in kernel.text("%hf_infer hello")
        shutil.rmtree(tmp_path, ignore_errors=True)
        tmp_path.mkdir()


def test_an_interrupt_at_the_start_of_a_cell_is_that_cells(bare):
    """The cell that had to wait for a step hears it, not IPython's own callback."""
    pid = int(bare.text("import os\nos.getpid()"))
    bare.run("%load_ext hf_magics")
    time.sleep(1)
    code = f"""
        import os, signal, subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "import os, time; time.sleep(0.1); os.kill({pid}, 2)"])
    """
    bare.run(textwrap.dedent(code))
    reply, messages = bare.sent("import time\ntime.sleep(20)")
    assert reply["status"] == "error"
    assert reply["ename"] == "KeyboardInterrupt"
    assert not [one for kind, one in messages if kind == "stream" and "callback" in one["text"]]


def test_it_can_be_switched_on_again(bare):
    """Off before it began, on later: the next idle moment is used."""
    bare.run("%load_ext hf_magics\n%config HFMagics.warm_start = False")
    time.sleep(1)
    bare.run("%config HFMagics.warm_start = True")
    wait_for(bare, "torch")


def test_a_process_ends_cleanly_in_the_middle_of_it(tmp_path):
    """No crash, no word: the step under way comes to its end first."""
    code = """
        import time
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_cell("%load_ext hf_magics")
        time.sleep(1.0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        check=False,
        timeout=WAIT_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_failing_import_is_told_by_the_verb_that_needs_it(bare, tmp_path):
    """In the background nothing is said of it; the first load says what is wrong."""
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers" / "__init__.py").write_text("raise ImportError('torn apart')\n")
    bare.run(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})")
    assert bare.run("%load_ext hf_magics") == []
    time.sleep(6)
    reply, _ = bare.sent("%hf_load bert-base-cased --offline")
    assert reply["status"] == "error"
    assert "torn apart" in reply["evalue"]


def test_a_warning_of_the_users_own_is_shown_at_once(tmp_path):
    """While an import is under way beside it; that of the import waits for a verb."""
    (tmp_path / "slow.py").write_text(
        "import time, warnings\nwarnings.warn('of the import')\nopen('begun', 'w')\ntime.sleep(1)\n"
    )
    script = """
        import os, sys, threading, time, warnings
        from hf_magics.first_import import import_ahead
        sys.path.insert(0, "")
        ahead = threading.Thread(target=import_ahead, args=("slow",))
        ahead.start()
        while not os.path.exists("begun"):
            time.sleep(0.01)
        warnings.warn("of the cell")
        assert ahead.is_alive()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "of the cell" in done.stderr
    assert "of the import" not in done.stderr


@pytest.mark.parametrize("wanted", [True, False])
def test_the_garbage_collector_is_left_as_it_was(wanted):
    """It rests during the imports, which make nothing that it could collect."""
    script = f"""
        import gc, sys
        from hf_magics.first_import import first_import
        class Seen:
            def find_spec(self, name, *_):
                seen.append(gc.isenabled())
        seen = []
        sys.meta_path.insert(0, Seen())
        {"" if wanted else "gc.disable()"}
        with first_import():
            pass
        assert seen and not any(seen), len(seen)
        assert gc.isenabled() is {wanted}
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
