"""How a model scores text: by what it predicts next, or by what it puts in the place of a mask."""

from __future__ import annotations

from typing import Any, Literal

import torch

from hf_magics.errors import HeadError, TokenizerError
from hf_magics.inference import grouping, running, tokenizing
from hf_magics.inference.checks import check_rows
from hf_magics.modeling.architectures import is_head_for, tasks_of
from hf_magics.modeling.store import LoadedModel

Way = Literal["causal", "masked"]

_CAUSAL = ("text-generation", "image-text-to-text")
_NAMED_CAUSAL = ("ForCausalLM", "LMHeadModel")
_MASKED = ("fill-mask",)
_NAMED_MASKED = ("ForMaskedLM",)


def need_head(loaded: LoadedModel, magic: str) -> None:
    """Refuse a model whose head gives no probabilities of tokens.

    Args:
        loaded: The model.
        magic: What needs it, such as ``%%hf_score``.

    Raises:
        EngineError: An engine or a server computes the model.
        HeadError: It has another head, or an encoder and a decoder.
    """
    running.need_torch(loaded, magic)
    model = loaded.model
    if getattr(model.config, "is_encoder_decoder", False):
        raise HeadError(
            f"{loaded.name} is a {type(model).__name__}, an encoder-decoder: it writes one text "
            f"for another, and {magic} needs one that reads a text alone; load a model with --task "
            "text-generation or fill-mask"
        )
    if not (_is_causal(model) or fills_masks(model)):
        raise _headless(loaded)


def way_of(loaded: LoadedModel, first: int) -> Way:
    """Return how the model's head scores a text.

    Args:
        loaded: A model with such a head.
        first: A token that it knows: whether later ones change what it predicts behind this one is
            tried, since heads for causal models are also put on models that see both sides.

    Raises:
        HeadError: Its head is for causal models, and it sees both sides.
    """
    if _is_causal(loaded.model) and _sees_only_before(loaded, first):
        return "causal"
    if fills_masks(loaded.model):
        return "masked"
    raise _two_sided(loaded)


def logits_of(loaded: LoadedModel, inputs: dict[str, Any], extra: dict[str, Any]) -> torch.Tensor:
    """Run a batch and return its logits, of the shape (rows, tokens, vocabulary).

    Raises:
        HeadError: The model gives none of this shape.
        InputError: The model does not take the batch.
        FitError: The device has no room for it.
    """
    outputs, _ = running.once(loaded, grouping.without_idle_mask(loaded, inputs), extra)
    logits = getattr(outputs, "logits", None)
    rows_and_tokens = tuple(inputs["input_ids"].shape)
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape[:-1]) != rows_and_tokens:
        raise HeadError(
            f"{loaded.name} is a {type(loaded.model).__name__}, which gives no logits a token: "
            "load a model with --task text-generation or fill-mask"
        )
    return logits


def mask_id_of(loaded: LoadedModel) -> int:
    """Return the token that hides another.

    Raises:
        TokenizerError: There is none.
        InputError: The model's embedding does not have it.
    """
    found = getattr(loaded.tokenizer, "mask_token_id", None)
    if found is None:
        lacks = (
            "no tokenizer, and so no mask token" if loaded.tokenizer is None else "no mask token"
        )
        raise TokenizerError(
            f"{loaded.name} has {lacks}, which each token is hidden by in turn: load it with "
            "--tokenizer SOURCE"
        )
    check_rows(loaded, torch.tensor([[found]]))
    return int(found)


def special_ids_of(tokenizer: Any) -> list[int]:
    """Return the tokens that stand for no text; one that stands for unknown text does."""
    unknown = tokenizer.unk_token_id
    others = [getattr(tokenizer, f"{name}_token_id") for name in _SPECIAL]
    return sorted({*tokenizer.all_special_ids} - ({unknown} - {*others}))


_SPECIAL = ("bos", "eos", "cls", "sep", "pad", "mask")


def _is_causal(model: Any) -> bool:
    return _is_one_of(model, _CAUSAL, _NAMED_CAUSAL)


def fills_masks(model: Any) -> bool:
    """Say whether a model's head puts tokens in the place of masks."""
    return _is_one_of(model, _MASKED, _NAMED_MASKED)


def _is_one_of(model: Any, tasks: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Say whether it has the head of a task; classes that transformers does not know, by name."""
    return any(is_head_for(model, task) for task in tasks) or type(model).__name__.endswith(names)


def _sees_only_before(loaded: LoadedModel, first: int) -> bool:
    """Say whether the logits at a token are the same whatever token follows."""
    if loaded.model.training:
        return True  # dropout changes them anyhow, and the page says so
    inputs = {"input_ids": torch.tensor([[first, one] for one in _two_tokens(loaded)])}
    one, other = logits_of(loaded, inputs, grouping.without_cache(loaded))[:, 0].float()
    # NaN differs from nothing here: the page names it
    return not bool((one - other).abs().max() > _ROUNDING * one.std())


# of the logits' own standard deviation: random weights that see both sides give three times that
_ROUNDING = 0.01


def _two_tokens(loaded: LoadedModel) -> list[int]:
    """Return two tokens that a model may read, and not the one that pads."""
    pad = getattr(loaded.config.get_text_config(), "pad_token_id", None)
    size = tokenizing.vocabulary_size(loaded)
    spread = (0, size // 2, size - 1)  # embeddings next to one another may be alike
    return [one for one in spread if one != pad][-2:]


def _two_sided(loaded: LoadedModel) -> HeadError:
    ways = ["with --task fill-mask"] if "fill-mask" in tasks_of(loaded.config) else []
    if hasattr(loaded.config, "is_decoder"):
        ways.append("with is_decoder=true, where it was trained so")
    hint = f"load or make it {', or '.join(ways)}" if ways else "it has no head that scores text"
    return HeadError(
        f"{loaded.name} is a {type(loaded.model).__name__} that also sees what comes behind a "
        f"place, and so expects no next token: {hint}"
    )


def _headless(loaded: LoadedModel) -> HeadError:
    known = tasks_of(loaded.config)
    able = [task for task in ("fill-mask", "text-generation") if task in known]
    hint = f"load or make it with --task {able[0]}" if able else _OTHER
    return HeadError(
        f"{loaded.name} is a {type(loaded.model).__name__}, which gives no probabilities of "
        f"tokens: {hint}"
    )


_OTHER = "a model loaded with --task text-generation or fill-mask does"
