"""The pages of plain objects: tensors, outputs, encodings, configs and models."""

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

CACHE = next(one.name for one in fields(Output) if one.name in {"cache", "past_key_values"})
SMALL = BertConfig(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, vocab_size=50
)


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
