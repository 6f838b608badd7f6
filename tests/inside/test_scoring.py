"""Score: the numbers are those of a softmax written by hand, whatever the batch."""

import inspect
import math

import pytest
import torch

import hf_magics as hf
from tests.home import run_home
from tests.inside.kinds import DECODER, GPT2, make

TEXTS = ["The cat sat on the mat.", "Oh no!", "A dog, a cat and a 😀 walk into a bar together."]
CAUSAL = {
    "gpt2": GPT2 | {"vocab_size": 30_522},
    "llama": DECODER | {"vocab_size": 30_522},
    "mamba": {"vocab_size": 30_522},
    "mixtral": {"vocab_size": 30_522},
}


def causal(kind: str, minilm: str) -> None:
    """Put a tiny causal model into the session that knows the tokens of a real tokenizer."""
    words = {"task": "text-generation", "tokenizer": minilm, **CAUSAL[kind]}
    if kind == "llama":
        hf.new(kind, name=kind, seed=0, **words)
    else:
        make(kind, **words)


def masked(minilm: str, kind: str = "bert", **more) -> None:
    make(kind, task="fill-mask", tokenizer=minilm, vocab_size=30_522, **more)


def by_hand(logits: torch.Tensor, token: int) -> dict:
    """The numbers of a token by the logits at its place, in float64."""
    logs = torch.log_softmax(logits.double(), dim=-1)
    return {
        "log_prob": logs[token].item(),
        "rank": 1 + int((logs > logs[token]).sum()),
        "entropy": -(logs.exp() * logs).sum().item(),
        "top_id": int(logs.argmax()),
        "top_prob": logs.max().exp().item(),
    }


def same_as_by_hand(row, logits, tokenizer) -> None:
    wanted = by_hand(logits, row["id"])
    top = tokenizer.convert_ids_to_tokens(wanted.pop("top_id")) or "<"
    assert row["top"].startswith(top)
    assert row["rank"] == wanted.pop("rank")
    for name, value in wanted.items():
        # float32 has 1e-7 of a number, and an entropy is a sum over the vocabulary
        assert row[name] == pytest.approx(value, abs=1e-5, rel=3e-6), name


@pytest.mark.parametrize("kind", CAUSAL)
def test_a_causal_model_scores_a_token_by_the_one_before(session, minilm, kind):
    """Each line as it is by itself: padding and batches change nothing."""
    causal(kind, minilm)
    model, tokenizer = session[kind].model, session[kind].tokenizer
    takes = inspect.signature(model.forward).parameters
    df = hf.score(TEXTS, model=kind).df
    for number, text in enumerate(TEXTS, 1):
        inputs = tokenizer(text, return_tensors="pt")
        taken = {name: one for name, one in inputs.items() if name in takes}
        with torch.inference_mode():
            logits = model(**taken).logits[0]
        rows = df[df["line"] == number].to_dict("records")
        assert [row["id"] for row in rows] == inputs["input_ids"][0].tolist()
        assert math.isnan(rows[0]["log_prob"])
        assert math.isnan(rows[0]["rank"])
        for row in rows[1:]:
            same_as_by_hand(row, logits[row["position"] - 1], tokenizer)


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_a_masked_model_scores_a_token_by_a_mask_in_its_place(session, minilm, kind):
    """One token masked at a time, in a loop; special tokens have no score."""
    masked(minilm, kind)
    model, tokenizer = session[kind].model, session[kind].tokenizer
    result = hf.score(TEXTS, model=kind)
    df = result.df
    for number, text in enumerate(TEXTS, 1):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        rows = df[df["line"] == number].to_dict("records")
        total = 0.0
        for row in rows[1:-1]:
            hidden = ids.clone()
            hidden[0, row["position"]] = tokenizer.mask_token_id
            with torch.inference_mode():
                logits = model(input_ids=hidden).logits[0, row["position"]]
            same_as_by_hand(row, logits, tokenizer)
            total += torch.log_softmax(logits, dim=-1)[row["id"]].item()
        assert [row["token"] for row in rows if math.isnan(row["log_prob"])] == ["[CLS]", "[SEP]"]
        wanted = math.exp(-total / (len(rows) - 2))
        assert result.perplexity[number - 1] == pytest.approx(wanted, rel=1e-4)
    assert "pseudo-perplexity" in repr(result)
    assert "Salazar" in repr(result)


def test_unknown_text_is_scored_and_what_stands_for_no_text_is_not(session, minilm):
    """[UNK] is what a masked model reads of a word; [MASK] and padding are no text."""
    masked(minilm)
    rows = hf.score("a 😀 [MASK] b").df.set_index("token")["log_prob"]
    assert rows[["a", "[UNK]", "b"]].notna().all()
    assert rows[["[CLS]", "[MASK]", "[SEP]"]].isna().all()


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_many_lines_are_what_they_are_one_by_one(session, minilm, kind, monkeypatch):
    """In batches and chunks as small as they get, and at once."""
    causal(kind, minilm) if kind == "gpt2" else masked(minilm)
    texts = [" ".join(["word"] * (1 + number % 5)) + f" {number}" for number in range(20)]
    alone = [hf.score(text, model=kind).perplexity[0] for text in texts]
    assert hf.score(texts, model=kind).perplexity == pytest.approx(alone, rel=1e-5)
    monkeypatch.setattr("hf_magics.inside.likelihood._LOGITS_BYTES", 1)
    monkeypatch.setattr("hf_magics.inside.likelihood._SOFTMAX_NUMBERS", 1)
    assert hf.score(texts, model=kind).perplexity == pytest.approx(alone, rel=1e-5)


