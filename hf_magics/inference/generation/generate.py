"""Generate: a spec to prompts, one call of the model's own ``generate``, and what was written."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import StoppingCriteriaList
from transformers.generation import StopStringCriteria

from hf_magics.display.words import one_line
from hf_magics.errors import FitError, InputError, MissingExtraError, OptionError, is_full
from hf_magics.inference.generation.elsewhere import generate_with
from hf_magics.inference.generation.encoding import Prompts, encode_prompts, fitted
from hf_magics.inference.generation.notes import notes_on, notes_on_end
from hf_magics.inference.generation.options import Plan, plan, seeded
from hf_magics.inference.generation.recording import Recorder
from hf_magics.inference.generation.resolved import as_run
from hf_magics.inference.generation.results import GenerateResult
from hf_magics.inference.generation.snippets import generate_snippet
from hf_magics.inference.generation.telling import Teller, telling
from hf_magics.inference.generation.written import Written, sequences_of
from hf_magics.inference.inputs import Inputs, kind_of_thing
from hf_magics.inference.told import CACHE
from hf_magics.modeling import preprocessors
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.settings import Settings
from hf_magics.specs import GenerateSpec


def generate(
    spec: GenerateSpec,
    inputs: Inputs,
    session: Session,
    settings: Settings,
    on_text: Callable[[str], None] | None = None,
) -> GenerateResult:
    """Write on from each prompt.

    Args:
        spec: The model and the options.
        inputs: The prompts.
        session: Where the model is.
        settings: How much a page shows.
        on_text: Called with each new piece of the text, where one text is written.

    Raises:
        SessionNameError: No such model.
        HeadError: The model can't generate.
        TokenizerError: Text, and the model has no tokenizer.
        OptionError: An option does not exist, or contradicts another.
        InputError: A prompt is empty or too long.
        FitError: The device has no room for it.
        EngineError: The engine that writes in the place of torch gave up.
    """
    loaded = session.get(spec.name)
    if loaded.writer is not None:
        return generate_with(loaded, spec, inputs, session, settings, on_text)
    made = plan(loaded, spec, settings.max_new_tokens)
    if inputs.things:
        raise InputError(f"prompts are texts or token IDs, not {kind_of_thing(inputs.things[0])}")
    prompts = encode_prompts(loaded, inputs)
    made = seeded(loaded, spec, fitted(loaded, prompts, made))
    written = write(loaded, prompts, made, on_text=on_text)
    snippet = generate_snippet(
        spec,
        prompts,
        made,
        has_tokenizer=loaded.tokenizer is not None,
        decoder=not loaded.config.is_encoder_decoder,
    )
    code = session.record(as_run(spec, loaded, made), *pieces_of(loaded, snippet))
    return GenerateResult.of(loaded, prompts, written, settings, code)


def write(
    loaded: LoadedModel,
    prompts: Prompts,
    made: Plan,
    *,
    cache: Any = None,
    on_text: Callable[[str], None] | None = None,
) -> Written:
    """Call ``generate`` once, on this thread; an interrupt keeps what was written.

    Args:
        loaded: The model.
        prompts: The batch.
        made: The options, with a limit that fits.
        cache: A transformers ``Cache`` with the keys and values of the prompt's beginning, which
            are not computed again. It is filled in place.
        on_text: Called with each new piece of the text, where one text is written.

    Raises:
        OptionError: The model does not take the options.
        MissingExtraError: An option needs a package that is not installed.
        FitError: The device has no room.
    """
    notes: list[str] = []
    outputs = None
    started = time.perf_counter()
    recorder, teller = Recorder(_nothing), None
    try:
        with telling(loaded, prompts, made, on_text) as teller:
            recorder = Recorder(teller.step, beams=made.beams)
            with (
                watched(f"writing with {loaded.name}", notes=notes) as meter,
                _seeded(loaded, made),
            ):
                teller.meter = meter
                started = time.perf_counter()
                outputs = _called(loaded, prompts, made, recorder, cache)
    except KeyboardInterrupt:
        pass  # what was written so far is the result
    took = time.perf_counter() - started
    sequences = sequences_of(loaded, prompts, made, recorder, outputs)
    return Written(
        sequences,
        sum(prompts.lengths),
        took,
        interrupted=outputs is None,
        processed=recorder.processed,
        outputs=getattr(outputs, "sequences", outputs),
        drawn=made.drawn,
        notes=(
            *made.notes,
            *notes_on(loaded, prompts, made, streamed=on_text is not None),
            *notes_on_end(loaded, made, sequences),
            *_warnings(notes),
        ),
        first_seconds=_first(teller, started),
    )


def _called(
    loaded: LoadedModel, prompts: Prompts, made: Plan, recorder: Recorder, cache: Any
) -> Any:
    model = loaded.model
    try:
        return model.generate(
            **{name: tensor.to(model.device) for name, tensor in prompts.inputs.items()},
            **_keywords(loaded, prompts, made, recorder),
            **({} if cache is None else {CACHE: cache}),
        )
    except ImportError as error:
        raise MissingExtraError(
            f"{loaded.name} can't generate so: {preprocessors.why(error)}"
        ) from error
    except (ValueError, TypeError, RuntimeError, MemoryError, IndexError, AttributeError) as error:
        if error is recorder.failure:
            raise
        if is_full(error):
            raise FitError(
                f"{model.device} has no room to write with {loaded.name}: give fewer or shorter "
                "prompts, or --max-new-tokens N"
            ) from error
        raise OptionError(f"{loaded.name} can't generate so: {one_line(error)[:400]}") from error


def _keywords(
    loaded: LoadedModel, prompts: Prompts, made: Plan, recorder: Recorder
) -> dict[str, Any]:
    words = {**made.words, "max_new_tokens": made.limit}
    if prompts.pad_id is not None:
        words.setdefault("pad_token_id", prompts.pad_id)
    if not made.recorded:
        return {**words, **({"tokenizer": loaded.tokenizer} if loaded.tokenizer else {})}
    words["custom_generate"] = recorder.decode
    if made.beams > 1:
        words["return_dict_in_generate"] = True
    if made.stop:  # beside a loop of one's own, transformers takes no tokenizer for them
        with loaded.lock:
            ends = StopStringCriteria(loaded.tokenizer, list(made.stop))
        words["stop_strings"] = None  # the checkpoint's own too
        words["stopping_criteria"] = StoppingCriteriaList([ends])
    return words


@contextlib.contextmanager
def _seeded(loaded: LoadedModel, made: Plan) -> Iterator[None]:
    """Draw by the plan's seed; the state of the random numbers is as before the block.

    A seed that the line did not give was itself drawn from torch's global generator, which that
    one draw moved (`options.seeded`): the next text is another one.
    """
    if made.seed is None:
        yield
        return
    device = loaded.model.device
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(made.seed)
        yield


def _warnings(notes: list[str]) -> list[str]:
    return [one for one in notes if not any(mark in one for mark in _SAID_BY_US)]


_SAID_BY_US = ("`max_new_tokens` (=", "Setting `pad_token_id`", "generation flags are not valid")


def _first(teller: Teller | None, started: float) -> float:
    """Return the seconds to the first token, NaN where there was none."""
    if teller is None or teller.first is None:
        return math.nan
    return teller.first - started


def _nothing(_: list[int]) -> None:
    """Tell nobody."""
