"""Fill-mask where words are no tokens: a RoBERTa's ``<mask>`` and spaces, an antibody's residues."""

import subprocess
import sys

import pytest
import torch
from tokenizers import AddedToken
from transformers import RobertaConfig, RobertaForMaskedLM, pipeline

import hf_magics as hf
from tests.inference.plain import byte_level
from tests.inference.tasks.piping import agrees
from tests.inference.tasks.training import TINY_BERT

HEAVY = (
    "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVSAISGSGGSTYYADSVKGRFTISRDNSKNTLYLQMNSLRAEDTAVYYCAK"
    "DRGGYFDYWGQGTLVTVSS"
)


@pytest.fixture
def roberta(session):
    """A RoBERTa of random weights: its mask is ``<mask>``, its tokens begin with their space."""
    tokenizer = byte_level()
    tokenizer.add_special_tokens(
        {"mask_token": AddedToken("<mask>", lstrip=True), "pad_token": "<pad>"}
    )
    torch.manual_seed(0)
    config = {**TINY_BERT, "vocab_size": len(tokenizer)}
    model = RobertaForMaskedLM(RobertaConfig(**config, pad_token_id=0)).eval()
    hf.add(model, tokenizer, "roberta")
    return model, tokenizer


@pytest.fixture
def antibody(session, antiberty):
    """The real AntiBERTy with the head that its checkpoint has beside others."""
    return hf.load(
        str(antiberty / "AntiBERTy_md_smooth"),
        name="antibody",
        class_="BertForMaskedLM",
        tokenizer=str(antiberty / "vocab.txt"),
    )


def residues(*masked: int) -> str:
    """The heavy chain as its tokenizer wants it, some residues masked."""
    return " ".join("[MASK]" if at in masked else one for at, one in enumerate(HEAVY))


def prefer(model, tokenizer, *tokens: str):
    """Gives these tokens, the first the likeliest, at every place of any text."""
    with torch.no_grad():
        model.lm_head.dense.weight.zero_()
        model.lm_head.decoder.bias.zero_()
        for rank, token in enumerate(tokens):
            model.lm_head.decoder.bias[tokenizer.convert_tokens_to_ids(token)] = 50.0 - rank


def test_the_mask_is_the_tokenizers_own(roberta):
    """[MASK] means <mask> where that is the tokenizer's; both may be written."""
    model, tokenizer = roberta
    result = hf.infer(["the [MASK] fox", "the <mask> fox"])
    records = result.records()
    assert records[0]["id"] == records[5]["id"]
    theirs = pipeline("fill-mask", model=model, tokenizer=tokenizer)("the <mask> fox")
    assert [row["id"] for row in records[:5]] == [one["token"] for one in theirs]
    assert [row["prob"] for row in records[:5]] == pytest.approx(
        [one["score"] for one in theirs], abs=1e-5
    )
    assert "<mask> fox" in result.code
    assert "[MASK]" not in result.code


def test_words_and_their_rests_stand_where_they_belong(roberta):
    """A token with its space is a word; one without goes on with the word before."""
    model, tokenizer = roberta
    prefer(model, tokenizer, "Ġfox", "s", "Ã")
    result = hf.infer("the quick[MASK] jump [MASK].")
    assert result.values == ("the quickfox jump fox.",)
    assert [row["token"] for row in result.records()[:3]] == ["fox", "s", "Ã"]
    assert result.records()[6]["text"] == "the quick<mask> jumps."
    prefer(model, tokenizer, "s")
    assert hf.infer("fox[MASK] [MASK]").values == ("foxss",)
    assert hf.infer("[MASK]").values == ("s",)


def test_the_conserved_residues_of_an_antibody(antibody):
    """AntiBERTy knows the cysteine before CDR1 and the tryptophan after it, as the pipeline does."""
    assert antibody.report.unexpected
    cysteine, tryptophan = HEAVY.index("C"), HEAVY.index("W")
    assert (HEAVY[cysteine - 3 : cysteine + 1], HEAVY[tryptophan : tryptophan + 3]) == (
        "RLSC",
        "WVR",
    )
    result = hf.infer([residues(cysteine), residues(tryptophan)])
    assert result.values == (residues(), residues())
    best = [row for row in result.records() if row["rank"] == 1]
    assert [row["token"] for row in best] == ["C", "W"]
    assert min(row["prob"] for row in best) > 0.9
    theirs = pipeline("fill-mask", model=result.model, tokenizer=result.tokenizer)
    assert agrees(result.records()[:5], theirs(residues(cysteine)))
    assert agrees(result.records()[5:], theirs(residues(tryptophan)))


def test_the_code_of_an_antibody_runs_by_itself(antibody, tmp_path):
    """In a fresh process the plain code gives the same tensors and the same residues."""
    result = hf.infer(residues(HEAVY.index("C"), HEAVY.index("W")), top_k=2)
    lines = f"{result.code}\nassert words[0][0] == 'C' and words[1][0] == 'W', words\n"
    saved = f"torch.save(outputs.logits, {str(tmp_path / 'logits.pt')!r})\n"
    subprocess.run([sys.executable, "-c", lines + saved], check=True, capture_output=True)
    logits = torch.load(tmp_path / "logits.pt")
    assert torch.allclose(logits, result.outputs.logits, atol=1e-5)
