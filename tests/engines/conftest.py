"""What the tests of engines share: a cache of their own, and tiny checkpoints."""

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForMultipleChoice,
    AutoModelForNextSentencePrediction,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertTokenizer,
)

import hf_magics as hf_package

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "fox", "dog", "red", "is"]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 48,
}
HEADS = {
    "feature-extraction": AutoModel,
    "fill-mask": AutoModelForMaskedLM,
    "text-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
    "question-answering": AutoModelForQuestionAnswering,
    "multiple-choice": AutoModelForMultipleChoice,
    "next-sentence-prediction": AutoModelForNextSentencePrediction,
}


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache for all tests of the run: what one converts, another may take."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache, monkeypatch):
    monkeypatch.setenv("HF_MAGICS_CACHE", str(cache))


@pytest.fixture
def hf(session):
    """The verbs, on an empty session."""
    return hf_package


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Gives the folder of a tiny random BERT with the head of a task and a tokenizer."""
    folders = {}

    def folder(task="feature-extraction", model_type="bert", **more):
        key = (task, model_type, *sorted(more))
        if key not in folders:
            path = tmp_path_factory.mktemp("tiny")
            torch.manual_seed(0)
            config = AutoConfig.for_model(model_type, **SIZES, **more)
            HEADS[task].from_config(config).save_pretrained(path)
            vocab = {word: number for number, word in enumerate(WORDS)}
            BertTokenizer(vocab=vocab).save_pretrained(path)
            folders[key] = str(path)
        return folders[key]

    return folder


def tensors(value) -> list[torch.Tensor]:
    """All tensors of an output, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    inner = value.values() if hasattr(value, "values") else value
    return [one for part in inner for one in tensors(part)]


def farthest(one, other) -> float:
    """The largest difference of two outputs, which have the same names and shapes."""
    assert type(one) is type(other)
    assert list(one) == list(other)
    pairs = list(zip(tensors(one), tensors(other), strict=True))
    assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)
    return max((a - b).abs().max().item() for a, b in pairs)


def rows(result) -> dict:
    """The rows of a model's page, by label."""
    return {row[0]: row[1] for row in result.page().parts[0].rows}


def notes(result) -> list[str]:
    return [note.text for note in result.page().notes]
