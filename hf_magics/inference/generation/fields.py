"""The fields of ``GenerationConfig`` that a line may give: their names, kinds and ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig

from hf_magics.display.words import nearest
from hf_magics.errors import OptionError

OF_A_GENERATION: Mapping[str, str] = {
    **dict.fromkeys(("output_scores", "output_logits"), ".df has each token's probability"),
    **dict.fromkeys(
        ("output_attentions", "output_hidden_states"), "%%hf_infer has these of a text"
    ),
    "return_dict_in_generate": "the result has what there is",
}
"""What ``%%hf_generate`` sets by itself, and what has the same for the user."""

_TRANSFORMERS_OWN = ("is_assistant", "transformers_version")


def settable() -> tuple[str, ...]:
    """Return the names of the fields, without those that are transformers' own."""
    names = vars(GenerationConfig())
    return tuple(one for one in names if not one.startswith("_") and one not in _TRANSFORMERS_OWN)


def check_name(
    name: str, unknown: str, *, kept: Mapping[str, str], meant: Mapping[str, str]
) -> None:
    """Refuse a name that is no field, or one that is not the line's to give.

    Args:
        name: What ``--set`` names.
        unknown: What is said of a name that no field has; ``{name}`` and ``{close}``, the nearest
            name, are put in.
        kept: The fields that are set by us, with the reason.
        meant: The fields that options stand for, by the option.

    Raises:
        OptionError: Naming it.
    """
    if name in _TRANSFORMERS_OWN:
        raise OptionError(f"--set {name}: it is transformers' own")
    if name in kept:
        raise OptionError(f"--set {name}: {kept[name]}")
    known = [one for one in settable() if one not in kept]
    if name not in known:
        raise OptionError(unknown.format(name=name, close=nearest(name, known, meant)))


def said_twice(extra: Iterable[tuple[str, Any]], given: Iterable[str]) -> str:
    """Return the first field of ``--set`` that an option of the line gives too, else ``""``."""
    taken = set(given)
    return next((name for name, _ in extra if name in taken), "")


def check_values(words: Mapping[str, Any], options: Mapping[str, str]) -> None:
    """Refuse numbers out of their range, empty stop strings, and two lengths for the same.

    Args:
        words: All fields that the line gives, by options and by ``--set``; None is no value.
        options: The options, such as ``--top-p``, by the fields that were given through them.

    Raises:
        OptionError: Naming the option or the field.
    """
    for name, value in words.items():
        if name in _RANGES and value is not None:
            said = f"{options[name]} {value}" if name in options else f"--set {name}={value}"
            _RANGES[name].check(said, value)
    if not _are_strings(words.get("stop_strings")):
        said = options.get("stop_strings", "--set stop_strings")
        raise OptionError(f"{said} needs a text that ends the writing")
    if words.get("max_new_tokens") is not None and words.get("max_length") is not None:
        raise OptionError(
            "max_new_tokens and max_length are both given: the one counts what is written, "
            "the other the prompt too; leave out one"
        )


@dataclass(frozen=True)
class _Range:
    """Numbers from ``least`` to ``most``; ``above`` leaves out ``least`` itself."""

    least: float
    most: float = math.inf
    whole: bool = False
    above: bool = False
    hint: str = ""

    def check(self, said: str, value: Any) -> None:
        """Refuse what is no such number; ``said`` is how the line gave it."""
        if not self._has(value):
            hint = f"; {self.hint}" if self.hint else ""
            raise OptionError(f"{said}: a {self._words()} is needed{hint}")

    def _has(self, value: Any) -> bool:
        kinds = (int,) if self.whole else (int, float)
        if type(value) not in kinds or not math.isfinite(value):
            return False
        if self.above and value == self.least:
            return False
        return bool(self.least <= value <= self.most)

    def _words(self) -> str:
        if self.whole:
            return f"whole number from {self.least:g} on"
        if self.least == -math.inf:
            return "number"
        if self.most == math.inf:
            return (
                f"number above {self.least:g}" if self.above else f"number from {self.least:g} on"
            )
        begin = f"above {self.least:g} and" if self.above else f"from {self.least:g}"
        return f"number {begin} up to {self.most:g}"


def _are_strings(given: Any) -> bool:
    """Say whether it is what ``stop_strings`` takes: None, a text, or several, none empty."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, (list, tuple)):
        return listed is None
    return all(isinstance(one, str) and one for one in listed)


_COUNT = _Range(1, whole=True)
_FROM_ZERO = _Range(0, whole=True)
_SHARE = _Range(0, 1, above=True)
_PENALTY = _Range(0, above=True, hint="1 changes nothing")

# as transformers' logits processors and stopping criteria take them
_RANGES = {
    **dict.fromkeys(("max_new_tokens", "max_length", "num_beams", "num_return_sequences"), _COUNT),
    **dict.fromkeys(("prompt_lookup_num_tokens", "num_assistant_tokens"), _COUNT),
    **dict.fromkeys(("min_length", "min_new_tokens", "no_repeat_ngram_size"), _FROM_ZERO),
    "encoder_no_repeat_ngram_size": _FROM_ZERO,
    "top_k": _Range(0, whole=True, hint="0 takes all tokens, 50 the 50 likeliest"),
    "temperature": _Range(0, hint="0 is greedy, 0.7 is careful"),
    "top_p": _Range(
        0, 1, above=True, hint="0.9 draws from the likeliest nine tenths, --temperature 0 is greedy"
    ),
    "min_p": _Range(0, 1),
    **dict.fromkeys(("top_h", "typical_p"), _SHARE),
    **dict.fromkeys(("epsilon_cutoff", "eta_cutoff"), _Range(0, 1)),
    **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty"), _PENALTY),
    **dict.fromkeys(("length_penalty", "guidance_scale"), _Range(-math.inf)),
    "max_time": _Range(0, above=True),
    # of engines and servers
    **dict.fromkeys(("frequency_penalty", "presence_penalty"), _Range(-math.inf)),
}
