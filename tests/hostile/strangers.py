"""Checkpoints of a stranger: each name, label, token, value and text in them attacks the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForMultipleChoice,
    BertForNextSentencePrediction,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)

from tests.hostile.texts import ALL, CONTROLS, DIRECTIONS, FORMULAS, MARKUP, SPOKEN

PLACE = "by <b onclick=alert(14)>\x1b[35m\u202e$q$"
PARTING = "\u00a6"  # parts the tokens of the tokenizer
SPECIAL = {
    "unk_token": "<unk onclick=alert(10)>",
    "pad_token": "<pad>\u202e$p$",
    "cls_token": "<script>alert(11)</script>",
    "sep_token": "\x1b[7m</td>",
    "mask_token": "<img src=y onerror=alert(12)>",
}
WORDS = (*SPECIAL.values(), *SPOKEN)
TEXT = PARTING.join(SPOKEN)
TEMPLATE = (
    "{% for one in messages %}<img src=z onerror=alert(13)>" + PARTING + "\x1b[5m$t$" + PARTING
) + "{{ one.content }}{% endfor %}"
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 128,
}
LABELS = {"id2label": dict(enumerate(ALL)), "label2id": {one: at for at, one in enumerate(ALL)}}
VALUES = {
    "a_note": list(ALL),
    "a_table": {one: {one: one} for one in ALL},
    "summary_type": ALL[1],
    "problem_type": None,
}


def tokenizer() -> PreTrainedTokenizerFast:
    """A word of it is any of the texts, and each special token is one."""
    made = Tokenizer(
        models.WordLevel({one: at for at, one in enumerate(WORDS)}, unk_token=SPECIAL["unk_token"])
    )
    made.pre_tokenizer = pre_tokenizers.Split(PARTING, "removed")
    first, last = SPECIAL["cls_token"], SPECIAL["sep_token"]
    made.post_processor = processors.BertProcessing(
        (last, WORDS.index(last)), (first, WORDS.index(first))
    )
    found = PreTrainedTokenizerFast(tokenizer_object=made, **SPECIAL, model_max_length=128)
    found.chat_template = TEMPLATE
    return found


def _bert(head: Any, **labels: Any) -> Callable[[], Any]:
    return lambda: head(BertConfig(**BERT, **labels))


def _writer() -> Any:
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 512}
    return GPT2LMHeadModel(
        GPT2Config(**sizes, vocab_size=len(WORDS), bos_token_id=None, eos_token_id=None)
    )


def _translator() -> Any:
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    return T5ForConditionalGeneration(
        T5Config(**sizes, vocab_size=len(WORDS), decoder_start_token_id=1, eos_token_id=None)
    )


def _seer() -> Any:
    sizes = {name: BERT[name] for name in ("hidden_size", "num_hidden_layers", "intermediate_size")}
    return ViTForImageClassification(
        ViTConfig(**sizes, num_attention_heads=2, image_size=8, patch_size=4, **LABELS)
    )


MODELS: dict[str, Callable[[], Any]] = {
    "sorter": _bert(BertForSequenceClassification, **LABELS),
    "tagger": _bert(BertForTokenClassification, **LABELS),
    "filler": _bert(BertForMaskedLM),
    "finder": _bert(BertForQuestionAnswering),
    "chooser": _bert(BertForMultipleChoice),
    "follower": _bert(BertForNextSentencePrediction),
    "judge": _bert(
        BertForSequenceClassification,
        id2label={0: "<i>no</i>", 1: "entailment"},
        label2id={"<i>no</i>": 0, "entailment": 1},
    ),
    "embedder": _bert(BertModel),
    "writer": _writer,
    "translator": _translator,
    "seer": _seer,
}
SENTENCE = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": ALL[1], "path": "pool", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": ALL[2], "path": ALL[2], "type": f"own.{MARKUP[8]}"},
    ],
    "pool/config.json": {"pooling_mode": "mean"},
    "config_sentence_transformers.json": {
        "prompts": {one: one for one in ALL},
        "similarity_fn_name": FORMULAS[0],
    },
}
# what the config of a copy says, and what that is called
ODD: dict[str, dict[str, Any]] = {
    "typed": {"model_type": ALL[1] + ALL[-1]},
    "active": {"hidden_act": "".join((*MARKUP, *FORMULAS, *CONTROLS))},
    "sized": {"hidden_size": ALL[2]},
    "quantised": {"quantization_config": {"quant_method": "".join((*MARKUP, *CONTROLS))}},
    "built": {"architectures": ["".join((*MARKUP, *FORMULAS, *DIRECTIONS, ALL[-1]))]},
}


def made(place: Path) -> dict[str, str]:
    """Write all of them under a folder, and return where each is."""
    torch.manual_seed(0)
    words = tokenizer()
    found = {name: _written(place / name, build(), words) for name, build in MODELS.items()}
    for name, values in ODD.items():
        found[name] = place / name
        shutil.copytree(found["sorter"], found[name])
        _edit(found[name] / "config.json", values)
    for file, content in SENTENCE.items():
        (found["embedder"] / file).parent.mkdir(exist_ok=True)
        (found["embedder"] / file).write_text(json.dumps(content))
    found["fuller"] = _with_more(found["embedder"], place / "fuller")
    return {name: str(folder) for name, folder in found.items()}


def _written(folder: Path, model: Any, words: PreTrainedTokenizerFast) -> Path:
    model.save_pretrained(folder)
    if isinstance(model, ViTForImageClassification):
        ViTImageProcessorPil(size={"height": 8, "width": 8}).save_pretrained(folder)
    else:
        words.save_pretrained(folder)
    _edit(folder / "config.json", VALUES)
    return folder


def _edit(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _with_more(folder: Path, to: Path) -> Path:
    """A copy with weights that the model has no place for."""
    shutil.copytree(folder, to)
    path = to / "model.safetensors"
    more = {f"{one}.weight": torch.ones(1) for one in SPOKEN}
    save_file({**load_file(path), **more}, path, {"format": "pt"})
    return to
