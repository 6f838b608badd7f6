"""What a line asks of ``generate``: checked against the model's ``GenerationConfig``."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation import GenerationMode

from hf_magics.display.words import nearest, one_line, sentence_list
from hf_magics.errors import HeadError, OptionError, TokenizerError
from hf_magics.inference.running import writing_start
from hf_magics.modeling.store import LoadedModel
from hf_magics.specs import GenerateSpec

_FIELDS = {
    "max_new_tokens": "max_new_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "beams": "num_beams",
    "sequences": "num_return_sequences",
    "stop": "stop_strings",
}
_SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "top_h"),
    *("typical_p", "epsilon_cutoff", "eta_cutoff"),
)
_KEPT_BY_US = {
    **dict.fromkeys(("output_scores", "output_logits"), ".df has each token's probability"),
    **dict.fromkeys(
        ("output_attentions", "output_hidden_states"), "%%hf_infer has these of a text"
    ),
    "return_dict_in_generate": "the result has what there is",
    "is_assistant": "it is transformers' own",
    "transformers_version": "it is transformers' own",
}
_BEAMS = (GenerationMode.BEAM_SEARCH, GenerationMode.BEAM_SAMPLE)
_PLAIN = (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)


@dataclass(frozen=True)
class Plan:
    """How a generation is done.

    ``words`` are the keyword arguments of ``generate`` without the limit, which is ``limit``
    tokens; ``max_length`` counts the prompt too, where the line gave that. ``recorded`` says that
    probabilities can be kept, ``asked`` that someone chose the limit. ``seed`` is None where
    nothing is drawn; ``drawn`` says how tokens are, where the line asked for that.
    """

    words: Mapping[str, Any]
    limit: int
    max_length: int | None = None
    beams: int = 1
    sequences: int = 1
    sampled: bool = False
    seed: int | None = None
    recorded: bool = True
    asked: bool = False
    drawn: str = ""
    notes: tuple[str, ...] = ()

    @property
    def stop(self) -> tuple[str, ...]:
        """The strings that end a text."""
        given = self.words.get("stop_strings") or ()
        return (given,) if isinstance(given, str) else tuple(given)


def plan(loaded: LoadedModel, spec: GenerateSpec, longest: int) -> Plan:
    """Return what ``generate`` is called with.

    Args:
        loaded: The model.
        spec: What the line asks for.
        longest: The limit where neither the line nor the checkpoint has one, in tokens.

    Raises:
        HeadError: The model's head can't generate.
        OptionError: An option or a field that does not exist, or that contradicts another.
        TokenizerError: A text is to end it, and the model has no tokenizer.
    """
    check_head(loaded)
    words = _words(spec)
    own = loaded.model.generation_config
    words |= writing_start(loaded.model, words)
    words["do_sample"] = _sampled(words, own)
    limit = words.pop("max_new_tokens", None)
    max_length = words.pop("max_length", None)
    _check_numbers(spec, limit, max_length)
    _check_together(words)
    if words.get("stop_strings") and loaded.tokenizer is None:
        raise TokenizerError(f"--stop compares text, and {loaded.name} has no tokenizer")
    merged = _merged(own, words)
    mode = merged.get_generation_mode()
    made = Plan(
        words,
        limit or own.max_new_tokens or longest,
        None if limit else max_length or _own_length(loaded),
        merged.num_beams or 1,
        merged.num_return_sequences or 1,
        merged.do_sample is True,
        recorded=mode in (*_PLAIN, *_BEAMS) and not own.stop_strings,
        asked=bool(limit or max_length or own.max_new_tokens),
    )
    _check_mode(made, mode)
    return _seeded(made, spec, merged)


def check_head(loaded: LoadedModel) -> None:
    """Refuse a model that can't write.

    Raises:
        HeadError: Naming the head.
    """
    able = getattr(loaded.model, "can_generate", None)
    if able is None or not able():
        both = loaded.config.is_encoder_decoder
        task = "text2text-generation" if both else "text-generation"
        raise HeadError(
            f"{loaded.name} is a {type(loaded.model).__name__}, which can't generate text: "
            f"%hf_load … --task {task} loads the head, if the checkpoint has one"
        )


def _words(spec: GenerateSpec) -> dict[str, Any]:
    """Return the fields of ``GenerationConfig`` that the line gives."""
    given = {field: getattr(spec, name) for name, field in _FIELDS.items()}
    words = {field: value for field, value in given.items() if value not in (None, ())}
    if "stop_strings" in words:
        words["stop_strings"] = list(words["stop_strings"])
    known = vars(GenerationConfig())
    for name, value in spec.extra:
        if name not in known or name.startswith("_"):
            raise OptionError(
                f"a generation has no option '{name}'{nearest(name, known)}; "
                "--set takes the fields of transformers' GenerationConfig"
            )
        if name in _KEPT_BY_US:
            raise OptionError(f"--set {name}: {_KEPT_BY_US[name]}")
        if name in words:
            option = next(one for one, field in _FIELDS.items() if field == name)
            raise OptionError(f"--set {name} and --{option.replace('_', '-')} say the same twice")
        words[name] = value
    return words


def _sampled(words: dict[str, Any], own: Any) -> bool:
    """Say whether tokens are drawn; temperature 0 is transformers' ``do_sample=False``."""
    sampling = [name for name in _SAMPLING if words.get(name) is not None]
    asked = words.get("do_sample")
    if words.get("temperature") == 0:
        others = [name for name in sampling if name != "temperature"]
        others += ["do_sample=true"] if asked else []
        if others:
            raise OptionError(
                f"temperature 0 always takes the likeliest token, and {sentence_list(others)} "
                "draws: leave out one of them"
            )
        del words["temperature"]
        return False
    if asked is not None:
        return bool(asked)
    return bool(sampling) or own.do_sample is True


