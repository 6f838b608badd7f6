"""Plain transformers code for what this wing does: tokenise, run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from hf_magics.inference.pairs import split_pair
from hf_magics.inference.tokenizing import Encoded
from hf_magics.snippets import Name, Snippet, assigned, call, given, quoted
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
        return _from_ids(encoded, spec.variable)
    return tensor_lines(spec.variable, encoded.inputs)


def tensor_lines(variable: str, tensors: Mapping[str, Any]) -> list[str]:
    """Return the lines that make ``inputs`` of tensors: written down where there is little."""
    written = [_written(one) for one in tensors.values()]
    if all(written):
        rows = (f"    {quoted(name)}: {one}," for name, one in zip(tensors, written, strict=True))
        return ["inputs = {", *rows, "}"]
    kinds = ", ".join(f"{name} {_kind(one)}" for name, one in tensors.items())
    name, line = given(variable or "tensors", f"a dictionary of tensors ({kinds})")
    return [line, f"inputs = dict({name})"]


def _written(tensor: Any) -> str:
    """Return the source of a tensor, ``""`` where it is none, or long."""
    if not isinstance(tensor, torch.Tensor) or tensor.numel() > _FEW_NUMBERS:
        return ""
    usual = tensor.dtype in {torch.int64, torch.float32, torch.bool} and tensor.numel()
    return f"torch.tensor({tensor.tolist()}{'' if usual else f', dtype={tensor.dtype}'})"


def _kind(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{list(value.shape)} {value.dtype}"


_FEW_NUMBERS = 64
_LONG = 2_000


def is_long(texts: Iterable[str], variable: str) -> bool:
    """Say whether texts are no literal: they have a name in the notebook, and are many."""
    return bool(variable) and sum(map(len, texts)) > _LONG


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
        rows = [list(line) for line in spec.ids]
        skip = "" if spec.special else ", skip_special_tokens=True"
        lines = [f"ids = {rows}", f"texts = [tokenizer.decode(line{skip}) for line in ids]"]
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
        names, lines = _columns(pairs, variable if is_long(texts, variable) else "")
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


def _columns(pairs: list[tuple[str, ...]], variable: str) -> tuple[list[Name], list[str]]:
    """Return the names of the lists of texts, and the lines that write them down.

    Args:
        pairs: The texts, each a tuple of one or two.
        variable: The notebook's name of them where they are too long to stand in code.
    """
    columns = list(zip(*pairs, strict=True))
    names = ["texts"] if len(columns) == 1 else ["texts", "pairs"]
    if variable:
        about = "texts" if len(columns) == 1 else "texts, a tab in each between the two of a pair"
        name, line = given(variable, f"a list of {len(pairs):,} {about}")
        one = f"texts = {name}"
        two = f'texts, pairs = map(list, zip(*(text.split("\\t", 1) for text in {name})))'
        return [Name(name) for name in names], [line, one if len(columns) == 1 else two]
    lines = [assigned(*one) for one in zip(names, map(list, columns), strict=True)]
    return [Name(name) for name in names], lines


def _from_ids(encoded: Encoded, variable: str) -> list[str]:
    if variable and encoded.inputs["input_ids"].numel() > _LONG:
        return tensor_lines(variable, encoded.inputs)
    ids = encoded.inputs["input_ids"].tolist()
    lines = [f"input_ids = torch.tensor({ids})"]
    if "attention_mask" not in encoded.inputs:
        return [*lines, 'inputs = {"input_ids": input_ids}']
    if len(set(encoded.lengths)) > 1:
        mask = encoded.inputs["attention_mask"].tolist()
        lines.append(f"attention_mask = torch.tensor({mask})")
    else:
        lines.append("attention_mask = torch.ones_like(input_ids)")
    return [*lines, 'inputs = {"input_ids": input_ids, "attention_mask": attention_mask}']
