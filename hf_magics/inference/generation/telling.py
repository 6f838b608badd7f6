"""Tell of a text while it is written: where the stream is, to a function, or in a line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from hf_magics.display.numbers import plural
from hf_magics.display.progress import Meter
from hf_magics.display.streaming import Stream, silent, stream
from hf_magics.inference.generation.encoding import Prompts
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.generation.pieces import Pieces
from hf_magics.modeling.store import LoadedModel


class Teller:
    """Takes the tokens of each step.

    One text is shown as it grows; of several, and of beams, a line says how far they are.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        made: Plan,
        *,
        texts: int,
        shown: Stream | None,
        on_text: Callable[[str], None] | None,
    ) -> None:
        self.first: float | None = None
        self.meter: Meter | None = None
        self._pieces = Pieces(loaded) if shown or on_text else None
        self._shown = shown
        self._on_text = on_text
        self._of = f" of each of {plural(texts, 'text')}" if texts > 1 else ""
        self._limit = made.limit
        self._steps = 0

    def step(self, tokens: list[int]) -> None:
        """Take the tokens of a step, a row each; none are known of beams."""
        if self.first is None:
            self.first = time.perf_counter()
        self._steps += 1
        if self._pieces is None:
            if self.meter is not None:
                self.meter.say(f"{self.meter.label}: token {self._steps:,}{self._of}")
            return
        piece = self._pieces.add(tokens[0])
        if self._shown is not None:
            self._shown.show(self._pieces.text)
        if self._on_text is not None and piece:
            self._on_text(piece)

    def end(self) -> None:
        """Tell the rest, where the last tokens complete no character."""
        if self._pieces is not None and (piece := self._pieces.rest()) and self._on_text:
            self._on_text(piece)


@contextlib.contextmanager
def telling(
    loaded: LoadedModel,
    prompts: Prompts,
    made: Plan,
    on_text: Callable[[str], None] | None,
) -> Iterator[Teller]:
    """Give what tells of the steps, for the length of the block; nothing is left of it."""
    texts = len(prompts.lengths) * made.sequences
    if not streams(loaded, prompts, made):
        yield Teller(loaded, made, texts=texts, shown=None, on_text=None)
        return
    with silent() if on_text else contextlib.nullcontext(), stream() as shown:
        teller = Teller(loaded, made, texts=texts, shown=shown, on_text=on_text)
        yield teller
        teller.end()


def streams(loaded: LoadedModel, prompts: Prompts, made: Plan) -> bool:
    """Say whether the text is known while it is written: one text, and no beams."""
    alone = len(prompts.lengths) == made.sequences == made.beams == 1
    return alone and made.recorded and loaded.tokenizer is not None
