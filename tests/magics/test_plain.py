"""`%config HFMagics.show_plain`: bare objects as pages, by formatters that are taken back."""

import gc
import json
import weakref
from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BatchEncoding, BertConfig, BertModel, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions as Output
from transformers.modeling_outputs import ModelOutput

from hf_magics.display.numbers import number
from hf_magics.display.visible import visible
from tests.hostile.reading import Read, unseen
from tests.hostile.texts import SPOKEN
from tests.hub.children import hub_environment, run_python

ON, OFF = (f"%config HFMagics.show_plain = {one}" for one in (True, False))
PAGE = "hf-magics"
CACHE = next(one.name for one in fields(Output) if one.name in {"cache", "past_key_values"})
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


@pytest.fixture
def on(shell):
    """A shell that shows plain objects as pages."""
    shell.run(ON)
    return shell


@pytest.fixture
def bundle(on, capsys, monkeypatch):
    """What IPython makes of an object at the end of a cell, without a word on the side."""
    monkeypatch.setenv("COLUMNS", "200")

    def of(thing) -> dict[str, str]:
        capsys.readouterr()
        drawn, _ = on.ip.display_formatter.format(thing)
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "")
        return drawn

    return of


@pytest.fixture
def page(bundle):
    """The text of an object's page, which it has in HTML as well."""

    def of(thing) -> str:
        drawn = bundle(thing)
        assert set(drawn) == {"text/html", "text/plain"}
        assert PAGE in drawn["text/html"]
        assert Read(drawn["text/html"]).foreign == []
        return drawn["text/plain"]

    return of


@pytest.fixture(scope="module")
def tokenizer(minilm):
    return AutoTokenizer.from_pretrained(minilm)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return BertModel(SMALL).eval()


# tensors


def test_a_tensor_has_its_numbers_and_its_values(page):
    tensor = torch.randn(3, 4, 5)
    text = page(tensor)
    assert "Tensor · 3 × 4 × 5 · float32 · cpu" in text
    for value in (tensor.min(), tensor.max(), tensor.mean(), tensor.std()):
        assert number(value.item()) in text
    assert str(tensor) in text


@pytest.mark.filterwarnings("ignore:.*quantize", "ignore:Sparse")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.nn.Parameter(torch.ones(2)), ["Parameter · 2", "gradient  required"]),
        (lambda: torch.ones(2, requires_grad=True) * 2, ["required, made by MulBackward0"]),
        (lambda: torch.tensor(7), ["scalar", "tensor(7)"]),
        (lambda: torch.empty(0, 3), ["0 × 3", "tensor([], size=(0, 3))"]),
        (lambda: torch.tensor([True, False]), ["bool", "0.5000"]),
        (lambda: torch.ones(2, dtype=torch.complex64), ["Tensor.real", "Tensor.imag", "1.+0.j"]),
        (lambda: torch.eye(3).to_sparse(), ["sparse_coo", "Tensor.values()", "nnz=3"]),
        (lambda: torch.eye(3).to_sparse_csr(), ["sparse_csr", "Tensor.values()"]),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8), ["affine"]),
        (lambda: torch.ones(2, device="meta"), ["Note: it is on the meta device"]),
        (lambda: torch.tensor([1.0, float("nan")]), ["Warning: Tensor holds 1 NaN"]),
        (lambda: torch.ones(1).expand(10**12), ["4.0 TB, in a storage of 4 B", "of a sample"]),
        (lambda: torch.ones(4, 100)[:, 0], ["16 B, in a storage of 1.6 kB"]),
    ],
)
def test_tensors_of_every_kind(page, make, said):
    text = page(make())
    assert [one for one in said if one not in text] == []


# outputs


def test_an_output_is_a_table_of_its_tensors(page, model):
    output = model(torch.tensor([[1, 2, 3]]), output_hidden_states=True)
    text = page(output)
    assert f"{type(output).__name__} · 5 tensors" in text
    for name in (
        "last_hidden_state",
        "pooler_output",
        *(f"hidden_states[{at}]" for at in range(3)),
    ):
        assert name in text
    assert number(output.last_hidden_state.max().item()) in text
    assert f"None: {CACHE}, attentions, cross_attentions" in text


def test_caches_and_nested_outputs(page):
    cache = DynamicCache()
    cache.update(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 4), 0)
    text = page(Output(last_hidden_state=torch.ones(1), **{CACHE: cache}))
    assert "DynamicCache" in text
    assert "2 tensors of 1 × 2 × 3 × 4" in text
    old = ((torch.ones(2), torch.zeros(3)),)
    text = page(Output(**{CACHE: old}, hidden_states=Output(last_hidden_state=torch.ones(4))))
    assert f"{CACHE}[0][1]" in text
    assert "hidden_states.last_hidden_state" in text


