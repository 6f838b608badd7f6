"""Loading, reloading and unloading the extension; what loading imports; `%config`."""

import gc
import json
import weakref

import pytest
from IPython.core.interactiveshell import InteractiveShell

from hf_magics.magics.magics import HFMagics
from hf_magics.settings import Settings
from tests.hub.children import hub_environment, run_ipython, run_python
from tests.magics.words import tiny_line

TYPED = ["%hf", "%hf_load --help", "%hf_load?", "%config HFMagics"]
IMPORTED = """
import sys, json
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.completer import provisionalcompleter
ip = InteractiveShell.instance()
ip.run_line_magic("load_ext", "hf_magics")
for cell in json.loads(sys.argv[1] if len(sys.argv) > 1 else CELLS):
    assert ip.run_cell(cell).success, cell
with provisionalcompleter():
    for line in LINES:
        assert list(ip.Completer.completions(line, len(line))), line
print()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "transformers", "numpy"}))
"""


def state(ip: InteractiveShell) -> dict:
    """All that an extension can leave in a shell."""
    return {
        "magics": {kind: dict(found) for kind, found in ip.magics_manager.magics.items()},
        "lazy": dict(ip.magics_manager.lazy_magics),
        "registry": list(ip.magics_manager.registry),
        "configurables": [type(one).__name__ for one in ip.configurables],
        "matchers": list(ip.Completer.custom_matchers),
        "attributes": sorted(vars(ip)),
        "traits": sorted(ip.traits()),
        "events": {name: list(found) for name, found in ip.events.callbacks.items()},
        "formatters": {
            name: (dict(one.type_printers), dict(one.deferred_printers))
            for name, one in ip.display_formatter.formatters.items()
        },
        "variables": sorted(set(ip.user_ns) - {"_exit_code"}),
        "hooks": sorted(ip.display_formatter.active_types),
    }


@pytest.fixture
def bare(shell):
    """The shell before the extension is loaded."""
    shell.ip.run_line_magic("unload_ext", "hf_magics")
    return shell.ip


def test_unloading_leaves_the_shell_as_it_was(bare):
    """However often it is loaded, reloaded and unloaded."""
    before = state(bare)
    for _ in range(3):
        bare.run_line_magic("load_ext", "hf_magics")
        assert bare.find_line_magic("hf_load")
        bare.run_line_magic("reload_ext", "hf_magics")
        bare.run_line_magic("unload_ext", "hf_magics")
        assert bare.find_line_magic("hf_load") is None
        assert state(bare) == before
    bare.run_line_magic("load_ext", "hf_magics")


def test_nothing_is_there_twice(shell):
    """Loading and reloading again add no second matcher, configurable or magic."""
    before = state(shell.ip)
    for line in ("load_ext", "reload_ext", "reload_ext", "load_ext"):
        shell.ip.run_line_magic(line, "hf_magics")
    after = state(shell.ip)
    assert len(after["matchers"]) == len(before["matchers"])
    assert after["configurables"] == before["configurables"]
    assert after["configurables"].count("HFMagics") == 1
    assert after["attributes"] == before["attributes"]
    assert {kind: sorted(found) for kind, found in after["magics"].items()} == {
        kind: sorted(found) for kind, found in before["magics"].items()
    }


def test_the_magics_of_others_stay(bare):
    """A magic of the user's own whose name begins with ``hf_`` is not taken away."""
    mine = bare.register_magic_function(lambda line: line, "line", "hf_mine")
    bare.run_line_magic("load_ext", "hf_magics")
    bare.run_line_magic("unload_ext", "hf_magics")
    assert bare.run_line_magic("hf_mine", "x") == "x", mine
    bare.run_line_magic("load_ext", "hf_magics")


def test_the_session_survives_a_reload(tiny, session):
    """Models, the log and their names are those from before."""
    model = session["tiny"].model
    tiny.ip.run_line_magic("reload_ext", "hf_magics")
    assert session["tiny"].model is model
    assert "tiny" in repr(tiny.run("%hf_models"))
    tiny.ip.run_line_magic("unload_ext", "hf_magics")
    tiny.ip.run_line_magic("load_ext", "hf_magics")
    assert tiny.run("%hf_infer hello").model is model


def test_unloading_lets_go_of_the_magics(bare):
    """The instance of the magics does not stay alive after it."""
    bare.run_line_magic("load_ext", "hf_magics")
    alive = weakref.ref(bare.configurables[-1])
    assert isinstance(alive(), HFMagics)
    bare.run_line_magic("unload_ext", "hf_magics")
    gc.collect()
    assert alive() is None
    bare.run_line_magic("load_ext", "hf_magics")


def test_nothing_heavy_is_imported_before_a_verb_needs_it(tmp_path):
    """Neither loading, nor ``%hf``, nor help, nor Tab import torch, transformers or numpy."""
    lines = ["%hf_load --d", "%hf_new ber", "%hf_new bert hid", "%hf_new bert --class B"]
    code = f"CELLS = {json.dumps(json.dumps(TYPED))}\nLINES = {lines!r}\n{IMPORTED}"
    done = run_python(code, hub_environment("http://127.0.0.1:9", tmp_path))
    assert done.stdout.splitlines()[-1] == "[]"


