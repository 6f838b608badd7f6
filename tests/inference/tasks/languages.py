"""Tiny models that translate counting words, and tokenizers with language codes and marks."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import (
    M2M100Tokenizer,
    MarianTokenizer,
    MBart50Tokenizer,
    MBartTokenizer,
    NllbTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from tests.inference.tasks.training import train

ENGLISH = ["one", "two", "three", "four", "five", "six"]
FRENCH = ["un", "deux", "trois", "quatre", "cinq", "six"]
GERMAN = ["eins", "zwei", "drei", "vier", "fünf", "sechs"]
WORDS = list(dict.fromkeys([*ENGLISH, *FRENCH, *GERMAN]))
PREFIXES = {
    "translation_en_to_fr": "translate English to French: ",
    "translation_en_to_de": "translate English to German: ",
    "summarization": "summarize: ",
}
SMALL = {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_layers": 1, "num_heads": 2}
TINY = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 40,
}


def t5_tokenizer() -> T5Tokenizer:
    prefixed = ["translate", "English", "to", "French", "German", "summarize"]
    pieces = ["<pad>", "</s>", "<unk>", ":", *(f"▁{word}" for word in [*prefixed, *WORDS])]
    letters = [(letter, -9.0) for letter in "▁abcdef"]  # transformers' stop strings need them
    return T5Tokenizer(vocab=[*((piece, -1.0) for piece in pieces), *letters], extra_ids=0)


def trained_t5() -> tuple[Any, Any]:
    """Return a T5 that translates one word to French or German, and whose summary is the word."""
    tokenizer = t5_tokenizer()
    params: dict[str, dict[str, Any]] = {task: {"prefix": one} for task, one in PREFIXES.items()}
    params["summarization"] |= {"max_length": 6, "min_length": 1, "num_beams": 2}
    torch.manual_seed(0)
    config = T5Config(
        **SMALL,
        vocab_size=len(tokenizer),
        decoder_start_token_id=0,
        dropout_rate=0.0,
        task_specific_params=params,
    )
    batch = _batch(tokenizer, [(PREFIXES[task] + word, said) for task, word, said in _all_words()])
    model = T5ForConditionalGeneration(config)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on so small a model several only wait for each other
    try:
        return train(model, batch, steps=60, rate=1e-2), tokenizer
    finally:
        torch.set_num_threads(threads)


def _all_words() -> Iterator[tuple[str, str, str]]:
    for task, words in zip(PREFIXES, (FRENCH, GERMAN, ENGLISH), strict=True):
        for word, said in zip(ENGLISH, words, strict=True):
            yield task, word, said


def _batch(tokenizer: Any, examples: list[tuple[str, str]]) -> dict[str, Any]:
    texts, targets = (list(column) for column in zip(*examples, strict=True))
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    labels = tokenizer(targets, padding=True, return_tensors="pt")["input_ids"]
    return {**batch, "labels": labels.masked_fill(labels == 0, -100)}


def _scored() -> list[tuple[str, float]]:
    return [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((f"▁{word}", -1.0) for word in WORDS)]


def mbart50_tokenizer() -> Any:
    return MBart50Tokenizer(vocab=_scored())


def mbart_tokenizer() -> Any:
    return MBartTokenizer(vocab=_scored())


def nllb_tokenizer(codes: tuple[str, ...] = ("eng_Latn", "fra_Latn", "zho_Hans", "zho_Hant")):
    """Return a tokenizer that reads letters, and has these codes."""
    letters = sorted({letter for word in WORDS for letter in word})
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters]
    vocab = {piece: at for at, piece in enumerate(pieces)}
    return NllbTokenizer(vocab=vocab, extra_special_tokens=list(codes))


def m2m_tokenizer(folder: Path) -> Any:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *_pieces(folder)]
    vocab = _vocabulary(folder, pieces)
    return M2M100Tokenizer(vocab, str(folder / "words.spm"))


def marian_tokenizer(folder: Path, *marks: str, target: str = "fr") -> Any:
    """Return a tokenizer from English, with marks such as ``>>fra<<``."""
    vocab = _vocabulary(folder, ["</s>", "<unk>", *_pieces(folder), *marks, "<pad>"])
    spm = str(folder / "words.spm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends a package that normalises punctuation
        return MarianTokenizer(spm, spm, vocab, source_lang="en", target_lang=target)


def _pieces(folder: Path) -> list[str]:
    """Train a SentencePiece model whose pieces are the words, and return them."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS)] * 20),
        model_writer=made,
        vocab_size=60,
        hard_vocab_limit=False,
        model_type="word",
        minloglevel=2,
    )
    (folder / "words.spm").write_bytes(made.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    pieces = [model.id_to_piece(at) for at in range(model.get_piece_size())]
    return [piece for piece in pieces if not piece.startswith("<")]


def _vocabulary(folder: Path, pieces: list[str]) -> str:
    file = folder / "vocab.json"
    file.write_text(json.dumps({piece: at for at, piece in enumerate(pieces)}), encoding="utf-8")
    return str(file)
