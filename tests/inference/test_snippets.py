"""The plain code of tokens and infer runs without hf_magics and gives the same."""

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel, ByT5Tokenizer

import hf_magics as hf
from hf_magics.snippets import Name, Snippet, call, quoted, script
from tests.home import run_home
from tests.inference.plain import TINY, byte_level, same

ODD = ["say \"hi\" and 'bye'", "back\\slash \\n \\'", "🙂 東京 \x07\u202e", "{braces} $5", "a\nb"]
INFER = {
    "texts": ("bert", ["A longer line than the others", "Hello!", "x"], {}),
    "one text": ("bert", "Hello!", {}),
    "odd texts": ("bert", ODD, {}),
    "pairs": ("bert", ["one\ttwo three", "four\tfive"], {}),
    "pairs and lines": ("bert", ["one\ttwo three", "four"], {}),
    "a pair without its second": ("bert", "one\t", {}),
    "cut": ("bert", ["one two three four", "five"], {"max_length": 4}),
    "cut pairs and lines": ("bert", ["one two three\tfour", "five " * 9], {"max_length": 5}),
    "ids": ("bert", [[101, 7592, 999, 102]], {}),
    "ids of different lengths": ("bert", [[101, 7592, 999, 102], [101, 102]], {}),
    "ids cut": ("bert", [[101, 7592, 999, 102]], {"max_length": 2}),
    "set": ("bert", "Hello!", {"set": {"output_hidden_states": True}}),
    "borrowed pad": ("gpt2", ["the fox jumps", "the"], {"set": {"use_cache": False}}),
    "borrowed pad, nothing padded": ("gpt2", ["ab", "cd"], {"set": {"use_cache": False}}),
    "borrowed pad, pairs": ("gpt2", ["ab\tc", "d"], {"set": {"use_cache": False}}),
    "started decoder": ("t5", ["hello", "hi"], {"set": {"use_cache": False}}),
    "started decoder from ids": ("t5", [[5, 6, 1], [7, 1]], {"set": {"use_cache": False}}),
    "tensors": ("vit", "pixels", {}),
    "tensors of a started decoder": ("t5", "started", {"set": {"use_cache": False}}),
}
TOKENS = {
    "tokens": ("bert", ["Hello!", "A longer one"], {}),
    "tokens of odd texts": ("bert", ODD, {}),
    "tokens cut": ("bert", "one two three", {"max_length": 4}),
    "tokens padded": ("bert", ["Hello!", "A longer one"], {"padding": "longest"}),
    "tokens padded further": ("bert", ["a", "b c"], {"padding": "max_length", "max_length": 7}),
    "tokens bare": ("bert", ["Hello!", "x"], {"special": False}),
    "tokens of pairs": ("bert", ["a\tb", "c\td e"], {}),
    "tokens of pairs and lines": ("bert", ["a\tb", "c"], {"special": False}),
    "tokens of both, padded": ("bert", ["a\tb", "c"], {"padding": "longest"}),
    "tokens of both, padded on": (
        "bert",
        ["a\tb", "c"],
        {"padding": "max_length", "max_length": 8},
    ),
    "tokens with a borrowed pad": ("gpt2", ["the fox", "a"], {"padding": "longest"}),
    "tokens without offsets": ("t5", ["é", "one\ttwo"], {"padding": "longest"}),
    "tokens of several": (["bert", "gpt2"], ["the fox", "a"], {}),
}
DECODE = {
    "ids decoded": ("bert", [[101, 7592, 999, 102], [3835]], {}),
    "ids decoded bare": ("bert", [[101, 7592, 999, 102], [3835]], {"special": False}),
}
GIVEN = {
    "pixels": {"pixel_values": torch.linspace(-1, 1, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16)},
    "started": {"input_ids": torch.tensor([[5, 6, 1]])},
}


def _a_bert():
    """A tiny model with the vocabulary and the positions of the real one."""
    sizes = {**TINY["bert"], "vocab_size": 30_522, "max_position_embeddings": 512}
    return BertModel(BertConfig(**sizes))