def test_no_softmax_is_taken_of_a_whole_long_text(session, minilm, monkeypatch):
    """Of a few places at a time: what is made beside the logits stays small."""
    causal("gpt2", minilm)
    seen = []
    real = torch.Tensor.log_softmax
    monkeypatch.setattr(
        torch.Tensor, "log_softmax", lambda one, dim: seen.append(one.numel()) or real(one, dim)
    )
    hf.score("word " * 500)
    assert len(seen) > 1
    assert max(seen) <= 2**23


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
@pytest.mark.parametrize("max_length", [None, 6])
def test_the_code_gives_the_same_log_probabilities(session, minilm, kind, max_length):
    """Several lines of different lengths, and one, from text and from IDs."""
    causal(kind, minilm) if kind == "gpt2" else masked(minilm)
    ids = session[kind].tokenizer(TEXTS)["input_ids"]
    for inputs in (TEXTS, TEXTS[0], ids):
        result = hf.score(inputs, model=kind, max_length=max_length)
        made = run_home(result.code)
        rows = made["log_probs"].tolist()
        for row, line in zip(rows, result.log_probs, strict=True):
            assert row[: len(line)] == pytest.approx(line, abs=1e-5, nan_ok=True)
            assert all(map(math.isnan, row[len(line) :]))
        assert made["perplexity"].tolist() == pytest.approx(result.perplexity, rel=1e-4)


def test_ids_are_scored_as_the_text_they_came_from(session, minilm):
    """A list, a tensor, and a padded batch of the tokenizer's, whose padding is no text."""
    causal("llama", minilm)
    tokenizer = session["llama"].tokenizer
    wanted = hf.score(TEXTS)
    lists = hf.score(tokenizer(TEXTS)["input_ids"])
    batch = hf.score(tokenizer(TEXTS, padding=True, return_tensors="pt"))
    tensor = hf.score(tokenizer(TEXTS[0], return_tensors="pt")["input_ids"])
    for result in (lists, batch):
        assert result.ids == wanted.ids
        assert result.perplexity == pytest.approx(wanted.perplexity)
    assert tensor.perplexity == pytest.approx(wanted.perplexity[:1])


def test_a_model_without_a_tokenizer_scores_ids(session):
    """The IDs are the text."""
    make("gpt2", task="text-generation")
    result = hf.score([5, 6, 7])
    assert result.tokens == [["5", "6", "7"]]
    assert "5 6 7" in repr(result).replace("[", "").replace("]", "")


def test_a_token_without_any_probability_is_infinitely_surprising(session):
    """The entropy of what is ruled out is nothing, and not NaN; NaN logits are named."""
    make("gpt2", task="text-generation", tie_word_embeddings=False)
    head = session["gpt2"].model.lm_head
    hook = head.register_forward_hook(
        lambda _, __, logits: logits.index_fill(-1, torch.tensor([7]), -math.inf)
    )
    result = hf.score([5, 7])
    assert result.log_probs[0][1] == -math.inf
    assert result.perplexity == [math.inf]
    assert math.isfinite(result.df["entropy"][1])
    assert result.df["rank"][1] == 120
    assert "inf" in repr(result)
    hook.remove()
    with torch.no_grad():
        head.weight[3] = math.nan
    result = hf.score([5, 7])
    assert math.isnan(result.perplexity[0])
    assert "not numbers (NaN, Inf) in line 1" in repr(result)
    assert "perplexity" in result._repr_html_()


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("t5", {"task": "text2text-generation"}, "encoder-decoder"),
        ("bert", {}, "--task fill-mask"),
        ("gpt2", {}, "--task text-generation"),
        ("bert", {"task": "text-classification"}, "--task fill-mask"),
        ("vit", {}, "--task text-generation or fill-mask"),
    ],
)
def test_a_model_of_another_kind_is_one_line(session, shell, kind, words, said):
    """It says what to load."""
    make(kind, **words)
    shell.names["ids"] = [[5, 6, 7]]
    assert said in shell.error("%hf_score -i ids")


def test_a_causal_head_on_a_model_that_sees_both_sides_is_refused(session, minilm):
    """BERT's, unless it is a decoder: its logits would give the answer away."""
    words = {"task": "text-generation", "tokenizer": minilm, "vocab_size": 30_522}
    make("bert", **words)
    with pytest.raises(hf.HFMagicsError, match="also sees what comes behind"):
        hf.score("two words")
    make("bert", is_decoder=True, replace=True, **words)
    assert hf.score("two words").perplexity[0] > 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_scored_in_full(session, minilm, dtype):
    """The softmax of the logits as they are, in float32."""
    causal("llama", minilm)
    wanted = hf.score(TEXTS[0]).perplexity
    hf.use("llama", dtype=dtype)
    assert hf.score(TEXTS[0]).perplexity == pytest.approx(wanted, rel=0.02)


@pytest.mark.slow
def test_the_perplexity_of_the_real_smollm2_is_the_exponential_of_its_loss(session, smollm2):
    """Of each line by itself; of sense less than of nonsense."""
    hf.load(smollm2, name="smol")
    model, tokenizer = session["smol"].model, session["smol"].tokenizer
    texts = ["The capital of France is Paris.", "Paris capital is of the France."]
    result = hf.score(texts)
    for text, found in zip(texts, result.perplexity, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            loss = model(**inputs, labels=inputs["input_ids"]).loss
        assert found == pytest.approx(loss.exp().item(), rel=1e-4)
    assert result.perplexity[0] < result.perplexity[1]
    rows = result.df[result.df["line"] == 1].set_index("token")
    assert rows.loc["ĠParis", "rank"] == 1
    assert rows.loc["ĠParis", "top"] == "ĠParis"
