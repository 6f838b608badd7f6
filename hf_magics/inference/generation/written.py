"""What was written: the sequences with their steps, and why each ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_magics.inference.generation.encoding import Prompts
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.generation.pieces import spread
from hf_magics.inference.generation.recording import Recorder, Step, Stop
from hf_magics.modeling.store import LoadedModel

INTERRUPTED = "interrupted"
STOP_STRING = "stop string"
_WORDS = {
    "EosTokenCriteria": "end token",
    "MaxTimeCriteria": "time limit",
    "StopStringCriteria": STOP_STRING,
}


@dataclass(frozen=True)
class Sequence_:  # noqa: N801 - Sequence is Python's own
    """One text that was written from the prompt of line ``line``, which counts from 1.

    ``ids`` are the new tokens, with the end token where one came; ``text`` is without special
    tokens; ``spans`` are the characters of it that each token completes; ``stop`` is why it ended.
    """

    line: int
    number: int
    ids: tuple[int, ...]
    text: str
    spans: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]
    stop: str


@dataclass(frozen=True)
class Written:
    """What one call of ``generate`` gave.

    ``outputs`` are the IDs as it returns them, with the prompt and padding, None after an
    interrupt. ``processed`` says that processors changed the scores. ``drawn`` says how
    tokens were drawn, where the line asked for that. Times are in seconds. ``words`` names the
    tokens where no tokenizer does, as the vocabulary has them and as a person reads them;
    ``counted`` are the tokens that a writer counted, where that is another number than the steps;
    ``chances`` says what the probabilities are, where they may be others than the model's own.
    """

    sequences: tuple[Sequence_, ...]
    prompt_tokens: int | None
    seconds: float
    interrupted: bool = False
    processed: bool = False
    outputs: Any = None
    drawn: str = ""
    notes: tuple[str, ...] = ()
    first_seconds: float = math.nan
    words: Mapping[int, tuple[str, str]] | None = None
    counted: int | None = None
    chances: str = ""

    @property
    def new_tokens(self) -> int:
        """How many tokens were written in all."""
        if self.counted is not None:
            return self.counted
        return sum(len(one.ids) for one in self.sequences)


@dataclass(frozen=True)
class _Row:
    ids: list[int]
    steps: list[Step]
    stop: str = field(default="")


def sequences_of(
    loaded: LoadedModel, prompts: Prompts, made: Plan, recorder: Recorder, outputs: Any
) -> tuple[Sequence_, ...]:
    """Return the sequences of a call, in the order of its rows; ``outputs`` None: interrupted."""
    if made.beams > 1 and made.recorded:
        rows = _beamed(loaded, made, recorder, outputs)
    elif made.recorded:
        rows = _stepped(made, recorder)
    else:
        rows = _plain(loaded, prompts, made, outputs)
    rows += [_Row([], [], INTERRUPTED)] * (len(prompts.lengths) * made.sequences - len(rows))
    return tuple(_sequence(loaded, made, at, row) for at, row in enumerate(rows))


def _sequence(loaded: LoadedModel, made: Plan, at: int, row: _Row) -> Sequence_:
    line, number = divmod(at, made.sequences)
    ids = row.ids
    if loaded.tokenizer is None:
        words = [f"{one} " for one in ids]
        ends = [sum(map(len, words[: end + 1])) for end in range(len(words))]
        text, spans = "".join(words).rstrip(), list(zip([0, *ends], ends, strict=False))
    else:
        text, spans = spread(loaded, ids)
    stop = row.stop
    if stop == STOP_STRING:
        seen = [text, with_specials(loaded, ids)]
        came = next((one for one in made.stop if any(one in some for some in seen)), "")
        stop = f"stop string {came!r}" if came else stop
    return Sequence_(line + 1, number + 1, tuple(ids), text, tuple(spans), tuple(row.steps), stop)


def with_specials(loaded: LoadedModel, ids: Sequence[int]) -> str:
    """Return the text of tokens, special ones spelled out: a stop string may be one."""
    if loaded.tokenizer is None:
        return ""
    with loaded.lock:
        return str(loaded.tokenizer.decode(list(ids)))


def _stepped(made: Plan, recorder: Recorder) -> list[_Row]:
    rows = []
    for row, tokens in enumerate(recorder.tokens()):
        stop = recorder.stops.get(row)
        ids = tokens[: stop.tokens] if stop else tokens
        steps = [recorder.step(at, row, token) for at, token in enumerate(ids)]
        rows.append(_Row(ids, steps, _stop_words(stop, made)))
    return rows


def _stop_words(stop: Stop | None, made: Plan) -> str:
    if stop is None:
        return INTERRUPTED
    return _WORDS.get(stop.criterion) or limit_words(made)


def limit_words(made: Plan) -> str:
    """Return ``limit of 20 tokens``."""
    return f"limit of {made.limit:,} tokens"


def _beamed(loaded: LoadedModel, made: Plan, recorder: Recorder, outputs: Any) -> list[_Row]:
    """Follow each text back through the beams that it was in."""
    if outputs is None:
        if recorder.running is None:
            return []
        beams = recorder.running[:, recorder.begin :].unflatten(0, (-1, made.beams))
        best = beams[:, : made.sequences].flatten(0, 1).tolist()  # a prompt's are sorted
        return [_Row(ids, [_unknown(token) for token in ids], INTERRUPTED) for ids in best]
    rows = []
    ids = outputs.sequences[:, recorder.begin :].tolist()
    for tokens, beams in zip(ids, outputs.beam_indices.tolist(), strict=True):
        chosen = [
            (token, recorder.step(at, beam, token))
            for at, (token, beam) in enumerate(zip(tokens, beams, strict=False))
            if beam >= 0
        ]
        kept = [token for token, _ in chosen]
        rows.append(_Row(kept, [step for _, step in chosen], _ended(loaded, made, kept)))
    return rows


def _plain(loaded: LoadedModel, prompts: Prompts, made: Plan, outputs: Any) -> list[_Row]:
    """Return the tokens of a call of which nothing was recorded."""
    if outputs is None:
        return []
    begin = 1 if loaded.config.is_encoder_decoder else prompts.width
    ends = _end_ids(loaded, made)
    rows = []
    for tokens in outputs[:, begin:].tolist():
        end = next((at + 1 for at, token in enumerate(tokens) if token in ends), len(tokens))
        kept = tokens[:end]
        rows.append(_Row(kept, [_unknown(one) for one in kept], _ended(loaded, made, kept)))
    return rows


def _ended(loaded: LoadedModel, made: Plan, ids: list[int]) -> str:
    """Say why a text ended, by its tokens."""
    if ids and ids[-1] in _end_ids(loaded, made):
        return _WORDS["EosTokenCriteria"]
    if len(ids) >= made.limit:
        return limit_words(made)
    return _WORDS["StopStringCriteria" if made.stop else "MaxTimeCriteria"]


def _end_ids(loaded: LoadedModel, made: Plan) -> set[int]:
    end = made.words.get("eos_token_id", loaded.model.generation_config.eos_token_id)
    return set(end) if isinstance(end, list) else {end}


def _unknown(token: int) -> Step:
    return Step(token, math.nan, 0, math.nan, 0, (), ())
