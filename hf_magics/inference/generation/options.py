"""What a line asks of ``generate``: checked against the model's ``GenerationConfig``."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation import GenerationMode

from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import HeadError, OptionError, TokenizerError
from hf_magics.inference.generation import fields
from hf_magics.inference.running import need_torch, writing_start
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.watching import watched
from hf_magics.specs import GenerateSpec

FIELDS = {
    "max_new_tokens": "max_new_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "beams": "num_beams",
    "sequences": "num_return_sequences",
    "stop": "stop_strings",
}
"""The fields of ``GenerationConfig`` that options stand for, by the option's name."""
_OPTIONS = {field: f"--{name.replace('_', '-')}" for name, field in FIELDS.items()}
_UNKNOWN = (
    "a generation has no option '{name}'{close}; "
    "--set takes the fields of transformers' GenerationConfig"
)
SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "top_h"),
    *("typical_p", "epsilon_cutoff", "eta_cutoff"),
)
USELESS_SEED = "the seed changed nothing: the likeliest tokens were taken, none was drawn"
LENGTHS = ("max_new_tokens", "max_length")
_BEAMS = (GenerationMode.BEAM_SEARCH, GenerationMode.BEAM_SAMPLE)
_PLAIN = (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)


@dataclass(frozen=True)
class Plan:
    """How a generation is done.

    ``words`` are the keyword arguments of ``generate`` without the limit, which is ``limit``
    tokens; ``max_length`` counts the prompt too, where the line gave that. ``stop`` are the strings
    that end a text, the line's or the checkpoint's. ``recorded`` says that probabilities can be
    kept, ``asked`` that someone chose the limit. ``seed`` is None until one is chosen and where
    nothing is drawn; ``again`` says that the line gave it, to draw the same again; ``drawn`` says
    how tokens are drawn, where the line asked for that.
    """

    words: Mapping[str, Any]
    limit: int
    max_length: int | None = None
    beams: int = 1
    sequences: int = 1
    sampled: bool = False
    stop: tuple[str, ...] = ()
    seed: int | None = None
    recorded: bool = True
    asked: bool = False
    again: bool = False
    drawn: str = ""
    notes: tuple[str, ...] = ()


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
    words = line_words(spec, _check_name)
    own = loaded.model.generation_config
    words |= writing_start(loaded.model, words)
    words["do_sample"] = is_sampled(words, by_default=own.do_sample is True)
    limit = words.pop("max_new_tokens", None)
    max_length = words.pop("max_length", None)
    check_seed(spec.seed)
    _check_together(words, own)
    merged = _merged(own, words)
    stop = stop_strings(merged.stop_strings)
    if stop and loaded.tokenizer is None:
        raise TokenizerError(f"--stop compares text, and {loaded.name} has no tokenizer")
    mode = merged.get_generation_mode()
    made = Plan(
        words,
        limit or own.max_new_tokens or longest,
        None if limit else max_length or _own_length(loaded),
        merged.num_beams or 1,
        merged.num_return_sequences or 1,
        merged.do_sample is True,
        stop,
        recorded=mode in (*_PLAIN, *_BEAMS),
        asked=bool(limit or max_length or own.max_new_tokens),
    )
    _check_mode(made, mode)
    return made


def check_head(loaded: LoadedModel) -> None:
    """Refuse a model that can't write.

    Raises:
        HeadError: Naming the head.
        EngineError: An engine that only runs encoders computes it.
    """
    able = getattr(loaded.model, "can_generate", None)
    if able is None or not able():
        both = loaded.config.is_encoder_decoder
        task = "text2text-generation" if both else "text-generation"
        raise HeadError(
            f"{loaded.name} is a {type(loaded.model).__name__}, which can't generate text: "
            f"%hf_load … --task {task} loads the head, if the checkpoint has one"
        )
    need_torch(loaded, "writing")


def seeded(loaded: LoadedModel, spec: GenerateSpec, made: Plan) -> Plan:
    """Choose a seed where the line has none, so that what was drawn can be had again.

    It is drawn from torch's global generator, which that moves: ``torch.manual_seed`` before it
    makes a text repeatable, and two texts in a row are different ones.
    """
    if not made.sampled:
        return dataclasses.replace(made, notes=(USELESS_SEED,)) if spec.seed is not None else made
    seed = spec.seed if spec.seed is not None else int(torch.randint(2**31, ()).item())
    merged = _merged(loaded.model.generation_config, made.words)
    top_k = 50 if merged.top_k is None else merged.top_k  # transformers' own, unless told
    said = drawn_words(merged.temperature, top_k, merged.top_p)
    said += f"; --seed {seed} draws the same again"
    # what the line asked for is no news; that the checkpoint draws by itself must not be missed
    if not {*SAMPLING, "do_sample"}.isdisjoint(_given(spec)):
        return dataclasses.replace(made, seed=seed, drawn=said)
    return dataclasses.replace(made, seed=seed, notes=(said,))


