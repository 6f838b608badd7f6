"""What tasks that write ask ``generate`` for, and how each text that it wrote came to its end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.display.words import one_line
from hf_magics.errors import FitError, InputError, OptionError, is_full
from hf_magics.inference.answering.task import Request, need_positive, option
from hf_magics.inference.generation import fields
from hf_magics.inference.running import writing_start
from hf_magics.inference.told import CACHE
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.watching import warned_into

_BY_OPTION = {"beams": "num_beams", "max_new_tokens": "max_new_tokens"}
_SCORES_BYTES = 2**28
_LENGTHS = ("max_length", "min_length", "max_new_tokens", "min_new_tokens")
_OPTIONS = {name: option(short) for short, name in _BY_OPTION.items()}
_UNKNOWN = "generate takes no '{name}'{close}"
_KEPT = {"return_dict_in_generate": "it is always true; leave it out"}
_OF_BEAMS = ("early_stopping", "length_penalty")
_OF_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p")
_CUTOFFS = ("epsilon_cutoff", "eta_cutoff")


def check(request: Request) -> None:
    """Refuse what ``generate`` does not take.

    Raises:
        OptionError: A name that ``GenerationConfig`` does not have, a number out of its range, the
            same thing said twice, or more tokens than the decoder has positions.
    """
    need_positive(request, *_BY_OPTION)
    given = _by_options(request)
    for name, _ in request.spec.extra:
        fields.check_name(name, _UNKNOWN, kept=_KEPT, meant=_BY_OPTION)
    if name := fields.said_twice(request.spec.extra, given):
        raise OptionError(f"{_OPTIONS[name]} and --set {name} say the same: give one of them")
    fields.check_values(asked(request), {name: _OPTIONS[name] for name in given})
    _check_positions(request)


def asked(request: Request) -> dict[str, Any]:
    """Return what the line asks of ``generate``, by the names of ``GenerationConfig``."""
    return {**dict(request.spec.extra), **_by_options(request)}


def arguments(request: Request, defaults: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the keyword arguments of ``generate`` beside the inputs.

    Args:
        request: What the line asks for.
        defaults: What the checkpoint says of the task; it gives way to the line.
        rows: The number of inputs. Beams are scored where that many scores fit into memory.
    """
    model, wanted = request.loaded.model, asked(request)
    found = {**_giving_way(defaults, wanted), **wanted}
    found |= writing_start(model, found)
    known = (_value(model, found, "max_length"), _value(model, found, "max_new_tokens"))
    if known == (None, None):
        positions = _positions(model)
        most = request.settings.max_new_tokens
        found["max_new_tokens"] = min(most, positions - 1) if positions else most
    beams = number_of_beams(model, found)
    if beams > 1 and "output_scores" not in found:
        held = rows * beams * limit(model, found, 1) * _vocabulary(model) * 4
        found |= {"output_scores": True} if held <= _SCORES_BYTES else {}
    return found


def number_of_beams(model: Any, arguments: Mapping[str, Any]) -> int:
    """Return the number of beams, 1 where there is no beam search."""
    found = _value(model, arguments, "num_beams")
    return found if isinstance(found, int) else 1


def limit(model: Any, arguments: Mapping[str, Any], started: int) -> int:
    """Return how many tokens are written at most, after so many that the decoder begins with."""
    new = _value(model, arguments, "max_new_tokens")
    if new is not None:
        return int(new)
    return int(_value(model, arguments, "max_length")) - started


def stops_at_text(model: Any, arguments: Mapping[str, Any]) -> bool:
    """Say whether the line or the checkpoint has texts that end the writing."""
    return bool(_value(model, arguments, "stop_strings"))


def more_than(model: Any, tokens: int) -> str:
    """Say how to get more than so many tokens."""
    positions = _positions(model)
    if positions and tokens >= positions - 1:
        return "the decoder has no more positions"
    most = 2 * tokens if positions is None else min(2 * tokens, positions - 1)
    return f"--max-new-tokens {most} gives more"


