"""Models that read padding: each row has the answer that it has by itself."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

import hf_magics as hf
from hf_magics.inference.told import not_taken, reads_padding
from tests.home import on_given, run_home
from tests.inference.plain import forward, notes

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 0,
}
FUNNEL = {  # two blocks: with three, transformers' own fails on texts of a word
    "block_sizes": [1, 1],
    "num_decoder_layers": 1,
    "d_model": 32,
    "n_head": 2,
    "d_head": 16,
    "d_inner": 64,
    "pad_token_id": 0,
}
XLNET = {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}
REFORMER = {
    "hidden_size": 32,
    "axial_pos_shape": [8, 8],
    "axial_pos_embds_dim": [16, 16],
    "feed_forward_size": 64,
    "attention_head_size": 16,
    "num_attention_heads": 2,
    "local_attn_chunk_length": 4,
    "lsh_attn_chunk_length": 4,
    "attn_layers": ["local", "lsh"],
    "num_buckets": 4,
}
CONV = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "conv_kernel_size": 3}
NYSTROM = {"num_landmarks": 64, "segment_means_seq_len": 64}
KINDS = {
    "bert": SIZES,
    "big_bird": {**SIZES, "block_size": 2, "num_random_blocks": 1},
    "canine": {**SIZES, "num_hash_buckets": 100},
    "convbert": SIZES,
    "deberta-v2": {**SIZES, **CONV, "conv_act": "gelu"},
    "fnet": {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64},
    "funnel": FUNNEL,
    "longformer": {**SIZES, "attention_window": 8},
    "mobilebert": {**SIZES, "intra_bottleneck_size": 32, "embedding_size": 32},
    "mpnet": SIZES,
    "nystromformer": {**SIZES, **NYSTROM},
    "reformer": REFORMER,
    "roformer": {**SIZES, "embedding_size": 32},
    "sam3_lite_text_text_model": {**SIZES, "vocab_size": 200},
    "squeezebert": {**SIZES, "embedding_size": 32},
    "xlnet": XLNET,
    "yoso": SIZES,
}


@pytest.mark.parametrize("kind", KINDS)
def test_which_models_read_padding(kind):
    """Measured: the answer of a row beside a longer one, its padding hidden, and by itself."""
    torch.manual_seed(0)
    # Funnel has two base models, and the config says which
    named = {"architectures": ["FunnelModel"]} if kind == "funnel" else {}
    model = AutoModel.from_config(AutoConfig.for_model(kind, **KINDS[kind], **named)).eval()
    for weight in model.parameters():
        if weight.dim() > 1:  # the pad token's embedding too, which begins with zeros
            torch.nn.init.normal_(weight, std=0.15)
    difference = 0.0
    for length, width in ((7, 16), (8, 24), (30, 48)):
        ids = torch.randint(5, 199, (1, length))
        padded = torch.nn.functional.pad(ids, (0, width - length))
        mask = (torch.arange(width) < length).long()[None]
        hidden = {} if "attention_mask" in not_taken(model) else {"attention_mask": mask}
        alone = forward(model, input_ids=ids)[0]
        beside = forward(model, input_ids=padded, **hidden)[0][:, :length]
        difference = max(difference, float((alone - beside).abs().max() / alone.abs().max()))
    assert reads_padding(model) == (difference > 1e-4)


TEXTS = [
    "so",
    "the sky is blue, and so it stays",
    "a film that stays with you for a long while after it has ended",
    "no film",
    "the sky is",
]
READERS = ["convbert", "fnet", "funnel", "yoso"]


@pytest.fixture
def add(session, minilm):
    """Puts a tiny model of a kind, with all-MiniLM's tokenizer, into the session as ``m``."""

    def make(kind: str, task: str, **more):
        sizes = {**KINDS[kind], "vocab_size": 30_522, "initializer_range": 0.2, **more}
        hf.new(kind, name="m", task=task, tokenizer=minilm, seed=0, **sizes)
        return session["m"].model, AutoTokenizer.from_pretrained(minilm)

    return make


def alone(model, tokenizer, *texts):
    """What the model gives for one text."""
    batch = tokenizer(*texts, return_tensors="pt")
    takes = {name: one for name, one in batch.items() if name not in not_taken(model)}
    return forward(model, **takes)


def run_code(result, model, **names):
    """Run the code, with the weights of the session in the place of random ones."""
    return run_home(on_given(result.code), given=model, **names)


