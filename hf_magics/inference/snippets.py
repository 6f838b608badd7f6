"""Plain transformers code for what this wing does: tokenise, run."""

from __future__ import annotations

from typing import Any

from hf_magics.inference.tokenizing import Encoded, split_pair
from hf_magics.snippets import Name, Snippet, call
from hf_magics.specs import InferSpec, TokensSpec


def infer_snippet(spec: InferSpec, encoded: Encoded) -> Snippet:
    """Return inputs, then outputs under ``inference_mode``; the model's own code goes before."""
    if spec.texts:
        lines = _from_texts(spec, encoded)
    elif spec.ids:
        lines = _from_ids(encoded)
    else:
        lines = [f"inputs = {spec.variable or 'inputs'}  # tensors, as forward takes them"]
    extra = "".join(f", {name}={value!r}" for name, value in spec.extra)
    if spec.ids or spec.texts:
        lines.append("inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}")
    lines += ["with torch.inference_mode():", f"    outputs = model(**inputs{extra})"]
    return Snippet(("import torch",), tuple(lines))


def tokens_snippet(spec: TokensSpec) -> Snippet:
    """Return the call that gives the IDs, or the text of IDs."""
    if spec.ids:
        rows = [list(line) for line in spec.ids]
        lines = [f"ids = {rows}", "texts = [tokenizer.decode(line) for line in ids]"]
        return Snippet((), tuple(lines))
    keywords: dict[str, Any] = {}
    if spec.max_length:
        keywords |= {"truncation": True, "max_length": spec.max_length}
    if spec.padding:
        keywords["padding"] = spec.padding
    if not spec.special:
        keywords["add_special_tokens"] = False
    pairs = [split_pair(text) for text in spec.texts]
    if len({len(pair) for pair in pairs}) > 1:
        each = f"tokenizer(*pair{_more(keywords)})"
        lines = [f"pairs = {pairs}", f"ids = [{each}['input_ids'] for pair in pairs]"]
        return Snippet((), tuple(line.replace("'input_ids'", '"input_ids"') for line in lines))
    names, lines = _columns(spec.texts)
    lines.append(f"inputs = {call('tokenizer', *names, **keywords)}")
    lines.append('ids = inputs["input_ids"]')
    return Snippet((), tuple(lines))


def _from_texts(spec: InferSpec, encoded: Encoded) -> list[str]:
    keywords: dict[str, Any] = {}
    if encoded.limit:
        keywords |= {"truncation": True, "max_length": encoded.limit}
    padding = ["tokenizer.pad_token = tokenizer.eos_token"] if encoded.pad_word else []
    if len({len(split_pair(text)) for text in spec.texts}) > 1:
        pairs = [split_pair(text) for text in spec.texts]
        return [
            f"pairs = {pairs}",
            *padding,
            f"each = [tokenizer(*pair{_more(keywords)}) for pair in pairs]",
            'inputs = tokenizer.pad(each, return_tensors="pt")',
        ]
    names, lines = _columns(spec.texts)
    if len(spec.texts) > 1:
        keywords = {"padding": True, **keywords}
    made = call("tokenizer", *names, **keywords, return_tensors="pt")
    return [*lines, *padding, f"inputs = {made}"]


def _columns(texts: tuple[str, ...]) -> tuple[list[Name], list[str]]:
    """Return the names of the lists of texts, and the lines that write them down."""
    columns = list(zip(*(split_pair(text) for text in texts), strict=True))
    names = ["texts"] if len(columns) == 1 else ["texts", "pairs"]
    lines = [
        f"{name} = {call('', list(column))[1:-1].strip().removesuffix(',')}"
        for name, column in zip(names, columns, strict=True)
    ]
    return [Name(name) for name in names], lines


def _from_ids(encoded: Encoded) -> list[str]:
    ids = encoded.inputs["input_ids"].tolist()
    lines = [f"input_ids = torch.tensor({ids})"]
    if len(set(encoded.lengths)) > 1:
        mask = encoded.inputs["attention_mask"].tolist()
        lines.append(f"attention_mask = torch.tensor({mask})")
    else:
        lines.append("attention_mask = torch.ones_like(input_ids)")
    return [*lines, 'inputs = {"input_ids": input_ids, "attention_mask": attention_mask}']


def _more(keywords: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in keywords.items())
