"""What transformers and torch give by themselves: what the magics are compared with."""

from collections.abc import Mapping

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast
from transformers.cache_utils import Cache, EncoderDecoderCache

END = "<|endoftext|>"


def plain(model, tokenizer, *columns, limit=512, **extra):
    """One batch as the teaching page runs it."""
    batch = tokenizer(
        *columns, padding=True, truncation=True, max_length=limit, return_tensors="pt"
    )
    with torch.inference_mode():
        return model(**batch, **extra)


def forward(model, **inputs):
    with torch.inference_mode():
        return model(**inputs)


def same(one, other) -> bool:
    """Whether two outputs are the same bit by bit, name by name."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, EncoderDecoderCache):
        return same(one.self_attention_cache, other.self_attention_cache) and same(
            one.cross_attention_cache, other.cross_attention_cache
        )
    if isinstance(one, Cache):
        return same([vars(layer) for layer in one.layers], [vars(layer) for layer in other.layers])
    return one == other


def notes(result) -> list[str]:
    return [note.text for note in result.page().notes]


def byte_level() -> PreTrainedTokenizerFast:
    """A byte-level BPE such as GPT-2's, without a pad token."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[END],
        show_progress=False,
    )
    made.train_from_iterator(["the quick brown fox jumps over the lazy dog"] * 5, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END)


TINY = {
    "bert": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 120,
        "max_position_embeddings": 32,
    },
    "roberta": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 120,
        "max_position_embeddings": 514,
    },
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 48, "vocab_size": 300},
    "t5": {
        "d_model": 16,
        "d_ff": 16,
        "d_kv": 8,
        "num_layers": 1,
        "num_heads": 2,
        "vocab_size": 400,
    },
    "bart": {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "vocab_size": 120,
        "max_position_embeddings": 40,
    },
    "vit": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": 16,
        "patch_size": 8,
    },
}
"""Config fields of tiny models, by type."""
