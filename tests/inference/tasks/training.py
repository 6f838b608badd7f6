"""Tiny models that learn a synthetic task in seconds, so that an answer can be right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import BertTokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TINY_BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def word_tokenizer(folder: Path, words: Iterable[str]) -> BertTokenizer:
    """Return a BERT tokenizer whose vocabulary is these words (``##ing`` goes on a word)."""
    file = folder / "vocab.txt"
    file.write_text("\n".join([*SPECIAL, *dict.fromkeys(words)]) + "\n", encoding="utf-8")
    return BertTokenizer(str(file), model_max_length=64)


def train(
    model: Any, batch: dict[str, Any], *, steps: int, seed: int = 0, rate: float = 5e-3
) -> Any:
    """Train on one batch that holds ``labels``, and return the model in eval mode."""
    return train_on(model, lambda _: batch, steps=steps, seed=seed, rate=rate)


def train_on(
    model: Any,
    batch_of: Callable[[int], dict[str, Any]],
    *,
    steps: int,
    seed: int = 0,
    rate: float = 5e-3,
) -> Any:
    """Train on the batch of each step, and return the model in eval mode.

    One thread does it: for models as small as these, several only wait for each other.
    """
    torch.manual_seed(seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    model.train()
    for step in range(steps):
        loss = model(**batch_of(step)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.set_num_threads(threads)
    return model.eval()
