"""Generate with a writer: the same options and pages, and no torch model."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from hf_magics.display.numbers import plural
from hf_magics.display.progress import Meter, progress
from hf_magics.display.streaming import silent, stream
from hf_magics.display.words import one_line
from hf_magics.errors import EngineError, InputError
from hf_magics.inference.checks import check_texts
from hf_magics.inference.generation.asking import fitted_to, plan_for
from hf_magics.inference.generation.encoding import Prompts
from hf_magics.inference.generation.notes import interrupt_notes, never_notes
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.generation.resolved import as_run
from hf_magics.inference.generation.results import GenerateResult, named_ids
from hf_magics.inference.generation.snippets import prompts_snippet
from hf_magics.inference.generation.writer import EITHER, End, Piece, Prompt, PromptRead, Writer
from hf_magics.inference.generation.written import INTERRUPTED, Sequence_, Written
from hf_magics.inference.inputs import Inputs, kind_of_thing
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.settings import Settings
from hf_magics.specs import GenerateSpec

Heard = Callable[[str], None]


def generate_with(
    loaded: LoadedModel,
    spec: GenerateSpec,
    inputs: Inputs,
    session: Session,
    settings: Settings,
    on_text: Heard | None = None,
) -> GenerateResult:
    """Write on from each prompt by the model's writer, one text after the other.

    Args:
        loaded: A model with a writer.
        spec: The options.
        inputs: The prompts.
        session: Where the model is.
        settings: How much a page shows.
        on_text: Called with each new piece of the text, where one text is written.

    Raises:
        OptionError: An option does not exist, contradicts another, or the writer does not take it.
        InputError: A prompt is empty or too long.
        EngineError: The writer gave up, and nothing was written.
    """
    writer: Writer = loaded.writer
    made = plan_for(writer, spec, settings.max_new_tokens)
    given = _given(inputs)
    prompts = [writer.prompt(one) for one in given]
    made = fitted_to(writer, loaded.name, prompts, made)
    written, _ = write_with(loaded, prompts, made, on_text)
    asked = prompts_snippet(spec)
    code = session.record(
        as_run(spec, loaded, made), *pieces_of(loaded, asked, writer.writing(made))
    )
    return GenerateResult.of(loaded, shown(given, prompts), written, settings, code)


def shown(texts: list[str] | list[list[int]], prompts: list[Prompt]) -> Prompts:
    """Return what a page says of prompts; there are no tensors."""
    words = tuple(one if isinstance(one, str) else " ".join(map(str, one)) for one in texts)
    return Prompts({}, tuple(one.tokens or 0 for one in prompts), words)


def write_with(
    loaded: LoadedModel, prompts: list[Prompt], made: Plan, on_text: Heard | None
) -> tuple[Written, PromptRead | None]:
    """Write on from each prompt, on this thread; an interrupt keeps what was written.

    Args:
        loaded: A model with a writer.
        prompts: The prompts.
        made: The options, with a limit that fits.
        on_text: Called with each new piece of the text, where one text is written.

    Returns:
        What was written, and what was read of the last prompt.

    Raises:
        EngineError: The writer gave up.
    """
    rows = [_Row(line, number) for line in range(len(prompts)) for number in range(made.sequences)]
    started = time.perf_counter()
    interrupted, broken = False, ""
    try:
        with _telling(loaded.name, rows, on_text) as tell:
            for row in rows:
                row.follow(loaded.writer, prompts[row.line], made, tell)
    except KeyboardInterrupt:
        interrupted = True  # what was written so far is the result
    except EngineError as error:
        if not any(row.pieces for row in rows):
            raise
        missing = len({row.line for row in rows if not row.pieces})
        broken = f"{plural(missing, 'prompt')} of {len(prompts)} had no answer: {one_line(error)}"
    took = time.perf_counter() - started
    sequences = tuple(row.sequence() for row in rows)
    written = Written(
        sequences,
        _total([row.prompt_tokens(prompts[row.line]) for row in rows if not row.number]),
        took,
        interrupted=interrupted,
        processed=any(step.top != step.raw_top for one in sequences for step in one.steps),
        drawn=made.drawn,
        notes=(
            *made.notes,
            *([broken] if broken else []),
            *_notes(prompts, made, sequences, streamed=on_text is not None),
            *dict.fromkeys(note for row in rows if row.end for note in row.end.notes),
        ),
        first_seconds=rows[0].first - started if rows[0].first else math.nan,
        words=loaded.writer.words(named_ids(sequences)),
        counted=_counted(rows),
        chances=prompts[0].chances,
    )
    return written, rows[-1].read


@dataclass
class _Row:
    """One text while it is written; ``line`` and ``number`` count from 0."""

    line: int
    number: int
    pieces: list[Piece] = field(default_factory=list)
    read: PromptRead | None = None
    end: End | None = None
    first: float = 0.0

    def follow(self, writer: Writer, prompt: Prompt, made: Plan, tell: Heard) -> None:
        """Take all that a writer gives."""
        if made.seed is not None:  # a text of its own for each number
            made = dataclasses.replace(made, seed=made.seed + self.number)
        with contextlib.closing(writer.write(prompt, made)) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, Piece):
                    self.first = self.first or time.perf_counter()
                    self.pieces.append(event)
                    tell(event.text)
                elif isinstance(event, PromptRead):
                    self.read = event
                else:
                    self.end = event
                    tell(event.rest)

    def sequence(self) -> Sequence_:
        """Return what was written."""
        texts = [piece.text for piece in self.pieces]
        if texts and self.end:
            texts[-1] += self.end.rest
        steps = tuple(piece.step for piece in self.pieces)
        spans = tuple(pairwise(accumulate(map(len, texts), initial=0)))
        stop = self.end.stop if self.end else INTERRUPTED
        ids = tuple(step.id for step in steps)
        return Sequence_(self.line + 1, self.number + 1, ids, "".join(texts), spans, steps, stop)

    def prompt_tokens(self, prompt: Prompt) -> int | None:
        """Return the tokens of the prompt, where they are known."""
        told = self.read.tokens if self.read else None
        return prompt.tokens if told is None else told


def _given(inputs: Inputs) -> list[str] | list[list[int]]:
    if inputs.things:
        raise InputError(f"prompts are texts or token IDs, not {kind_of_thing(inputs.things[0])}")
    if inputs.tensors is not None:
        raise InputError("tensors are for torch: give the prompts as texts or lists of token IDs")
    if inputs.ids:
        return [list(line) for line in inputs.ids]
    check_texts(inputs.texts)
    return list(inputs.texts)


def _total(numbers: list[int | None]) -> int | None:
    known = [one for one in numbers if one is not None]
    return sum(known) if len(known) == len(numbers) else None


def _counted(rows: list[_Row]) -> int | None:
    """Return the tokens in all, where a writer counted otherwise than by its pieces."""
    counts = [row.end.tokens if row.end else None for row in rows]
    if all(one is None for one in counts):
        return None
    return sum(
        len(row.pieces) if one is None else one for row, one in zip(rows, counts, strict=True)
    )


def _notes(
    prompts: list[Prompt], made: Plan, sequences: tuple[Sequence_, ...], *, streamed: bool
) -> list[str]:
    said = [note for one in prompts for note in one.notes]
    if streamed and len(sequences) > 1:
        said.append("several texts at once are not streamed: give one prompt for that")
    if any(one.stop == INTERRUPTED for one in sequences):
        return [*said, *interrupt_notes(sequences)]
    if any(one.stop == EITHER for one in sequences):
        return said  # which may not be in the text
    return [*said, *never_notes(made.stop, sequences)]


@contextlib.contextmanager
def _telling(name: str, rows: list[_Row], on_text: Heard | None) -> Iterator[Heard]:
    """Give what tells of each piece: one text is shown as it grows, of several their number."""
    label = f"writing with {name}"
    if len(rows) > 1:
        with progress(label) as meter:
            yield _counting(rows, meter)
        return
    quiet = silent() if on_text else contextlib.nullcontext()
    with quiet, stream() as place, progress(label):
        so_far: list[str] = []

        def tell(text: str) -> None:
            so_far.append(text)
            if place is not None:
                place.show("".join(so_far))
            if on_text is not None and text:
                on_text(text)

        yield tell


def _counting(rows: list[_Row], meter: Meter) -> Heard:
    def tell(_: str) -> None:
        tokens = sum(len(row.pieces) for row in rows)
        done = sum(row.end is not None for row in rows)
        meter.say(f"{meter.label}: token {tokens:,}, {done} of {plural(len(rows), 'text')} done")

    return tell
