"""Layers: the counts are torchinfo's and the operations torch's, and what is wrong is named."""

import math

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary

import hf_magics as hf
from hf_magics.display.branches import flat
from hf_magics.inside.folding import tree_of
from hf_magics.inside.modules import rows_of
from tests.inside.kinds import BERT, GPT2, KINDS, make


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_that_torchinfo_counts(session, kind):
    """Of each module of any kind of model, and of the whole, tied weights once."""
    make(kind)
    model = session[kind].model
    found = {row.path: row.parameters for row in hf.layers(kind).rows}
    assert found[""] == sum(one.numel() for one in model.parameters())
    untied = len(list(model.parameters())) == len(
        list(model.named_parameters(remove_duplicate=False))
    )
    if untied:
        assert found[""] == summary(model, verbose=0).total_params
    modules = dict(model.named_modules())
    assert list(found) == list(modules)
    for path, module in modules.items() if untied else ():
        assert found[path] == sum(one.numel() for one in module.parameters()), path


def test_a_tied_weight_counts_once_and_is_named(session):
    """GPT-2's head is its embedding."""
    make("gpt2", task="text-generation")
    rows = {row.path: row for row in hf.layers("gpt2").rows}
    assert rows["lm_head"].tied == ("weight is transformer.wte.weight",)
    assert rows["lm_head"].parameters == 0
    assert "weight is transformer.wte.weight" in repr(hf.layers("gpt2"))


def test_blocks_that_repeat_stand_once(session):
    """The line says how many, and has the sum of their parameters; .df has each."""
    hf.new("bert", name="deep", **BERT | {"num_hidden_layers": 12})
    result = hf.layers("deep")
    line = next(one for one in repr(result).splitlines() if "12 × BertLayer" in one)
    one = next(row for row in result.rows if row.path == "encoder.layer.0")
    assert "layer.0–11" in line
    assert f"{12 * one.parameters:,}" in line
    assert sum(path.endswith(".attention.self.query") for path in result.df["module"]) == 12


def test_blocks_that_alternate_stand_once_too(session):
    """Jamba's 32 layers are of three kinds; the line says which they are, and has their sum."""
    result = hf.layers("jamba")
    text = repr(result)
    blocks = [row for row in result.rows if row.path.startswith("layers.") and row.level == 2]
    looking = [row for row in blocks if row.kind == "JambaAttentionDecoderLayer"]
    line = next(one for one in text.splitlines() if "4 × JambaAttentionDecoderLayer" in one)
    assert [row.name for row in looking] == ["4", "12", "20", "28"]
    assert "4, 12, 20, …" in line
    assert f"{sum(row.parameters for row in looking):,}" in line
    assert "12 × JambaMambaDecoderLayer" in text
    assert "16 × JambaMambaDecoderLayer" in text
    assert len(blocks) == 32


def test_of_a_sequence_only_neighbours_are_folded(session):
    """Its order says what is computed."""
    layers = [torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)]
    node = tree_of(rows_of(torch.nn.Sequential(*layers)))
    assert [(one.first.kind, one.count) for one in node.below] == [
        ("Linear", 1),
        ("ReLU", 1),
        ("Linear", 2),
    ]


@pytest.mark.parametrize(
    "kind", ["bert", "gpt2", "t5", "vit", "mixtral", "modernbert", "gemma3_text"]
)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_operations_are_those_that_torch_counts(session, kind, attention):
    """With eager attention, whose matrix products torch's own counter all knows, within 1 %."""
    make(kind)
    model, inputs = session[kind].model, KINDS[kind].inputs()
    model.set_attn_implementation("eager")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    model.set_attn_implementation(attention)
    result = hf.layers(kind, inputs)
    found = result.df.set_index("module")["flops"]
    assert found[""] == pytest.approx(counter.get_total_flops(), rel=0.01)
    by_torch = counter.get_flop_counts()
    root = type(model).__name__
    for path in found.index[1:]:
        wanted = sum(by_torch.get(f"{root}.{path}", {}).values())
        assert found[path] == pytest.approx(wanted, rel=0.01), path


