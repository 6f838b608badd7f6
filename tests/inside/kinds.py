"""Tiny models of many kinds, made from configs, and what each takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

import hf_magics as hf

BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 120,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 120}
DECODER = BERT | {"num_key_value_heads": 2}
IDS = torch.arange(3, 15)[None]


@dataclass(frozen=True)
class Kind:
    """The fields of a config, and what the model takes."""

    fields: dict[str, Any]
    inputs: Callable[[], dict[str, torch.Tensor]] = field(default=lambda: {"input_ids": IDS})


def _seq2seq() -> dict[str, torch.Tensor]:
    return {"input_ids": IDS, "decoder_input_ids": IDS[:, :5]}


def _sound() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"input_features": torch.randn(1, 8, 40), "decoder_input_ids": IDS[:, :5]}


def _image() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"pixel_values": torch.randn(1, 3, 32, 32)}


KINDS = {
    "bert": Kind(BERT),
    "gpt2": Kind(GPT2),
    "t5": Kind(
        {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 120},
        _seq2seq,
    ),
    "whisper": Kind(
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "num_mel_bins": 8,
            "max_source_positions": 20,
            "vocab_size": 120,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
        _sound,
    ),
    "vit": Kind(
        {name: BERT[name] for name in BERT if name != "vocab_size"}
        | {"image_size": 32, "patch_size": 8},
        _image,
    ),
    "mamba": Kind({"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 120, "state_size": 4}),
    "mixtral": Kind(DECODER | {"num_local_experts": 4}),
    "modernbert": Kind(BERT | {"pad_token_id": 0}),
    "gemma3_text": Kind(DECODER | {"head_dim": 8, "sliding_window": 4}),
}


def make(kind: str, **more: Any) -> None:
    """Put a tiny model of that kind into the session, under the kind's name."""
    hf.new(kind, name=kind, seed=0, **KINDS[kind].fields | more)