def generate(
    loaded: LoadedModel,
    inputs: Mapping[str, Any],
    arguments: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> Any:
    """Return the output of ``generate`` for one batch, as a dictionary of its own class.

    It is without the cache, and without the scores of each step unless the line asks for them:
    they may be hundreds of times as large as what was written.

    Args:
        loaded: The model.
        inputs: The batch.
        arguments: What ``generate`` is given beside it.
        wanted: What the line asks for.

    Raises:
        InputError: Transformers refuses the inputs or the arguments.
        FitError: The device has no room for it.
    """
    model = loaded.model
    placed = {
        name: value.to(model.device) if isinstance(value, torch.Tensor) else value
        for name, value in inputs.items()
    }
    more = {"tokenizer": loaded.tokenizer} if stops_at_text(model, arguments) else {}
    try:
        with torch.inference_mode(), _warnings_as_notes(), _without_twice_said():
            found = model.generate(**placed, **arguments, **more, return_dict_in_generate=True)
    except _REFUSALS as error:
        if is_full(error):
            raise FitError(
                f"{model.device} has no room to run {loaded.name} on this: give fewer or shorter "
                "lines, fewer --beams, or --max-new-tokens N"
            ) from error
        raise InputError(f"{loaded.name} can't be run so: {one_line(error)}") from error
    left_out = (CACHE, *(() if wanted.get("output_scores") else ("scores",)))
    return type(found)(**{name: one for name, one in found.items() if name not in left_out})


# what generate and the forwards in it raise on arguments and inputs that don't fit
_REFUSALS = (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError)


@dataclass(frozen=True)
class Ending:
    """How many tokens were written, the end token with them, and why it stopped there."""

    tokens: int
    why: str

    @property
    def cut(self) -> bool:
        """Whether the limit ended it."""
        return self.why == "limit"


def endings(
    model: Any, arguments: Mapping[str, Any], sequences: torch.Tensor, started: int
) -> list[Ending]:
    """Return how each sequence ended.

    Args:
        model: What wrote them.
        arguments: What ``generate`` was given.
        sequences: Token IDs of the shape (texts, longest).
        started: How many tokens of each the decoder began with.
    """
    most = limit(model, arguments, started)
    ends = _as_ids(_value(model, arguments, "eos_token_id"))
    pads = _as_ids(_value(model, arguments, "pad_token_id"))
    forced = _value(model, arguments, "forced_eos_token_id") is not None
    stops = [_STOPS[name] for name in _STOPS if _value(model, arguments, name) is not None]
    return [
        _ending(row, ends, pads if stops else set(), most, forced=forced, stop=" or ".join(stops))
        for row in sequences[:, started:].tolist()
    ]


_STOPS = {"stop_strings": "stop string", "max_time": "time"}


def notes_on(model: Any, arguments: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Say what is left to chance, and what of the line has no effect."""
    sampled = bool(_value(model, arguments, "do_sample"))
    said = []
    if sampled:
        said.append("sampled: run again and it differs; --set do_sample=false takes the likeliest")
    idle = [name for name in wanted if name in (*_OF_SAMPLING, *_CUTOFFS)]
    if idle and not sampled:
        said.append(f"{', '.join(idle)}: no effect without --set do_sample=true")
    idle = [name for name in wanted if name in _OF_BEAMS]
    if idle and number_of_beams(model, arguments) == 1:
        said.append(f"{', '.join(idle)}: no effect without --beams N")
    return said


def _by_options(request: Request) -> dict[str, Any]:
    given = {name: request.options.get(short) for short, name in _BY_OPTION.items()}
    return {name: value for name, value in given.items() if value is not None}


def _ending(
    row: Sequence[int], ends: set[int], pads: set[int], most: int, *, forced: bool, stop: str
) -> Ending:
    at = next((at for at, one in enumerate(row, 1) if one in ends), 0)
    if at:
        return Ending(at, "limit" if forced and at >= most else "end token")
    count = len(row)
    while count and row[count - 1] in pads:
        count -= 1
    return Ending(count, "limit" if count >= most or not stop else stop)


def _giving_way(defaults: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that make sense beside what the line asks for."""
    known = fields.settable()
    kept = {name: value for name, value in defaults.items() if name in known}
    idle = (*(_LENGTHS if any(name in wanted for name in _LENGTHS) else ()),)
    idle += _OF_BEAMS if wanted.get("num_beams") == 1 else ()
    return {name: value for name, value in kept.items() if name not in idle}


def _value(model: Any, arguments: Mapping[str, Any], name: str) -> Any:
    given = arguments.get(name)
    return getattr(model.generation_config, name, None) if given is None else given


def _vocabulary(model: Any) -> int:
    return int(model.config.get_text_config(decoder=True).vocab_size)


def _positions(model: Any) -> int | None:
    """Return the positions of the decoder, None where they are relative."""
    config = model.config.get_text_config(decoder=True)
    found = getattr(config, "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def _check_positions(request: Request) -> None:
    positions = _positions(request.loaded.model)
    wanted = asked(request)
    tokens = [wanted.get("max_new_tokens"), (wanted.get("max_length") or 1) - 1]
    for one in tokens:
        if positions and isinstance(one, int) and one >= positions:
            raise OptionError(
                f"{one:,} new tokens are more than the {positions:,} positions of "
                f"{request.loaded.name} have room for: at most {positions - 1}"
            )


def _as_ids(value: Any) -> set[int]:
    if value is None:
        return set()
    listed = value.tolist() if hasattr(value, "tolist") else value
    return {listed} if isinstance(listed, int) else set(listed)


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Log Python's warnings of the block as transformers', which become notes of the page."""
    caught: list[str] = []
    with warned_into(caught):
        yield
    for one in caught:
        logging.getLogger("transformers.generation").warning(one)


_TWICE_SAID = ("generation flags are not valid", "Both `max_new_tokens`", "Both `min_new_tokens`")


@contextlib.contextmanager
def _without_twice_said() -> Iterator[None]:
    """Keep quiet the log lines for which there are notes, or that say what the line asked for."""
    modules = ("utils", "configuration_utils")
    loggers = [logging.getLogger(f"transformers.generation.{name}") for name in modules]
    for one in loggers:
        one.addFilter(_is_news)
    try:
        yield
    finally:
        for one in loggers:
            one.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not any(words in record.getMessage() for words in _TWICE_SAID)
