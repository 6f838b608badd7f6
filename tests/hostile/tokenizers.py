"""Tokenizers that something is wrong with: their settings are small programs of whoever wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from tests.hostile import changes
from tests.hostile.changes import Change, named


def whole(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Write tokenizer.json, read as it stands, and change what is in it."""

    def change(folder: Path) -> str:
        AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
        (folder / "vocab.txt").unlink()
        settings(tokenizer_class="PreTrainedTokenizerFast")(folder)
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))
        return "tokenizer"

    return change


def settings(**values: Any) -> Change:
    """Write fields into tokenizer_config.json."""
    return changes.settings("tokenizer_config.json", "tokenizer", **values)


def _words(**ids: object) -> Change:
    return whole(lambda content: content["model"]["vocab"].update(ids))


def _before(before: dict[str, Any]) -> Change:
    return whole(lambda content: content.update(pre_tokenizer=before))


def _behind(tokens: dict[str, Any]) -> Change:
    one = [{"SpecialToken": {"id": "[X]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    two = [*one, {"Sequence": {"id": "B", "type_id": 1}}]
    made = {"type": "TemplateProcessing", "single": one, "pair": two, "special_tokens": tokens}
    return whole(lambda content: content.update(post_processor=made))


def _split(expression: str) -> Change:
    pattern = {"Regex": expression}
    return _before({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False})


def _growing(part: str, inner: str, pattern: dict[str, str]) -> Change:
    step = {"type": "Replace", "pattern": pattern, "content": "o" * 1_000}
    change = whole(lambda content: content.update({part: {"type": "Sequence", inner: [step] * 3}}))
    return named(f"the {part} in tokenizer.json", change)


TOKENIZERS: dict[str, Change] = {
    "an ID without end": _words(fox=2**40),
    "an ID below zero": _words(fox=-3),
    "an ID that is a word": _words(fox="a"),
    "no model in it": whole(lambda content: content.pop("model")),
    "a model of no kind": whole(lambda content: content["model"].update(type="Evil")),
    "an expression that is none": _split("(((("),
    "texts that grow": _growing("normalizer", "normalizers", {"String": "o"}),
    "texts that grow by an expression": _growing("normalizer", "normalizers", {"Regex": "x*"}),
    "answers that grow": _growing("decoder", "decoders", {"String": "o"}),
    "a class that is a number": settings(tokenizer_class=3),
    "a class that is a list": settings(tokenizer_class=["a"]),
    "code in no form": settings(auto_map="evil"),
    "a length that is a word": named("model_max_length='many'", settings(model_max_length="many")),
    "a length that is a list": named("model_max_length=[1]", settings(model_max_length=[1])),
    "a length that is NaN": named("model_max_length=nan", settings(model_max_length=float("nan"))),
    "a side that is none": settings(padding_side="up"),
    "a special token that is a number": settings(pad_token=7),
    "a special token that is an object": settings(pad_token={"a": 1}),
    "added tokens that are words": settings(added_tokens_decoder={"x": {"content": "a"}}),
    "added tokens that are a list": settings(added_tokens_decoder=[1]),
    "inputs that are a number": settings(model_input_names=3),
    "templates without a template": settings(chat_template=[{"name": "a"}]),
}
"""Those that are refused when they are loaded."""

FAILING: dict[str, Change] = {
    "no words, and none that is unknown": whole(lambda content: content["model"].update(vocab={})),
    "a special token that is nowhere": _behind({}),
    "a special token beyond the vocabulary": _behind(
        {"[X]": {"id": "[X]", "ids": [12_345], "tokens": ["[X]"]}}
    ),
    "an ID beyond the embedding": _words(fox=999),
    "an expression without end": _split("(d+)+$"),
}
"""Those that load, and fail at ``HARD``."""

HARD = f"red fox {'d' * 40}!"