def stop_strings(given: Any) -> tuple[str, ...]:
    """Return the strings of the field ``stop_strings``, which may be one, several or None."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def line_words(spec: GenerateSpec, check_name: Callable[[str], None]) -> dict[str, Any]:
    """Return the fields that the line gives, by transformers' names.

    Args:
        spec: What the line asks for.
        check_name: Refuses a name of ``--set``.

    Raises:
        OptionError: Something is given twice, or out of its range.
    """
    given = {field: getattr(spec, name) for name, field in FIELDS.items()}
    words = {field: value for field, value in given.items() if value not in (None, ())}
    if "stop_strings" in words:
        words["stop_strings"] = list(words["stop_strings"])
    if name := fields.said_twice(spec.extra, words):
        raise OptionError(f"--set {name} and {_OPTIONS[name]} say the same twice")
    for name, _ in spec.extra:
        check_name(name)
    options = {name: _OPTIONS[name] for name in words}
    words |= dict(spec.extra)
    fields.check_values(words, options)
    return words


def _check_name(name: str) -> None:
    fields.check_name(name, _UNKNOWN, kept=fields.OF_A_GENERATION, meant=FIELDS)


def is_sampled(words: dict[str, Any], *, by_default: bool) -> bool:
    """Say whether tokens are drawn; temperature 0 is transformers' ``do_sample=False``.

    Raises:
        OptionError: It is asked for both.
    """
    sampling = [name for name in SAMPLING if words.get(name) is not None]
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
    return bool(sampling) or by_default


def check_seed(seed: int | None) -> None:
    """Refuse what is no seed.

    Raises:
        OptionError: It is below 0, or too large.
    """
    if seed is not None and not 0 <= seed < 2**63:
        raise OptionError(f"--seed {seed}: a whole number from 0 on is needed")


def _check_together(words: Mapping[str, Any], own: Any) -> None:
    """Let transformers say what contradicts: of what the line gives, not of the checkpoint.

    Whether there are beams is the checkpoint's to say where the line does not; ``do_sample`` is in
    ``words`` already.
    """
    given = {"num_beams": own.num_beams, **words}
    ours = {
        name: value
        for name, value in given.items()
        if name != "num_return_sequences" and value is not None
    }
    try:
        # what it would log is said by the error, or by the generation itself
        with watched("checking the options", notes=[]):
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
    check_several(made)
    if made.sequences > made.beams > 1:
        raise OptionError(
            f"--sequences {made.sequences} is more than --beams {made.beams}: "
            "a beam gives one text at most"
        )


def check_several(made: Plan) -> None:
    """Refuse several texts where each would be the same.

    Raises:
        OptionError: Naming what makes several.
    """
    if made.sequences > 1 and not made.sampled and made.beams < made.sequences:
        raise OptionError(
            f"--sequences {made.sequences}: the likeliest text is one; --temperature 0.8 draws "
            f"several, --beams {made.sequences} finds the best ones"
        )


def _own_length(loaded: LoadedModel) -> int | None:
    """Return the checkpoint's own ``max_length``, where it is about what is written alone."""
    own = loaded.model.generation_config
    if own.max_new_tokens or not loaded.config.is_encoder_decoder:
        return None
    return own.max_length if isinstance(own.max_length, int) else None


def _given(spec: GenerateSpec) -> set[str]:
    """Return the fields that the line gives."""
    own = {field for name, field in FIELDS.items() if getattr(spec, name) not in (None, ())}
    return own | {name for name, _ in spec.extra}


def drawn_words(temperature: float | None, top_k: int | None, top_p: float | None) -> str:
    """Say how tokens were drawn."""
    said = [f"temperature {1.0 if temperature is None else temperature:g}"]
    said += [f"of the {top_k} likeliest tokens (top_k)"] if top_k else []
    said += [f"top_p {top_p:g}"] if top_p not in (None, 1.0) else []
    return f"the tokens were drawn: {', '.join(said)}"
