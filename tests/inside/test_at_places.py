"""A masked model's head reads the masked token alone, where it gives the same of it."""

import pytest
import torch

import hf_magics as hf
from tests.inside.test_scoring import TEXTS, masked


def states_read(model, path: str, run) -> list[int]:
    """How many states a module of the head was given, pass by pass."""
    seen: list[int] = []

    def note(_module, given, _output):
        seen.append(given[0].numel() // given[0].shape[-1])

    hook = model.get_submodule(path).register_forward_hook(note)
    try:
        run()
    finally:
        hook.remove()
    return seen


def test_the_head_reads_one_state_a_masked_token(session, minilm):
    """Of the whole lines it would read a dozen times as many."""
    masked(minilm)
    model, tokenizer = session["bert"].model, session["bert"].tokenizer
    lengths = [len(tokenizer(text)["input_ids"]) - 2 for text in TEXTS]
    seen = states_read(model, "cls.predictions.decoder", lambda: hf.score(TEXTS))
    asking = seen[:3]  # the whole line, which module is the backbone, and the state alone
    first = len(tokenizer(TEXTS[0])["input_ids"])
    assert asking == [first, first, 1]
    assert sum(seen[3:]) == sum(lengths)


def test_a_head_that_reads_the_line_is_given_the_line(session, minilm):
    """One whose tokens depend on each other gets them all, and the scores are those."""
    masked(minilm)
    model, tokenizer = session["bert"].model, session["bert"].tokenizer
    decoder = model.cls.predictions.decoder
    hook = decoder.register_forward_hook(
        lambda _module, given, output: (
            output
            + given[0].abs().mean(dim=1, keepdim=True).sum(-1)[..., None]
            * torch.linspace(0, 1, output.shape[-1])
        )
    )
    try:
        seen = states_read(model, "cls.predictions.decoder", lambda: hf.score(TEXTS[0]))
        found = hf.score(TEXTS[0]).df["log_prob"].dropna().tolist()
        inputs = tokenizer(TEXTS[0], return_tensors="pt")
        ids = inputs["input_ids"][0]
        wanted = []
        for at in range(1, len(ids) - 1):
            one = {**inputs, "input_ids": inputs["input_ids"].clone()}
            one["input_ids"][0, at] = tokenizer.mask_token_id
            with torch.inference_mode():
                logs = model(**one).logits[0, at].log_softmax(-1)
            wanted.append(logs[ids[at]].item())
    finally:
        hook.remove()
    assert all(one % len(ids) == 0 for one in seen[3:])
    assert found == pytest.approx(wanted, abs=1e-5)
