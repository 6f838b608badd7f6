"""The logit lens: the last layer is the model's own answer, the others its head's on their states."""

import pytest
import torch

import hf_magics as hf
from tests.home import run_home
from tests.inside.kinds import BERT, DECODER, GPT2, IDS

SMALL = {"vocab_size": 120}
HEADS = {
    "gpt2": ("text-generation", GPT2),
    "llama": ("text-generation", DECODER),
    "mixtral": ("text-generation", DECODER | {"num_local_experts": 4}),
    "gemma2": ("text-generation", DECODER | {"head_dim": 8, "final_logit_softcapping": 3.0}),
    "gemma3_text": ("text-generation", DECODER | {"head_dim": 8, "sliding_window": 4}),
    "cohere": ("text-generation", DECODER | {"logit_scale": 0.25}),
    "granite": ("text-generation", DECODER | {"logits_scaling": 4.0}),
    "gpt_neox": ("text-generation", BERT),
    "opt": (
        "text-generation",
        {
            "hidden_size": 32,
            "word_embed_proj_dim": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "ffn_dim": 64,
            "vocab_size": 120,
        },
    ),
    "mamba": (
        "text-generation",
        {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4} | SMALL,
    ),
    "bert": ("fill-mask", BERT),
    "modernbert": ("fill-mask", BERT | {"pad_token_id": 0}),
    "roberta-prelayernorm": ("fill-mask", BERT | {"pad_token_id": 0}),
    "distilbert": (
        "fill-mask",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 120},
    ),
    "albert": ("fill-mask", BERT | {"embedding_size": 16}),
    "electra": ("fill-mask", BERT | {"embedding_size": 16}),
}


def make(kind: str):
    """A model of that kind with the head that the lens reads with, and no tokenizer."""
    task, fields = HEADS[kind]
    hf.new(kind, name="it", task=task, seed=1, replace=True, **fields)
    return hf.session["it"].model


@pytest.mark.parametrize("kind", HEADS)
def test_the_last_layer_gives_the_models_own_logits(session, kind):
    """To 1e-4, with whatever the head does: transforms, scales, caps; and the hook is gone."""
    model = make(kind)
    with torch.inference_mode():  # transformers has hooks of its own once states were asked for
        wanted = model(input_ids=IDS, output_hidden_states=True).logits[0]
    hooks = [len(one._forward_hooks) for one in model.modules()]
    result = hf.lens(IDS.tolist()[0])
    assert torch.allclose(result.logits[-1], wanted, atol=1e-4)
    assert [len(one._forward_hooks) for one in model.modules()] == hooks


@pytest.mark.parametrize(
    ("kind", "norm", "head"),
    [
        ("gpt2", "transformer.ln_f", "lm_head"),
        ("llama", "model.norm", "lm_head"),
        ("gpt_neox", "gpt_neox.final_layer_norm", "lm_head"),
        ("mamba", "backbone.norm_f", "lm_head"),
        ("bert", "", "cls"),
        ("roberta-prelayernorm", "roberta_prelayernorm.LayerNorm", "lm_head"),
    ],
)
def test_each_layer_goes_through_the_final_norm_once(session, kind, norm, head):
    """By hand: the norm on all but the last, which is past it; BERT norms in each layer."""
    model = make(kind)
    result = hf.lens(IDS.tolist()[0])
    with torch.inference_mode():
        states = model(input_ids=IDS, output_hidden_states=True).hidden_states
        last = model.get_submodule(norm) if norm else torch.nn.Identity()
        read = model.get_submodule(head)
        wanted = torch.cat([*(read(last(one)) for one in states[:-1]), read(states[-1])])
    assert result.logits.shape == wanted.shape == (3, 12, 120)
    assert torch.allclose(result.logits, wanted, atol=1e-5)


def test_ranks_and_probabilities_follow_a_token(session):
    """By hand: the rank counts from 1; without a target the answer is followed."""
    make("gpt2")
    result = hf.lens(IDS.tolist()[0], position=5)
    here = result.logits[:, 5]
    token = int(here[-1].argmax())
    chances = here.softmax(-1)[:, token]
    ranks = [int((row > row[token]).sum()) + 1 for row in here]
    assert result.ranks == ranks
    assert result.ranks[-1] == 1
    assert result.chances == pytest.approx(chances.tolist(), rel=1e-5)
    df = result.df
    top = df[(df["layer"] == "layer 1") & (df["position"] == 5)].iloc[0]
    assert top["probability"] == pytest.approx(float(here[-1].softmax(-1).max()), rel=1e-5)