def test_operations_of_bert_and_gpt2_follow_the_closed_form(session):
    """2 for each weight that a token meets, and 4 h n² for the scores and sums of a layer."""
    tokens = 24
    for kind, sizes in (("bert", BERT), ("gpt2", GPT2)):
        make(kind)
        hidden = sizes.get("hidden_size", sizes.get("n_embd"))
        inner = sizes.get("intermediate_size", 4 * hidden)
        layers = sizes.get("num_hidden_layers", sizes.get("n_layer"))
        linear = 2 * tokens * (4 * hidden**2 + 2 * hidden * inner)
        pooler = 2 * hidden**2 if kind == "bert" else 0
        wanted = layers * (linear + 4 * hidden * tokens**2) + pooler
        result = hf.layers(kind, {"input_ids": torch.arange(tokens)[None]})
        assert result.df["flops"][0] == wanted


def test_shapes_and_seconds_are_of_each_module(session):
    """As a hook of one's own sees them; the hooks are gone after it."""
    make("bert")
    model, seen = session["bert"].model, {}
    inputs = {"input_ids": torch.arange(7)[None]}
    hook = model.encoder.layer[1].intermediate.register_forward_hook(
        lambda _module, given, gave: seen.update(given=given[0].shape, gave=gave.shape)
    )
    model(**inputs)
    hook.remove()
    df = hf.layers("bert", inputs).df.set_index("module")
    row = df.loc["encoder.layer.1.intermediate"]
    assert row["shape_in"] == tuple(seen["given"])
    assert row["shape_out"] == tuple(seen["gave"])
    assert 0 < row["seconds"] < df.loc["", "seconds"]
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())


def test_hooks_are_gone_after_an_error(session):
    """Also where the model does not take the input."""
    make("bert")
    with pytest.raises(hf.HFMagicsError):
        hf.layers("bert", {"input_ids": torch.tensor([[10**6]])})
    modules = session["bert"].model.modules()
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in modules)


@pytest.mark.parametrize(("ids", "said"), [([5], "1 token was run"), ([5, 6], "2 tokens were run")])
def test_the_tokens_that_were_run_are_counted(session, ids, said):
    hf.new("bert", name="tiny", **BERT)
    assert said in hf.layers("tiny", [ids]).page().parts[0].caption


def test_weights_that_are_wrong_are_marked(session):
    """NaN, Inf and zeros in one of many blocks: the block stands apart, and a note names it."""
    hf.new("bert", name="deep", **BERT | {"num_hidden_layers": 5})
    layers = session["deep"].model.encoder.layer
    with torch.no_grad():
        layers[2].output.dense.weight[0, 0] = math.nan
        layers[3].output.dense.weight[0, 0] = math.inf
        layers[4].output.dense.weight.zero_()
    session["deep"].random = ()
    result = hf.layers("deep")
    notes = " ".join(note.text for note in result.page().notes)
    assert "holds NaN: encoder.layer.2.output.dense" in notes
    assert "holds Inf: encoder.layer.3.output.dense" in notes
    assert "all zero: encoder.layer.4.output.dense" in notes
    assert "2 × BertLayer" in repr(result)
    verdicts = {row.path: row.verdict for row in result.rows if row.verdict}
    assert len(verdicts) == 3


def test_a_random_head_and_another_shape_are_marked(session, tmp_path):
    """What the checkpoint lacks, and what has another shape there."""
    config = transformers.BertConfig(**BERT)
    transformers.BertForTokenClassification(config).save_pretrained(tmp_path)
    hf.load(str(tmp_path), name="sorter", task="text-classification")
    rows = {row.path: row.verdict for row in hf.layers("sorter").rows}
    assert rows["bert.pooler.dense"] == "random"
    assert rows["bert.encoder.layer.0.attention.self.query"] == ""
    hf.load(str(tmp_path), name="tagger", class_="BertForTokenClassification", num_labels=7)
    rows = {row.path: row.verdict for row in hf.layers("tagger").rows}
    assert rows["classifier"] == "random: another shape in the checkpoint"