def _check_numbers(spec: GenerateSpec, limit: Any, max_length: Any) -> None:
    for name, value in (("beams", spec.beams), ("sequences", spec.sequences)):
        if value is not None and value < 1:
            raise OptionError(f"--{name} {value}: at least 1 is needed")
    _check_limits(limit, max_length)
    if spec.seed is not None and not 0 <= spec.seed < 2**63:
        raise OptionError(f"--seed {spec.seed}: a whole number from 0 on is needed")
    if spec.top_k is not None and spec.top_k < 0:
        raise OptionError(f"--top-k {spec.top_k}: 0 takes all tokens, 50 the 50 likeliest")
    _check_range("--temperature", spec.temperature, math.inf, "0 is greedy, 0.7 is careful")
    _check_range("--top-p", spec.top_p, 1, "0.9 draws from the likeliest nine tenths")
    if any(not one for one in spec.stop):
        raise OptionError("--stop needs a text that ends the writing")


def _check_limits(limit: Any, max_length: Any) -> None:
    for name, value in (("max-new-tokens", limit), ("set max_length", max_length)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise OptionError(f"--{name} {value}: at least 1 token is needed")
    if limit is not None and max_length is not None:
        raise OptionError(
            "max_new_tokens and max_length are both given: the one counts what is written, "
            "the other the prompt too; leave out one"
        )


def _check_range(option: str, value: float | None, most: float, hint: str) -> None:
    if value is not None and not (0 <= value <= most and math.isfinite(value)):
        raise OptionError(f"{option} {value}: a number from 0 on is needed; {hint}")
    if option == "--top-p" and value == 0:
        raise OptionError(f"--top-p 0 leaves no token; {hint}, and --temperature 0 is greedy")


def _check_together(words: Mapping[str, Any]) -> None:
    """Let transformers say what contradicts: of what the line gives, not of the checkpoint."""
    ours = {
        name: value
        for name, value in words.items()
        if name != "num_return_sequences" and value is not None
    }
    try:
        GenerationConfig(**ours).validate(strict=True)
    except (ValueError, TypeError, AttributeError) as error:
        said = one_line(error)
        first = next((name for name in words if f"`{name}`" in said), "")
        raise OptionError(f"--set {first}: {said[-300:]}" if first else said[-300:]) from error


def _merged(own: Any, words: Mapping[str, Any]) -> Any:
    merged = copy.deepcopy(own)
    for name, value in words.items():
        setattr(merged, name, value)
    return merged


def _check_mode(made: Plan, mode: Any) -> None:
    if mode not in (*_PLAIN, *_BEAMS, GenerationMode.ASSISTED_GENERATION):
        raise OptionError(
            f"transformers has no {mode.value.replace('_', ' ')} any more: use --beams N or "
            "--temperature T"
        )
    if made.sequences > 1 and not made.sampled and made.beams < made.sequences:
        raise OptionError(
            f"--sequences {made.sequences}: the likeliest text is one; --temperature 0.8 draws "
            f"several, --beams {made.sequences} finds the best ones"
        )
    if made.sequences > made.beams > 1:
        raise OptionError(
            f"--sequences {made.sequences} is more than --beams {made.beams}: "
            "a beam gives one text at most"
        )


def _own_length(loaded: LoadedModel) -> int | None:
    """Return the checkpoint's own ``max_length``, where it is about what is written alone."""
    own = loaded.model.generation_config
    if own.max_new_tokens or not loaded.config.is_encoder_decoder:
        return None
    return own.max_length if isinstance(own.max_length, int) else None


def _seeded(made: Plan, spec: GenerateSpec, merged: Any) -> Plan:
    """Choose a seed where there is none, so that what was drawn can be had again."""
    if not made.sampled:
        useless = "the seed changed nothing: the likeliest tokens were taken, none was drawn"
        return dataclasses.replace(made, notes=(useless,)) if spec.seed is not None else made
    seed = spec.seed if spec.seed is not None else int(torch.randint(2**31, ()).item())
    said = _sampled_words(seed, merged)
    # what the line asked for is no news; that the checkpoint draws by itself must not be missed
    if not {*_SAMPLING, "do_sample"}.isdisjoint(_given(spec)):
        return dataclasses.replace(made, seed=seed, drawn=said)
    return dataclasses.replace(made, seed=seed, notes=(said,))


def _given(spec: GenerateSpec) -> set[str]:
    """Return the fields that the line gives."""
    own = {field for name, field in _FIELDS.items() if getattr(spec, name) not in (None, ())}
    return own | {name for name, _ in spec.extra}


def _sampled_words(seed: int, merged: Any) -> str:
    """Say how tokens were drawn: transformers draws from the 50 likeliest unless told."""
    temperature = 1.0 if merged.temperature is None else merged.temperature
    top_k = 50 if merged.top_k is None else merged.top_k
    said = [f"temperature {temperature:g}"]
    said += [f"of the {top_k} likeliest tokens (top_k)"] if top_k else []
    said += [f"top_p {merged.top_p:g}"] if merged.top_p not in (None, 1.0) else []
    return f"the tokens were drawn: {', '.join(said)}; --seed {seed} draws the same again"
