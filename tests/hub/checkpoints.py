"""Tiny real checkpoints for the hub to serve: a BERT of 32 dimensions with its tokenizer beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
