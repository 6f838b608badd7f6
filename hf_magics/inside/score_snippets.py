"""Plain transformers code for a scoring."""

from __future__ import annotations

from hf_magics.inference.snippets import input_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inside.scorers import Way, special_ids_of
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet
from hf_magics.specs import InferSpec, ScoreSpec


def score_snippet(spec: ScoreSpec, encoded: Encoded, loaded: LoadedModel, way: Way) -> Snippet:
    """Return the lines that make ``log_probs`` and ``perplexity``, tensors with a row a line.

    ``log_probs`` has the shape of the IDs, and NaN where a token has no score.
    """
    asked = InferSpec(spec.name, spec.texts, spec.ids, max_length=spec.max_length)
    lines = [
        *input_lines(asked, encoded),
        "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
        'ids = inputs["input_ids"]',
        'log_probs = torch.full(ids.shape, float("nan"), device=ids.device)',
        *_scored(encoded),
        *(_CAUSAL if way == "causal" else _masked(special_ids_of(loaded.tokenizer))),
        "perplexity = (-log_probs.nanmean(dim=1)).exp()",
    ]
    return Snippet(("import torch",), tuple(lines))


def _scored(encoded: Encoded) -> list[str]:
    """Return the line that says where there is text and no padding."""
    if "attention_mask" in encoded.inputs:
        return ['scored = inputs["attention_mask"].bool()']
    lengths = f"torch.tensor({list(encoded.lengths)}, device=ids.device)"
    return [f"scored = torch.arange(ids.shape[1], device=ids.device) < {lengths}[:, None]"]


_CAUSAL = (
    "with torch.inference_mode():",
    "    logits = model(**inputs).logits[:, :-1]  # at a token, what comes next",
    "found = logits.float().log_softmax(dim=-1).gather(2, ids[:, 1:, None])[..., 0]",
    "log_probs[:, 1:] = torch.where(scored[:, 1:], found, log_probs[:, 1:])",
)


def _masked(special_ids: list[int]) -> list[str]:
    return [
        f"special = torch.tensor({special_ids}, device=ids.device)",
        "scored &= ~torch.isin(ids, special)",
        "for row, column in scored.nonzero().tolist():  # a pass a token",
        "    one = {name: tensor[[row]] for name, tensor in inputs.items()}  # a copy",
        '    one["input_ids"][0, column] = tokenizer.mask_token_id',
        "    with torch.inference_mode():",
        "        logits = model(**one).logits[0, column]",
        "    log_probs[row, column] = logits.float().log_softmax(dim=-1)[ids[row, column]]",
    ]
