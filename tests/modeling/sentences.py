"""Tiny checkpoints with what sentence-transformers writes beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, BertTokenizer

from tests.modeling.tiny import BERT

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog sat ran on mat hello query ##s : !"
POOLING = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}


def tiny_encoder(folder: Path) -> Path:
    """Save a headless tiny BERT with a tokenizer, as transformers does."""
    torch.manual_seed(0)
    BertModel(BertConfig(**BERT)).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(WORDS.split())}
    BertTokenizer(vocab=vocabulary, model_max_length=64).save_pretrained(folder)
    return folder


def describe(
    folder: Path,
    *kinds: str,
    pooling: dict[str, Any] | None = None,
    own: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
) -> Path:
    """Write ``modules.json`` for the transformer and these modules, and what it needs."""
    modules = [{"idx": 0, "name": "0", "path": "", "type": f"{_OLD}.Transformer"}]
    for at, kind in enumerate(kinds, 1):
        path = f"{at}_{kind}"
        modules.append({"idx": at, "name": str(at), "path": path, "type": f"{_OLD}.{kind}"})
        if kind == "Pooling":
            write(folder / path / "config.json", pooling or POOLING)
    write(folder / "modules.json", modules)
    write(folder / "sentence_bert_config.json", own or {"max_seq_length": 16})
    write(folder / "config_sentence_transformers.json", shared or {})
    return folder


_OLD = "sentence_transformers.models"


def dense(folder: Path, *, size: tuple[int, int], pickled: bool = False, **config: Any) -> None:
    """Write the weights of a dense layer with a bias, and its config."""
    weights = torch.randn(size, generator=torch.Generator().manual_seed(1))
    state = {"linear.weight": weights, "linear.bias": torch.ones(size[0])}
    default = {"in_features": size[1], "activation_function": "torch.nn.modules.activation.Tanh"}
    write(folder / "config.json", default | config)
    if pickled:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors")


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