def test_importing_the_package_imports_nothing_heavy(tmp_path):
    """``import hf_magics`` is as light, and does without IPython."""
    code = "import hf_magics, sys; print({'torch', 'transformers', 'IPython'} & set(sys.modules))"
    done = run_python(code, hub_environment("http://127.0.0.1:9", tmp_path))
    assert done.stdout.strip() == "set()"


def test_config_lists_every_default_with_its_help(shell, capsys):
    """``%config HFMagics`` shows each setting's name, value and help."""
    shell.run("%config HFMagics")
    shown = " ".join(capsys.readouterr().out.split())
    for name, one in Settings.__dataclass_fields__.items():
        assert f"HFMagics.{name}=" in shown
        assert " ".join(one.metadata["help"].split()) in shown
        assert f"Current: {one.default!r}" in shown


def test_every_trait_is_a_setting(shell):
    """The traits and the settings are the same names with the same defaults.

    Whether the imports are done ahead, and what is shown that no verb gave, is no matter of a verb.
    """
    (magics,) = (one for one in shell.ip.configurables if isinstance(one, HFMagics))
    assert magics.settings == Settings()
    own = set(HFMagics.class_own_traits(config=True)) - {"warm_start", "show_plain"}
    assert own <= set(Settings.__dataclass_fields__)


def test_rows_cut_a_table(tiny):
    """``%config HFMagics.rows`` says how long a table may be."""
    text = "%hf_tokens " + "word " * 30
    whole = repr(tiny.run(text))
    tiny.run("%config HFMagics.rows = 5")
    assert len(repr(tiny.run(text)).splitlines()) <= len(whole.splitlines()) - 20


def test_device_and_dtype_are_where_models_go(shell, session, minilm):
    """``%config HFMagics.device`` and ``.dtype`` stand in for the options, which win."""
    shell.names["folder"] = minilm
    shell.run('%config HFMagics.dtype = "bfloat16"')
    shell.run("%hf_load $folder -n half")
    shell.run("%hf_load $folder -n full --dtype float32")
    dtypes = [str(session[name].model.dtype) for name in ("half", "full")]
    assert dtypes == ["torch.bfloat16", "torch.float32"]
    shell.run('%config HFMagics.device = "nonsense"')
    for line in (tiny_line("other"), "%hf_load $folder -n another"):
        assert "nonsense" in shell.error(line)
        shell.run(f"{line} --device cpu")


def test_attention_is_a_default_too(tiny, session, tmp_path):
    """``%config HFMagics.attn`` chooses the implementation of what is loaded."""
    tiny.names["folder"] = str(tmp_path / "x")
    tiny.run("%hf_save tiny $folder")
    tiny.run('%config HFMagics.attn = "eager"')
    tiny.run("%hf_load $folder -n eager")
    tiny.run("%hf_load $folder -n sdpa --attn sdpa")
    used = [session[name].config._attn_implementation for name in ("eager", "sdpa")]
    assert used == ["eager", "sdpa"]


def test_outputs_bytes_is_the_budget_of_shown_results(tiny):
    """With a budget of nothing the tensors of a shown result are gone; the error says why."""
    tiny.run("%config HFMagics.outputs_bytes = 0")
    tiny.run("x = %hf_infer hello")
    with pytest.raises(Exception, match=r"outputs_bytes.*-o NAME"):
        _ = tiny.names["x"].outputs


def test_offline_asks_no_hub(shell):
    """``%config HFMagics.offline = True`` is ``--offline`` on every line."""
    shell.run("%config HFMagics.offline = True")
    assert "offline" in shell.error("%hf_load somebody/no-such-model")


def test_a_setting_of_the_wrong_type_is_refused(shell, caplog):
    """``%config`` keeps the value from before."""
    shell.run('%config HFMagics.rows = "many"')
    assert "expected an int" in caplog.text
    (magics,) = (one for one in shell.ip.configurables if isinstance(one, HFMagics))
    assert magics.rows == Settings().rows


def test_a_profile_sets_defaults(tmp_path):
    """``c.HFMagics.rows`` in ``ipython_config.py`` counts from the first line."""
    folder = tmp_path / "ipython" / "profile_default"
    folder.mkdir(parents=True)
    (folder / "ipython_config.py").write_text("c = get_config()\nc.HFMagics.rows = 7\n")
    cells = ["%load_ext hf_magics", "get_ipython().configurables[-1].rows"]
    env = hub_environment("http://127.0.0.1:9", tmp_path)
    code = (
        "from IPython.terminal.ipapp import TerminalIPythonApp as App\n"
        "app = App.instance(); app.initialize(['--quick', '--no-banner'][1:])\n"
        f"for cell in {cells!r}: result = app.shell.run_cell(cell)\n"
        "print('rows', result.result)"
    )
    assert "rows 7" in run_python(code, env).stdout


def test_a_failed_line_leaves_a_shell_that_works(tmp_path):
    """In a fresh shell: after an error, and after an interrupt while torch is imported."""
    interrupt = "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()"
    cells = [
        "%load_ext hf_magics",
        "%hf_infer --nope",
        f"import os, signal, threading\n{interrupt}\n%hf_infer hello\nimport time; time.sleep(60)",
        *("%hf_infer hello", tiny_line("a"), "%hf_use a"),
    ]
    done = run_ipython(cells, hub_environment("http://127.0.0.1:9", tmp_path))
    errors = [one.error for one in done]
    assert errors == [None, "UsageError", "KeyboardInterrupt", "UsageError", None, None]
