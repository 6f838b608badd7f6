"""What it means that weights are random, or not finite: in a sentence."""

from __future__ import annotations

from hf_magics.display.words import sentence_list

_MOST_NAMED = 4
_NOT_PLURAL = {"cls", "bias"}


def not_finite_verdict(names: tuple[str, ...], where: str = "checkpoint") -> str:
    """Say what it means that these weights have a NaN or an infinity in them."""
    have = "has" if len(names) == 1 else "have"
    return (
        f"{sentence_list(names, most=_MOST_NAMED)} {have} NaN or infinite values in the {where}: "
        "what the model gives means nothing"
    )


def random_verdict(modules: tuple[str, ...]) -> str:
    """Say what it means that these modules have random weights."""
    names = sentence_list(modules, most=_MOST_NAMED)
    if len(modules) > 1:
        return f"{names} are random: what they give means nothing until they are trained"
    if _is_plural(names):
        return f"the {names} are random: what they give means nothing until they are trained"
    return f"the {names} is random: its answers mean nothing until it is trained"


def _is_plural(name: str) -> bool:
    last = name.rpartition(".")[2].rpartition("_")[2]
    return last.endswith("s") and not last.endswith("ss") and last not in _NOT_PLURAL
