"""Token classification by a model whose forward takes no mask: FNet, which is never padded."""

import pytest
import torch
from transformers import FNetConfig, FNetForTokenClassification

import hf_magics as hf
from tests.home import run_home
from tests.inference.tasks.training import word_tokenizer

WORDS = (
    *("anna", "works", "for", "glob", "labs", "today"),
    *("bob", "left", ".", "ac", "hired"),
)

WHOLE = ["anna works for glob labs today", "bob left .", "ac hired anna", "labs"]
"""Words of one token."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return word_tokenizer(tmp_path_factory.mktemp("words"), WORDS)


@pytest.fixture
def fnet(session, tokenizer):
    """An FNet, whose forward takes no mask, in the session as ``fnet``; each token is an entity."""
    torch.manual_seed(0)
    names = dict(enumerate(("B-A", "B-B", "B-C")))
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}
    config = FNetConfig(**sizes, vocab_size=len(tokenizer), id2label=names, initializer_range=0.6)
    hf.add(FNetForTokenClassification(config).eval(), tokenizer, "fnet")
    return session["fnet"].model


def alone(model, tokenizer, texts):
    """The label of each word of each text, by transformers' own forward, a text at a time."""
    for one in texts:
        batch = tokenizer(one, return_tensors="pt")
        with torch.inference_mode():
            best = model(input_ids=batch["input_ids"], token_type_ids=batch["token_type_ids"])
        labels = [model.config.id2label[at][2:] for at in best.logits[0].argmax(-1).tolist()]
        words = {place: word for place, word in enumerate(batch.word_ids()) if word is not None}
        tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
        yield [(tokens[place], labels[place]) for place in words]


def test_a_model_without_a_mask_is_read_too(fnet, tokenizer):
    """FNet: each row of a map as by itself, from texts and from token IDs."""
    expected = list(alone(fnet, tokenizer, WHOLE))
    assert len({label for row in expected for _, label in row}) > 1
    ids = tokenizer(WHOLE)["input_ids"]
    for column in (WHOLE, ids):
        found = hf.map(column, task="token-classification").values
        assert [[tuple(one) for one in row] for row in found] == expected
    assert [hf.infer(one).values[0] for one in WHOLE] == expected
    assert [hf.infer([one]).values[0] for one in ids] == expected


def test_the_code_of_a_model_without_a_mask(fnet, tokenizer):
    """The same tensors and labels: of lines of one length, of other lengths, of token IDs."""
    for given in (WHOLE[1:3], WHOLE, tokenizer(WHOLE)["input_ids"]):
        result = hf.infer(given)
        names = run_home(result.code, fnet=fnet, tokenizer=tokenizer)
        assert (names["outputs"].logits - result.outputs.logits).abs().max() < 1e-5
        lengths = [len(one) for one in tokenizer(WHOLE if len(given) > 2 else given)["input_ids"]]
        assert [len(one) for one in names["labels"]] == lengths