@pytest.fixture(scope="module")
def ran(minilm, tmp_path_factory):
    """What the verbs gave by case, and what their code gave in a process of its own."""
    folder = tmp_path_factory.mktemp("snippets")
    byte_level().save_pretrained(folder / "byte")
    ByT5Tokenizer().save_pretrained(folder / "byt5")
    for name in list(hf.session):
        hf.session.remove(name)
    _a_bert().save_pretrained(folder / "bert")
    AutoTokenizer.from_pretrained(minilm).save_pretrained(folder / "bert")
    hf.load(str(folder / "bert"), name="bert")
    hf.new("gpt2", name="gpt2", seed=1, tokenizer=str(folder / "byte"), **TINY["gpt2"])
    hf.new("t5", name="t5", seed=2, tokenizer=str(folder / "byt5"), **TINY["t5"])
    hf.new("vit", name="vit", seed=3, **TINY["vit"])
    expected = {}
    for name, (model, value, asked) in INFER.items():
        variable = value if isinstance(value, str) and value in GIVEN else ""
        inputs = GIVEN[variable] if variable else value
        expected[name] = hf.infer(inputs, model=model, variable=variable, **asked)
    for name, (model, value, asked) in {**TOKENS, **DECODE}.items():
        expected[name] = hf.tokens(value, model=model, **asked)
    found = {name: run_home(result.code, **GIVEN) for name, result in expected.items()}
    for name in list(hf.session):
        hf.session.remove(name)
    return expected, found


@pytest.mark.parametrize("name", INFER)
def test_the_code_of_infer_gives_the_same_tensors(ran, name):
    """Run in a process without hf_magics, .code gives every output bit by bit."""
    expected, found = ran
    assert same(dict(expected[name].outputs), dict(found[name]["outputs"]))


@pytest.mark.parametrize("name", TOKENS)
def test_the_code_of_tokens_gives_the_same_ids(ran, name):
    """Run in a process without hf_magics, .code gives the IDs that the page shows."""
    expected, found = ran
    ids = expected[name].ids
    last = list(ids.values())[-1] if isinstance(ids, dict) else ids
    assert found[name]["ids"] == last


@pytest.mark.parametrize("name", DECODE)
def test_the_code_of_decoding_gives_the_same_text(ran, name):
    """Run in a process without hf_magics, .code gives the text of the IDs."""
    expected, found = ran
    assert found[name]["texts"] == expected[name].text


@pytest.mark.parametrize("name", [*INFER, *TOKENS, *DECODE])
def test_the_code_is_plain(ran, name):
    """The code names no magic and no module of ours."""
    code = ran[0][name].code
    assert "hf_magics" not in code
    assert not any(line.startswith("%") for line in code.splitlines())
    assert code.endswith("\n")


def test_the_code_of_three_lines_is_what_one_would_write(ran):
    """The teaching page's example reads as a person would write it."""
    code = ran[0]["texts"].code
    assert code.endswith(
        'texts = ["A longer line than the others", "Hello!", "x"]\n'
        "inputs = tokenizer(texts, padding=True, truncation=True, max_length=512, "
        'return_tensors="pt")\n'
        "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}\n"
        "with torch.inference_mode():\n"
        "    outputs = model(**inputs)\n"
    )


def test_a_script_has_its_imports_once_at_the_top():
    """Imports of one module are merged and sorted, Python's own before."""
    one = Snippet(("from b import y", "import torch", "import os"), ("x = 1",))
    two = Snippet(("from b import x", "import torch", "from a import z"), ("y = 2",))
    assert script(one, two, Snippet((), ())) == (
        "import os\n\nimport torch\nfrom a import z\nfrom b import x, y\n\nx = 1\n\ny = 2\n"
    )


@pytest.mark.parametrize("text", [*ODD, "", "'", '"', "\\", "\\'", '\\"', "'\"", "\\\\'"])
def test_literals_mean_what_they_meant(text):
    """Any text survives being written down as a literal."""
    assert eval(quoted(text)) == text
    assert eval(call("list", [text, [text]])) == [text, [text]]


def test_calls_break_when_they_are_long():
    """A call that fits stands on one line; a longer one has an argument a line; names stay bare."""
    assert call("f", Name("model"), "a", key=None) == 'f(model, "a", key=None)'
    assert call("f", "a" * 50, key="b" * 50) == (
        "f(\n" + f'    "{"a" * 50}",\n    key="{"b" * 50}",\n' + ")"
    )
