"""`%config HFMagics.show_plain`: formatters that are put in and taken back, and nothing else."""

import gc
import json
import weakref
from dataclasses import dataclass

import pytest
import torch
from transformers import BatchEncoding, BertConfig, BertModel
from transformers.modeling_outputs import BaseModelOutput as Output
from transformers.modeling_outputs import ModelOutput

from tests.hostile.reading import Read
from tests.hub.children import hub_environment, run_python

ON, OFF = (f"%config HFMagics.show_plain = {one}" for one in (True, False))
PAGE = "hf-magics"
SMALL = BertConfig(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, vocab_size=50
)


def registered(ip) -> dict:
    """Every printer that is registered, by formatter."""
    display = ip.display_formatter
    all_of_them = {**display.formatters, "bundle": display.mimebundle_formatter}
    return {
        kind: (dict(one.singleton_printers), dict(one.type_printers), dict(one.deferred_printers))
        for kind, one in all_of_them.items()
    }


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return BertModel(SMALL).eval()


# what stays as it is


def test_nothing_is_patched(on, model, capsys):
    """``print`` and ``repr`` are those from before, as are the classes' methods."""
    things = [
        torch.ones(2),
        Output(last_hidden_state=torch.ones(1)),
        BatchEncoding({"a": [1]}),
        SMALL,
        model,
    ]
    kinds = [kind for one in things for kind in type(one).__mro__]
    before = [(dict(vars(kind)), repr(kind)) for kind in kinds]
    texts = [(repr(one), str(one)) for one in things]
    for one in things:
        on.ip.display_formatter.format(one)
    assert [(repr(one), str(one)) for one in things] == texts
    assert [(dict(vars(kind)), repr(kind)) for kind in kinds] == before
    print(things[0])
    assert capsys.readouterr().out == "tensor([1., 1.])\n"


@pytest.mark.parametrize("shown_before", [False, True])
def test_what_is_inside_of_something_is_as_it_was(shell, shown_before, model):
    """A list of tensors, of outputs or of configs has no page."""
    output = model(torch.tensor([[1]]))
    things = ([torch.ones(2)], {"a": output, "b": [output]}, (SMALL,), [[model]])
    before = [shell.ip.display_formatter.format(one) for one in things]
    shell.run(ON)
    if shown_before:
        shell.ip.display_formatter.format(output)
    assert [shell.ip.display_formatter.format(one) for one in things] == before


class Broken(torch.Tensor):
    """A tensor that can't be looked into."""

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("not to be looked into")

    def __repr__(self, **_):
        return "Broken()"


@dataclass
class BrokenOutput(ModelOutput):
    """An output that can't be looked into."""

    x: object = None

    def items(self):
        """Refuse."""
        raise RuntimeError("not to be looked into")

    def __repr__(self):
        return "BrokenOutput()"


class BrokenConfig(BertConfig):
    """A config that can't be looked into."""

    def to_dict(self):
        """Refuse."""
        raise RuntimeError("nor this")

    def __repr__(self):
        return "BrokenConfig()"


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.Tensor._make_subclass(Broken, torch.ones(2)),
        torch.nn.parameter.UninitializedParameter,
        lambda: BrokenOutput(x=torch.ones(1)),
        BrokenConfig,
    ],
)
def test_what_can_not_be_shown_is_its_own_repr(bundle, make):
    """Without a traceback, a warning, or a word."""
    thing = make()
    assert bundle(thing) == {"text/plain": repr(thing)}


def test_a_subclass_that_draws_itself_does(bundle):
    class Drawn(torch.Tensor):
        def _repr_html_(self):
            return "<b>mine</b>"

    drawn = bundle(torch.ones(2).as_subclass(Drawn))
    assert drawn["text/html"] == "<b>mine</b>"
    assert PAGE not in drawn["text/plain"]


def test_a_subclass_that_changes_what_an_operation_is_has_a_page(page):
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise RuntimeError(func)

    assert "Odd · 2" in page(torch.ones(2).as_subclass(Odd))


def test_no_tensor_is_kept(on):
    """Once it is out of the notebook's variables and of Out, it is gone."""
    tensor, output = torch.ones(3), Output(last_hidden_state=torch.ones(3))
    gone = [weakref.ref(tensor), weakref.ref(output.last_hidden_state)]
    for one in (tensor, output):
        on.ip.display_formatter.format(one)
    del tensor, output, one
    gc.collect()
    assert [one() for one in gone] == [None, None]


def test_a_terminal_is_not_drawn_html_for(on, monkeypatch):
    monkeypatch.setattr("hf_magics.display.html.render", None)
    on.ip.display_formatter.active_types = ["text/plain"]
    drawn, _ = on.ip.display_formatter.format(torch.ones(2))
    on.ip.display_formatter.active_types = list(on.ip.display_formatter.formatters)
    assert "Tensor · 2" in drawn["text/plain"]


# on and off