@pytest.mark.parametrize("kind", READERS)
def test_lines_of_an_inference_are_as_by_themselves(add, kind):
    """Outputs and pooled vectors; zeros where a row has no token; the code gives the same."""
    model, tokenizer = add(kind, "feature-extraction")
    states = hf.infer(TEXTS, task="features")
    vectors = hf.infer(TEXTS, task="embed")
    for row, text in enumerate(TEXTS):
        expected = alone(model, tokenizer, text).last_hidden_state[0]
        found = states.outputs.last_hidden_state[row]
        assert (found[: len(expected)] - expected).abs().max() < 1e-5
        assert not found[len(expected) :].any()
        assert np.abs(vectors.embeddings[row] - expected.mean(dim=0).numpy()).max() < 1e-5
    by_code = run_code(states, model)["outputs"]
    assert type(by_code) is type(states.outputs)
    assert (by_code[0] - states.outputs[0]).abs().max() < 1e-5
    by_code = run_code(vectors, model)["embeddings"].numpy()
    assert np.abs(by_code - vectors.embeddings).max() < 1e-5
    assert not any("reads padding" in one for one in notes(states))


@pytest.mark.parametrize("kind", READERS)
def test_token_ids_and_maps_too(add, kind):
    """From token IDs; and all rows of a map, whose code gives the same."""
    model, tokenizer = add(kind, "feature-extraction")
    ids = tokenizer(TEXTS)["input_ids"]
    texts = [*TEXTS, *(f"{one} {other}" for one in TEXTS for other in TEXTS)]
    rows = [alone(model, tokenizer, text).last_hidden_state[0] for text in texts]
    expected = torch.stack([one.mean(dim=0) for one in rows]).numpy()
    found = hf.infer(ids, task="embed")
    assert np.abs(found.embeddings - expected[: len(ids)]).max() < 1e-5
    by_code = run_code(found, model)["embeddings"].numpy()
    assert np.abs(by_code - found.embeddings).max() < 1e-5
    for column, count in ((texts, len(texts)), (ids, len(ids))):
        mapped = hf.map(column, task="embed", variable="column_")
        assert np.abs(mapped.embeddings - expected[:count]).max() < 1e-5
        answers = torch.stack(run_code(mapped, model, column_=column)["answers"]).numpy()
        assert np.abs(answers - mapped.embeddings).max() < 1e-5


@pytest.mark.parametrize("kind", ["convbert", "fnet"])
def test_hypotheses_are_filled_up_by_nothing(add, kind):
    """Zero-shot: each text with each label is a row of its own; the code gives the same."""
    names = {"0": "entailment", "1": "neutral", "2": "contradiction"}
    model, tokenizer = add(kind, "text-classification", num_labels=3, id2label=names)
    labels = ["sky", "a long film about nothing at all"]
    options = {"task": "zero-shot-classification", "labels": labels, "multi_label": True}
    found = hf.infer(TEXTS[:3], **options)
    probs = {(one["text"], one["label"]): one["prob"] for one in found.records()}
    for text in TEXTS[:3]:
        for label in labels:
            logits = alone(model, tokenizer, text, f"This example is {label}.").logits[0]
            expected = float(logits[[0, 2]].softmax(dim=-1)[0])
            assert probs[text, label] == pytest.approx(expected, abs=1e-5)
    by_code = run_code(found, model)["outputs"].logits
    assert (by_code - found.outputs.logits).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["convbert", "fnet"])
def test_windows_of_a_long_context(add, kind):
    """Question answering: more windows than are run at once, the last of them shorter."""
    model, _ = add(kind, "question-answering", max_position_embeddings=512)
    context = " ".join(f"word {at}" for at in range(900))
    found = hf.infer("which word?", context=context, max_length=32)
    made = run_code(found, model, context=context)
    lengths = made["lengths"]
    assert len(lengths) > 32
    assert len(set(lengths)) > 1
    for row in (0, len(lengths) - 1):
        inputs = {name: one[row : row + 1, : lengths[row]] for name, one in made["inputs"].items()}
        expected = forward(model, **inputs)
        for name in ("start_logits", "end_logits"):
            ours = found.outputs[name][row, : lengths[row]]
            assert (ours - expected[name][0]).abs().max() < 1e-5


def test_padding_that_can_not_be_left_out_is_said(add):
    """The options of a prompt are one row; tensors are taken as they are."""
    model, tokenizer = add("convbert", "feature-extraction")
    batch = dict(tokenizer(TEXTS, padding=True, return_tensors="pt"))
    found = hf.infer(batch, task="features")
    assert torch.equal(found.outputs[0], forward(model, **batch)[0])
    said = "ConvBertModel reads padding, also where a mask hides it"
    assert any(one.startswith(said) for one in notes(found))
    hf.drop("m")
    add("convbert", "multiple-choice")
    found = hf.infer("the sky is\tblue\tfull of films and more")
    assert any("reads padding" in one for one in notes(found))
