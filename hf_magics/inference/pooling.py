"""Token vectors to one vector a text: the poolings and what follows them, each with its code.

The formulas are those of sentence-transformers' ``Pooling``, ``Dense`` and ``Normalize``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from hf_magics.display.numbers import plural
from hf_magics.errors import OptionError
from hf_magics.modeling.sentence import Dense, SentenceConfig, Step
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Name, Snippet, call


def pool(states: torch.Tensor, mask: torch.Tensor, how: SentenceConfig) -> torch.Tensor:
    """Return a vector an input.

    Args:
        states: A vector a token, of the shape (inputs, tokens, dimensions).
        mask: 1 for each token that counts, 0 for padding, of the shape (inputs, tokens).
        how: The poolings that are joined, and the steps after them.

    Raises:
        OptionError: A dense layer takes vectors of another length than the pooling gives.
    """
    vectors = torch.cat([_POOLINGS[mode][0](states, mask) for mode in how.pooling], dim=1)
    for step in how.steps:
        vectors = _applied(step, vectors)
    return vectors


def pooling_lines(how: SentenceConfig) -> tuple[str, ...]:
    """Return the lines from ``states`` and ``mask`` to the pooled ``embeddings``."""
    pooled = [_POOLINGS[mode][1] for mode in how.pooling]
    if len(pooled) == 1:
        return (f"embeddings = {pooled[0]}",)
    each = (f"    {one}," for one in pooled)
    return ("embeddings = [", *each, "]", "embeddings = torch.cat(embeddings, dim=1)")


def step_snippet(loaded: LoadedModel, step: Step) -> Snippet:
    """Return the lines that apply a dense layer or a normalisation to ``embeddings``."""
    if not isinstance(step, Dense):
        line = "embeddings = torch.nn.functional.normalize(embeddings, dim=1)"
        return Snippet((), (line,))
    bias = "" if step.bias is None else ', dense["linear.bias"]'
    imports, where = _file_code(loaded, step.file)
    if step.file.endswith(".safetensors"):
        imports = (*imports, "from safetensors.torch import load_file")
        read = call("load_file", where)
    else:
        read = call("torch.load", where, weights_only=True)
    lines = (
        f"dense = {read}",
        "dense = {name: tensor.float().to(embeddings.device) for name, tensor in dense.items()}",
        f'embeddings = torch.nn.functional.linear(embeddings, dense["linear.weight"]{bias})',
        f"embeddings = torch.nn.{step.activation}()(embeddings)",
    )
    return Snippet(imports, lines)


def _file_code(loaded: LoadedModel, file: str) -> tuple[tuple[str, ...], Name | str]:
    """Return imports, and the expression for where a file of the checkpoint is."""
    origin = loaded.origin
    if origin.kind != "hub":
        return (), f"{origin.where.rstrip('/')}/{file}"
    got = call("hf_hub_download", origin.where, file, revision=origin.commit)
    return ("from huggingface_hub import hf_hub_download",), Name(got)


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _sum(states, mask) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _mean_sqrt_len(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _sum(states, mask) / mask.sum(dim=1, keepdim=True).clamp(min=1).sqrt()


def _weighted_mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _mean(states, mask * mask.cumsum(dim=1))


def _max(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)


def _cls(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states[torch.arange(len(states)), mask.argmax(dim=1)]


def _last(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states[torch.arange(len(states)), mask.cumsum(dim=1).argmax(dim=1)]


def _sum(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (states * mask.unsqueeze(-1)).sum(dim=1)


_SUM = "(states * mask.unsqueeze(-1)).sum(dim=1)"
_COUNT = "mask.sum(dim=1, keepdim=True).clamp(min=1)"
_WEIGHTS = "(mask * mask.cumsum(dim=1))"
_POOLINGS: dict[str, tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], str]] = {
    "cls": (_cls, "states[torch.arange(len(states)), mask.argmax(dim=1)]"),
    "max": (_max, 'states.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)'),
    "mean": (_mean, f"{_SUM} / {_COUNT}"),
    "mean_sqrt_len": (_mean_sqrt_len, f"{_SUM} / {_COUNT}.sqrt()"),
    "weighted_mean": (
        _weighted_mean,
        f"{_SUM} / {_COUNT}".replace("mask", _WEIGHTS),
    ),
    "last": (_last, "states[torch.arange(len(states)), mask.cumsum(dim=1).argmax(dim=1)]"),
}
"""Each pooling as a function and as code; the formulas are those of sentence-transformers' Pooling.

The mask has a 1 for each token that counts; first and last are those of its tokens, as padding may
be on either side.
"""


def _applied(step: Step, vectors: torch.Tensor) -> torch.Tensor:
    if not isinstance(step, Dense):
        return torch.nn.functional.normalize(vectors, dim=1)
    if vectors.shape[1] != step.weight.shape[1]:
        raise OptionError(
            f"this pooling gives {plural(vectors.shape[1], 'number')} and the checkpoint's dense "
            f"layer takes {step.weight.shape[1]:,}: leave --pooling out"
        )
    bias = None if step.bias is None else step.bias.to(vectors.device)
    linear = torch.nn.functional.linear(vectors, step.weight.to(vectors.device), bias)
    made: torch.Tensor = getattr(torch.nn, step.activation)()(linear)
    return made