def test_it_is_off_by_default_and_says_what_it_does(shell, capsys):
    shell.run("%config HFMagics")
    said = " ".join(capsys.readouterr().out.split())
    assert "HFMagics.show_plain=<Bool> show bare tensors, ModelOutputs, BatchEncodings" in said
    assert "Current: False" in said.partition("show_plain")[2]
    assert set(shell.ip.display_formatter.format(torch.ones(2))[0]) == {"text/plain"}


@pytest.mark.parametrize("shown", [False, True])
def test_off_is_as_it_was_before(shell, shown):
    """Every printer of every formatter, whether or not something was shown meanwhile."""
    before = registered(shell.ip)
    for off in (OFF, "%unload_ext hf_magics"):
        shell.run(ON)
        shell.run("%config HFMagics.rows = 20")
        if shown:
            for one in (torch.ones(1), Output(), SMALL):
                shell.ip.display_formatter.format(one)
        assert registered(shell.ip) != before
        shell.run(off)
        assert registered(shell.ip) == before
    shell.run("%load_ext hf_magics")  # the shell's config still says that it is on
    assert registered(shell.ip) != before


@pytest.mark.parametrize("kind", ["bundle", "deferred bundle", "text/html", "text/plain"])
def test_a_formatter_of_the_users_own_comes_back(shell, kind):
    """Of bundles ours is in its place meanwhile; of single forms theirs goes first."""
    display = shell.ip.display_formatter
    formatter = display.formatters.get(kind, display.mimebundle_formatter)
    mine = {
        "text/html": lambda _: "mine",
        "text/plain": lambda _, printer, _cycle: printer.text("mine"),
    }.get(kind, lambda _: {"text/html": "mine"})
    formatter.for_type("torch.Tensor" if kind.startswith("deferred") else torch.Tensor, mine)
    before = registered(shell.ip)
    tensor = torch.ones(2)
    shell.run(ON)
    drawn, _ = display.format(tensor)
    assert ("mine" in drawn.values()) == (kind in drawn)
    shell.run(OFF)
    assert registered(shell.ip) == before
    assert "mine" in display.format(tensor)[0].values()


def test_a_formatter_that_was_registered_meanwhile_stays(on):
    bundles = on.ip.display_formatter.mimebundle_formatter
    bundles.for_type(torch.Tensor, lambda _: {"text/html": "newer"})
    on.run(OFF)
    assert on.ip.display_formatter.format(torch.ones(2))[0]["text/html"] == "newer"


def test_a_reload_keeps_nothing_twice(on):
    on.run("%reload_ext hf_magics")
    on.run(ON)
    on.run("%unload_ext hf_magics")
    assert PAGE not in str(on.ip.display_formatter.format(torch.ones(2)))
    on.run("%load_ext hf_magics")


def test_turning_it_on_imports_nothing_heavy_and_a_profile_can_do_it(tmp_path):
    folder = tmp_path / "ipython" / "profile_default"
    folder.mkdir(parents=True)
    set_on = "c = get_config()\nc.HFMagics.show_plain = True\nc.HFMagics.warm_start = False\n"
    (folder / "ipython_config.py").write_text(set_on)
    code = (
        "import sys\n"
        "from IPython.terminal.ipapp import TerminalIPythonApp as App\n"
        "app = App.instance(); app.initialize(['--no-banner'])\n"
        "app.shell.run_line_magic('load_ext', 'hf_magics')\n"
        "print('heavy', {'torch', 'transformers', 'numpy'} & set(sys.modules))\n"
        "import torch\n"
        "print(app.shell.display_formatter.format(torch.ones(2))[0]['text/plain'])"
    )
    out = run_python(code, hub_environment("http://127.0.0.1:9", tmp_path)).stdout
    assert "heavy set()" in out
    assert "Tensor · 2 · float32 · cpu" in out


def test_a_kernel_sends_the_page_as_the_cells_result(kernel):
    """In both forms, as long as it is on; a traceback is nowhere."""
    kernel.run("import torch\nfrom transformers import BertConfig\nx = torch.arange(6.0)")

    def result(cell: str) -> dict[str, str]:
        (one,) = (content for kind, content in kernel.run(cell) if kind == "execute_result")
        return json.loads(json.dumps(one["data"]))

    assert result("x") == {"text/plain": "tensor([0., 1., 2., 3., 4., 5.])"}
    kernel.run(ON)
    try:
        for cell, said in (("x", "2.5000"), ("BertConfig()", "Every field is as in BertConfig")):
            data = result(cell)
            assert set(data) == {"text/html", "text/plain"}
            assert said in data["text/plain"]
            assert said in Read(data["text/html"]).text
        assert result("[x]") == {"text/plain": "[tensor([0., 1., 2., 3., 4., 5.])]"}
    finally:
        kernel.run(OFF)
    assert result("x") == {"text/plain": "tensor([0., 1., 2., 3., 4., 5.])"}
