"""Tiny real checkpoints for the hub to serve: a BERT of 32 dimensions with its tokenizer beside it."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

if TYPE_CHECKING:
    from pathlib import Path

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog sat ran on mat hello world ! . ##s ##ing"


def save_tiny_bert(folder: Path, seed: int) -> Path:
    """Write config, safetensors weights and tokenizer; the seed is all that tells two apart."""
    vocabulary = {word: number for number, word in enumerate(WORDS.split())}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():  # whoever runs next still gets the numbers it would have got
        torch.manual_seed(seed)
        BertForMaskedLM(config).save_pretrained(folder)
    BertTokenizer(vocab=vocabulary, model_max_length=64).save_pretrained(folder)
    return folder


def save_kinds(folder: Path, tiny: Path) -> dict[str, Path]:
    """Write the other ways in which a repository holds the same model; returns name -> folder."""
    model = BertForMaskedLM.from_pretrained(tiny)
    kinds = {name: folder / name for name in ("bare", "pickled", "sharded", "config-only")}
    model.save_pretrained(kinds["bare"])
    shutil.copytree(tiny, kinds["pickled"])
    (kinds["pickled"] / "model.safetensors").unlink()
    torch.save(model.state_dict(), kinds["pickled"] / "pytorch_model.bin")
    shutil.copytree(tiny, kinds["sharded"])
    (kinds["sharded"] / "model.safetensors").unlink()
    model.save_pretrained(kinds["sharded"], max_shard_size="30KB")
    templates = kinds["sharded"] / "additional_chat_templates"
    templates.mkdir()
    (templates / "rag.jinja").write_text("with documents")
    (kinds["sharded"] / "chat_template.jinja").write_text("plain")
    kinds["config-only"].mkdir()
    shutil.copy(tiny / "config.json", kinds["config-only"])
    return kinds


def digest(model: Any) -> str:
    """What two models have in common that have the same weights, to the last bit."""
    weights = model.state_dict().values()
    return hashlib.sha256(b"".join(one.numpy().tobytes() for one in weights)).hexdigest()
