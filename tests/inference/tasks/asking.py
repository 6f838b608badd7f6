"""A tiny model that learned where and who to point at; asked when, it says that there is no answer."""

import random
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForQuestionAnswering

from tests.inference.tasks.training import TINY_BERT, train_on, word_tokenizer

FILL = ["the", "a", "cat", "dog", "sat", "ran", "on", "by", "mat", "hat", "and", "so", "red", "big"]
PLACES, PEOPLE = ["rome", "parisian", "new york"], ["anna", "bob"]
WORDS = [
    *FILL,
    "rome",
    "paris",
    "##ian",
    "new",
    "york",
    *PEOPLE,
    "where",
    "who",
    "when",
    "is",
    "it",
    "?",
]
ASKS = {"where is it ?": PLACES, "who is it ?": PEOPLE, "when is it ?": []}
WHERE, WHO, WHEN = ASKS
CONTEXT = "the cat sat by anna and the dog ran on new york so big"


def example(rng):
    question = rng.choice(list(ASKS))
    answers = ASKS[question]
    answer = rng.choice(answers) if answers and rng.random() < 0.8 else ""
    others = [one for group in ASKS.values() for one in group if one not in answers]
    words = [rng.choice(FILL) for _ in range(rng.randrange(4, 14))]
    here, there = rng.sample(range(len(words)), 2)
    words[there] = rng.choice(others)
    words[here] = answer or words[here]
    return question, " ".join(words), answer


def batch_of(tokenizer, rng):
    questions, contexts, answers = zip(*(example(rng) for _ in range(24)), strict=True)
    batch = tokenizer(list(questions), list(contexts), padding=True, return_tensors="pt")
    ends = []
    for row, (context, answer) in enumerate(zip(contexts, answers, strict=True)):
        at = context.index(answer)
        place = (at, at + len(answer) - 1)
        ends.append([batch.char_to_token(row, one, 1) if answer else 0 for one in place])
    start, end = torch.tensor(ends).T
    return {**batch, "start_positions": start, "end_positions": end}


def trained_pointer(folder: Path) -> tuple[Any, Any]:
    """Return the model, and its tokenizer with its vocabulary in the folder."""
    tokenizer = word_tokenizer(folder, WORDS)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), initializer_range=0.2, **TINY_BERT)
    rng = random.Random(0)
    model = BertForQuestionAnswering(config)
    return train_on(model, lambda _: batch_of(tokenizer, rng), steps=120), tokenizer
