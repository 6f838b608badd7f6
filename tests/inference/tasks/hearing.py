"""Tiny checkpoints that hear, each a folder with its processor, as the hub has them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from tests.inference.tasks.seeing import LABELS, saved


def tone(seconds: float = 0.2) -> np.ndarray:
    """A tone of 440 Hz at 16,000 samples a second."""
    return np.sin(2 * np.pi * 440 * np.arange(int(16_000 * seconds)) / 16_000).astype(np.float32)


def hearer(folder: Path) -> str:
    vocabulary = {word: at for at, word in enumerate(["<pad>", "<unk>", "|", *"ABCDE"])}
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**SOUND, vocab_size=len(vocabulary)))
    folder.mkdir(exist_ok=True)
    file = folder / "vocab.json"
    file.write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(str(file), bos_token=None, eos_token=None)
    return saved(folder, model, Wav2Vec2FeatureExtractor(), tokenizer)


def listener(folder: Path) -> str:
    model = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(**SOUND, **LABELS))
    return saved(folder, model, Wav2Vec2FeatureExtractor())


SOUND = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8, 8],
    "conv_kernel": [10, 4],
    "conv_stride": [10, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
}


def whisperer(folder: Path) -> str:
    """A Whisper, which writes what it hears."""
    folder.mkdir(exist_ok=True)
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|transcribe|>",
        "<|notimestamps|>",
    ]
    entries = {word: at for at, word in enumerate([*"abcdefgh", *special])}
    (folder / "vocab.json").write_text(json.dumps(entries), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = WhisperTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    ids = {"bos_token_id": 8, "eos_token_id": 8, "pad_token_id": 8, "decoder_start_token_id": 9}
    config = WhisperConfig(
        vocab_size=len(entries),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=8,
        max_source_positions=50,
        max_target_positions=32,
        **ids,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config.update(no_timestamps_token_id=12, **ids)
    extractor = WhisperFeatureExtractor(feature_size=8, chunk_length=1)
    return saved(folder, model, WhisperProcessor(extractor, tokenizer))