def test_a_real_model_finds_paris(session, smollm2):
    """SmolLM2: the capital of France, followed through 30 layers; its code gives the same."""
    hf.load(smollm2, name="smol")
    text = "The capital of France is"
    result = hf.lens(text, target="Paris")
    assert result.tokens[-1][-1] == "Paris"
    assert result.ranks[-1] == 1
    assert result.ranks[0] > 100
    assert "Paris 0." in repr(result)
    loaded = session["smol"]
    with torch.inference_mode():
        wanted = loaded.model(**loaded.tokenizer(text, return_tensors="pt")).logits[0]
    assert torch.allclose(result.logits[-1], wanted, atol=1e-4)
    long = hf.lens("The capital of France is Paris. " * 60)
    assert len(long._repr_html_().encode()) < 65_536
    assert "are drawn" in repr(long)


def test_a_mask_is_followed_where_it_is(session, minilm):
    """And around it, as a masked model reads both sides."""
    hf.new(
        "bert",
        name="it",
        task="fill-mask",
        seed=0,
        tokenizer=minilm,
        **BERT | {"vocab_size": 30_522},
    )
    result = hf.lens("one two [MASK] four")
    assert "position 3 [MASK]" in repr(result)
    assert len(result.tokens[0]) == 6


def test_norms_and_cosines_of_the_states(session):
    """By hand, means over the positions."""
    model = make("llama")
    with torch.inference_mode():
        states = torch.cat(model(input_ids=IDS, output_hidden_states=True).hidden_states)
    text = repr(hf.lens(IDS.tolist()[0], hidden=True))
    cosine = torch.nn.functional.cosine_similarity(states[1], states[0], dim=-1).mean()
    row = [line for line in text.splitlines() if line.startswith("layer 0")][-1]
    assert f"{states[1].norm(dim=-1).mean():,.1f}" in row
    assert f"{cosine:.3f}" in row


@pytest.mark.parametrize("kind", ["gpt2", "opt", "bert", "modernbert", "gemma2"])
def test_code_gives_the_same_logits(session, kind, tmp_path):
    """Bit by bit, without hf_magics."""
    make(kind)
    hf.save(str(tmp_path), name="it", overwrite=True)
    hf.load(str(tmp_path), name="saved")
    result = hf.lens(IDS.tolist()[0])
    made = run_home(result.code)
    assert torch.equal(made["logits"], result.logits)


def test_32_layers_of_512_tokens_fit_on_a_page(session):
    """The positions up to the one that is followed are drawn, and that is said."""
    hf.new(
        "llama", name="it", task="text-generation", seed=0, **DECODER | {"num_hidden_layers": 32}
    )
    ids = torch.randint(0, 120, (512,)).tolist()
    result = hf.lens(ids, hidden=True)
    assert len(result._repr_html_().encode()) < 65_536
    assert "of 512 are drawn" in repr(result)
    assert "not shown" not in result._repr_html_()
    assert result.df["position"].max() == 511
    assert hf.lens(ids, position=100).df["position"].max() == 100


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_lens --position 12 -i ids", "positions 0 to 11"),
        ("%hf_lens -i many", "reads one line, and there are 2"),
        ("%hf_lens -m plain -i ids", "load or make it with --task fill-mask"),
        ("%hf_lens -m t5 -i ids", "an encoder-decoder"),
        ("%hf_lens --target Paris -i ids", "no tokenizer"),
        ("%hf_lens -m worded --target unbelievably -i ids", "it is: un, ##bel, ##ie, ##va, ##bly"),
    ],
)
def test_bad_input_is_answered_in_one_line(shell, minilm, line, said):
    """That says what to type."""
    shell.names["ids"], shell.names["many"] = IDS.tolist()[0], [[3, 4], [5, 6]]
    hf.new("bert", name="plain", **BERT)
    hf.new(
        "t5", name="t5", task="text2text-generation", d_model=32, num_layers=1, num_heads=2, d_kv=8
    )
    sizes = BERT | {"vocab_size": 30_522}
    hf.new("bert", name="worded", task="fill-mask", tokenizer=minilm, **sizes)
    make("gpt2")
    assert said in shell.error(line)