def test_an_output_of_very_many_tensors(page, on):
    """The first have a row, and the page says how many more there are and how to see them."""
    on.run("%config HFMagics.rows = 5")
    text = page(Output(hidden_states=tuple(torch.ones(2) for _ in range(1_000))))
    assert "hidden_states[4]" in text
    assert "hidden_states[5]" not in text
    assert "995 more tensors: %config HFMagics.rows shows more" in " ".join(text.split())


def test_a_large_output_is_a_sample_of_each_tensor(page):
    """The page says which; a small one beside it counts in full."""
    huge = torch.ones(1).expand(2**30)
    text = page(Output(last_hidden_state=huge, hidden_states=(torch.arange(5.0), huge)))
    assert "last_hidden_state, hidden_states[1]: too large to count in full" in text
    assert "1073741824" in text


def test_a_list_that_holds_itself(page):
    values: list = [1]
    values.append(values)
    assert "2 values: 1" in page(Output(last_hidden_state=torch.ones(1), hidden_states=values))


def test_a_class_of_outputs_that_comes_of_another(page):
    """Each has a page, whichever was shown first."""

    @dataclass
    class Mine(Output):
        more: torch.Tensor | None = None

    page(Output(last_hidden_state=torch.ones(1)))
    assert "Mine · 1 tensor" in page(Mine(more=torch.ones(1)))
    assert "OrderedDict" not in page(ModelOutput(x=torch.ones(1)))


# encodings


@pytest.mark.parametrize("kind", [None, "pt", "np"])
def test_an_encoding_has_its_tokens(page, tokenizer, kind):
    encoding = tokenizer(["Hello!", "Unbelievable, really"], padding=True, return_tensors=kind)
    text = page(encoding)
    assert f"BatchEncoding · 2 lines · {2 * len(encoding['input_ids'][0])} tokens" in text
    for one in ("unbelievable", "23653", "0–12", "special", "attention_mask"):
        assert one in text


def test_the_encoding_of_one_text_and_of_a_pair(page, tokenizer):
    assert "1 line · 4 tokens" in page(tokenizer("Hello!"))
    assert "1 line · 5 tokens" in page(tokenizer("Hello", "you"))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.__setitem__("input_ids", [[5, 6, 7, 8]]),
        lambda one: one.__setitem__("input_ids", [one["input_ids"][0], [1]]),
        lambda one: one.data.pop("input_ids"),
        lambda one: setattr(one, "_encodings", None),
    ],
)
def test_an_encoding_that_was_changed_is_a_table(page, tokenizer, change):
    """Of what the tokenizer knew nothing is shown that is not so any more."""
    encoding = tokenizer(["Hello!"])
    change(encoding)
    text = page(encoding)
    assert "What it holds" in text
    assert "Tokens of line" not in text


def test_an_encoding_without_a_tokenizer(page):
    held = {"input_ids": torch.tensor([[1, 2]]), "mask": np.ones((1, 2)), "words": ["a", "b"]}
    text = page(BatchEncoding(held))
    assert "BatchEncoding · 3 entries" in text
    assert "float64" in text
    assert "2 values: a, b" in text


def test_a_long_encoding_is_cut(page, on, tokenizer):
    on.run("%config HFMagics.rows = 5")
    text = page(tokenizer(["word " * 100] * 20))
    assert "15 more lines: %config HFMagics.rows shows more" in text
    assert "101 more tokens: %config HFMagics.rows shows more" in " ".join(text.split())


# configs and models


def test_a_config_has_first_what_differs(page, on):
    text = page(SMALL)
    on.names["small"] = SMALL
    assert text.index("hidden_size") < text.index("fields the same")
    assert "Differs from BertConfig defaults" in text


def test_what_a_stranger_wrote_into_a_config_is_text(bundle):
    hostile = BertConfig(id2label=dict(enumerate(SPOKEN)), architectures=list(SPOKEN))
    hostile.note = SPOKEN[0]
    setattr(hostile, SPOKEN[1], 3)
    drawn = bundle(hostile)
    html = Read(drawn["text/html"])
    assert html.foreign == []
    assert unseen(html.text) == unseen(drawn["text/plain"]) == []
    assert visible(SPOKEN[0]) in html.text
    assert SPOKEN[1] in html.text


def test_a_model_is_a_tree_of_its_layers(page, model):
    text = page(model)
    assert f"BertModel · {sum(one.numel() for one in model.parameters()):,} parameters" in text
    assert "2 × BertLayer" in text


def test_a_model_of_the_session_has_its_name_and_its_notes(page, tiny, session):
    text = page(session["tiny"].model)
    assert "tiny · BertModel" in text
    assert "random" in text
    assert "%hf_layers" not in text
    assert session.log[-1].__class__.__name__ != "LayersSpec"  # nothing was asked of it


# what stays as it is


def test_nothing_is_patched(on, model, tokenizer, capsys):
    """``print`` and ``repr`` are those from before, as are the classes' methods."""
    things = [torch.ones(2), Output(last_hidden_state=torch.ones(1)), tokenizer("a"), SMALL, model]
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
