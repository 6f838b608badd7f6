"""Two tiny models that are the same, and how one of them is changed."""

import copy

import torch
from transformers import BertTokenizer

import hf_magics as hf
from tests.inside.kinds import KINDS

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "fox", "dog", "red", "is"]
TEXTS = ["red fox is", "a dog", "a b c d e"]
CHANGED = "encoder.layer.1.output.dense"


def tokenizer(words=WORDS) -> BertTokenizer:
    return BertTokenizer(vocab={word: at for at, word in enumerate(words)})


def put_twins(kind="bert", words=None, **more) -> None:
    """Put a tiny model and a copy of it into the session, as ``one`` and ``other``."""
    given = {"tokenizer": tokenizer(words)} if words else {}
    hf.new(kind, name="one", seed=0, **given, **KINDS[kind].fields | more)
    model = copy.deepcopy(hf.session["one"].model)
    hf.add(model, hf.session["one"].tokenizer, name="other")


def shift(path: str, model: str = "other") -> None:
    """Add noise to a module's weight: a norm behind it would take off what is the same for all."""
    weight = hf.session[model].model.get_submodule(path).weight
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        weight.add_(0.02 * noise.to(weight.dtype))


def answer(result) -> str:
    return result.page().parts[0].text


def printed(result) -> str:
    return repr(result)
