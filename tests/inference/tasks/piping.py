"""What tests of pipelines share: a result's code run, answers compared."""

import pytest
import torch

from tests.home import run_home


def run_code(code: str, **names) -> dict:
    """Run a result's code as a fresh script, with the notebook's variables."""
    return run_home(code, **names)


def best(result) -> tuple:
    """The main value of each input."""
    return result.values


def agrees(records, answer) -> bool:
    """Whether the rows of one mask are those of the pipeline: tokens, IDs and scores to 1e-5."""
    return [(row["id"], row["token"]) for row in records] == [
        (one["token"], one["token_str"].strip()) for one in answer
    ] and all(
        abs(row["prob"] - one["score"]) < 1e-5 for row, one in zip(records, answer, strict=True)
    )


def same(one, other) -> bool:
    """Whether two answers are the same, numbers to 1e-5."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        return torch.allclose(one, other, atol=1e-5)
    return one == (pytest.approx(other, abs=1e-5) if isinstance(one, float) else other)
