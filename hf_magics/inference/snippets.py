"""Plain transformers code for what this wing does: tokenise, run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_magics.inference.pairs import split_pair
from hf_magics.inference.script_inputs import (
    ids_lines,
    ids_list_lines,
    list_lines,
    pair_lines,
    tensor_lines,
)
from hf_magics.inference.tokenizing import Encoded
from hf_magics.snippets import Name, Snippet, call, quoted
from hf_magics.specs import InferSpec, TokensSpec


def infer_snippet(spec: InferSpec, encoded: Encoded, added: Mapping[str, Any]) -> Snippet:
    """Return inputs, then outputs under ``inference_mode``; the model's own code goes before.

    Args:
        spec: What was asked.
        encoded: The batch that was run.
        added: What had to be added to it: the decoder's start tokens.
    """
    return Snippet(
        ("import torch",), (*input_lines(spec, encoded), *run_lines(spec, added, encoded))
    )


def input_lines(spec: InferSpec, encoded: Encoded) -> list[str]:
    """Return the lines that make ``inputs``, on the CPU."""
    if spec.texts:
        return _from_texts(spec, encoded)
    if spec.ids:
        return ids_lines(encoded.inputs, spec.ids, spec.variable)
    return tensor_lines(spec.variable, encoded.inputs)


def run_lines(spec: InferSpec, added: Mapping[str, Any], encoded: Encoded) -> list[str]:
    """Return the lines from ``inputs`` to ``outputs``, with what had to be added to ``inputs``."""
    lines = [f'inputs["{name}"] = torch.tensor({ids.tolist()})' for name, ids in added.items()]
    extra = "".join(f", {name}={value!r}" for name, value in spec.extra)
    lines.append("inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}")
    if encoded.apart is not None:
        return [*lines, *_apart_lines(encoded, extra)]
    return [*lines, "with torch.inference_mode():", f"    outputs = model(**inputs{extra})"]


def _apart_lines(encoded: Encoded, extra: str) -> list[str]:
    """Return the lines that run each row without its padding, and put the outputs together."""
    of_row = "{name: tensor[row : row + 1, :length] for name, tensor in inputs.items()}"
    return [
        f"lengths = {mask_code(encoded)}.sum(dim=1).tolist()",
        "each = []  # this model reads padding, also where a mask hides it",
        "for row, length in enumerate(lengths):",
        "    with torch.inference_mode():",
        f"        each.append(model(**{of_row}{extra}))",
        "tensors = {name: one for name, one in each[0].items() if torch.is_tensor(one)}",
        "for name in tensors:",
        "    rows = [one[name][0] for one in each]",
        "    tensors[name] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)",
        "outputs = type(each[0])(**tensors)",
    ]


def mask_code(encoded: Encoded) -> str:
    """Return the expression for where tokens stand in ``inputs``, of a model without a mask too."""
    ids = 'inputs["input_ids"]'
    if "attention_mask" in encoded.inputs:
        return 'inputs["attention_mask"]'
    if len(set(encoded.lengths)) < 2:  # noqa: PLR2004 - of one length, nothing is padded
        return f"torch.ones_like({ids})"
    reach = f"torch.tensor({list(encoded.lengths)}, device=model.device)"
    return f"(torch.ones_like({ids}).cumsum(dim=1) <= {reach}[:, None]).long()"


def tokens_snippet(spec: TokensSpec, pad_word: str = "") -> Snippet:
    """Return the call that gives the IDs, or the text of IDs."""
    if spec.ids:
        skip = "" if spec.special else ", skip_special_tokens=True"
        lines = ids_list_lines("ids", spec.ids, spec.variable)
        lines.append(f"texts = [tokenizer.decode(line{skip}) for line in ids]")
        return Snippet((), tuple(lines))
    keywords: dict[str, Any] = {}
    if spec.max_length:
        keywords |= {"truncation": True, "max_length": spec.max_length}
    if not spec.special:
        keywords["add_special_tokens"] = False
    padding: dict[str, Any] = {"padding": spec.padding} if spec.padding else {}
    if spec.padding == "max_length":
        padding["max_length"] = spec.max_length
    lines = [*lent_lines(pad_word), *_call(spec.texts, keywords, padding, spec.variable)]
    return Snippet((), (*lines, 'ids = inputs["input_ids"]'))


def _from_texts(spec: InferSpec, encoded: Encoded) -> list[str]:
    keywords: dict[str, Any] = {}
    if encoded.limit:
        keywords |= {"truncation": True, "max_length": encoded.limit}
    keywords |= encoded.leaving_out
    padding = {"padding": True, **encoded.padding} if len(spec.texts) > 1 else {}
    return [
        *lent_lines(encoded.pad_word),
        *_call(spec.texts, keywords, padding, spec.variable, return_tensors="pt"),
    ]


def _call(
    texts: tuple[str, ...],
    keywords: dict[str, Any],
    padding: dict[str, Any],
    variable: str,
    **last: Any,
) -> list[str]:
    """Return the lines that make ``inputs``; pairs beside single texts take a loop."""
    pairs = [split_pair(text) for text in texts]
    if len({len(pair) for pair in pairs}) == 1:
        if len(pairs[0]) == 1:
            names, lines = [Name("texts")], list_lines("texts", texts, variable)
        else:
            names = [Name("texts"), Name("pairs")]
            lines = pair_lines(("texts", "pairs"), texts, variable)
        made = call("tokenizer", *names, **{**padding, **keywords, **last})
        return [*lines, f"inputs = {made}"]
    each = call("tokenizer", Name("*pair"), **keywords)
    padding |= {name: keywords[name] for name in _OF_PAD if name in keywords}
    padded = call("tokenizer.pad", Name("each"), **{"padding": False, **padding, **last})
    return [f"pairs = {pairs}", f"each = [{each} for pair in pairs]", f"inputs = {padded}"]


_OF_PAD = ("return_attention_mask",)  # else it gives a mask that was left out before


def lent_lines(pad_word: str) -> list[str]:
    """Return the line that lends the tokenizer a pad token, none where there was no need."""
    return (
        [f"tokenizer.pad_token = {quoted(pad_word)}  # it has none of its own"] if pad_word else []
    )