def test_what_is_not_loaded_takes_no_memory(session, minilm):
    """A type with fields, and a folder: on the meta device, with the class of the task."""
    result = hf.layers("llama", task="text-generation", hidden_size=4096, num_key_value_heads=8)
    config = transformers.LlamaConfig(hidden_size=4096, num_key_value_heads=8)
    with torch.device("meta"):
        wanted = transformers.LlamaForCausalLM(config).num_parameters()
    assert result.rows[0].parameters == wanted
    assert len(result._repr_html_().encode()) < 65_536
    assert len(session) == 0
    made: dict = {}
    exec(result.code, made)
    assert made["model"].num_parameters() == wanted
    folder = hf.layers(minilm, num_hidden_layers=2)
    assert sum(row.kind == "BertLayer" for row in folder.rows) == 2


def test_find_and_depth_choose_what_is_shown(session):
    """With the way to what was found; a note says what lies below the depth."""
    make("bert")
    found = [row.path for row in hf.layers("bert", find=r"layer\.1\.attention\.self$").rows]
    assert found[:4] == ["", "encoder", "encoder.layer", "encoder.layer.1"]
    assert "encoder.layer.1.attention.self.query" in found
    assert not any("layer.0" in path for path in found)
    flat = repr(hf.layers("bert", depth=1))
    assert "encoder" in flat
    assert "query" not in flat
    assert "below --depth 1" in flat


def test_blocks_that_differ_in_what_find_leaves_out_are_not_folded(session):
    """Only the first block of a T5 has the bias of its positions: its numbers are its own."""
    sizes = {"d_model": 16, "d_ff": 16, "d_kv": 8, "num_heads": 2, "num_layers": 3}
    hf.new("t5", name="small", vocab_size=40, **sizes)
    page = hf.layers("small", find=r"^decoder.*EncDecAttention$").page()
    lines = [branch.cells for tree in page.parts for _, branch in flat(tree.branches)]
    shown = {cells[0]: cells[2] for cells in lines}
    first, second, third = session["small"].model.decoder.block
    assert shown["0"] == f"{sum(one.numel() for one in first.parameters()):,}"
    both = sum(one.numel() for block in (second, third) for one in block.parameters())
    assert shown["1–2"] == f"{both:,}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_layers --find attentoin", "did you mean 'attention'"),
        ("%hf_layers --find (", "no regular expression"),
        ("%hf_layers --depth -1", "0 shows the model alone"),
        ("%hf_layers brt", "did you mean 'bert'"),
        ("%hf_layers bert hidden_size=4", "is for a type or a source"),
        ("%hf_layers bert --task fill-mask", "is for a type or a source"),
        ("%%hf_layers llama\nsome text", "%hf_load llama first"),
        ("%hf_layers llama hiden_size=4", "hidden_size"),
        ("%hf_layers a b", "what is 'b'"),
        ("%%hf_layers\nsome text", "no tokenizer"),
    ],
)
def test_bad_input_is_answered_in_one_line(shell, line, said):
    """That says what to type."""
    make("bert")
    assert said in shell.error(line)


def test_code_gives_the_same_numbers(session, minilm, capsys):
    """The script of a measured text prints torch's own table; that of a tree all modules."""
    hf.load(minilm, name="mini")
    exec(hf.layers("mini").code, {})
    printed = capsys.readouterr().out
    assert "22,713,216" in printed
    made: dict = {}
    result = hf.layers("mini", "two words")
    exec(result.code, made)
    assert made["counter"].get_total_flops() <= result.df["flops"][0]
