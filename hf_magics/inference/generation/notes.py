"""What a reader of a generated text must not miss."""

from __future__ import annotations

from collections.abc import Sequence

from hf_magics.display.numbers import plural
from hf_magics.inference.generation.encoding import Prompts, padding_side
from hf_magics.inference.generation.options import Plan, stop_strings
from hf_magics.inference.generation.written import (
    INTERRUPTED,
    STOP_STRING,
    Sequence_,
    with_specials,
)
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.store import LoadedModel


def notes_on(loaded: LoadedModel, prompts: Prompts, made: Plan, *, streamed: bool) -> list[str]:
    """Say what makes this text other than it seems, and what gave way.

    Args:
        loaded: The model.
        prompts: The batch.
        made: The options.
        streamed: Whether the pieces of the text were asked for.
    """
    said = state_notes(loaded, "text")
    if prompts.pad_word and len(set(prompts.lengths)) > 1:
        said.append(
            f"the tokenizer has no pad token: {prompts.pad_word!r} was borrowed for padding on the "
            f"{padding_side(loaded)}, which the attention mask hides"
        )
    if made.beams > 1:
        way = "without --beams" if "num_beams" in made.words else "with --beams 1"
        said.append(
            f"{made.beams} beams are compared until the end, so nothing was streamed: "
            f"{way} the text comes as it is written"
        )
    elif streamed and len(prompts.lengths) * made.sequences > 1:
        said.append("several texts at once are not streamed: give one prompt for that")
    if not made.recorded:
        said.append("transformers checks several tokens at once here: there are no probabilities")
    return said


def notes_on_end(loaded: LoadedModel, made: Plan, sequences: tuple[Sequence_, ...]) -> list[str]:
    """Say that it was interrupted, and which stop strings never came."""
    if any(one.stop == INTERRUPTED for one in sequences):
        if not made.recorded:
            return ["interrupted: nothing is kept, transformers gives such a text at its end only"]
        return interrupt_notes(sequences)
    asked = stop_strings(made.words.get("stop_strings"))
    if not asked or any(one.stop == STOP_STRING for one in sequences):
        return []  # one of them came, written otherwise
    return never_notes(asked, sequences, [with_specials(loaded, one.ids) for one in sequences])


def interrupt_notes(sequences: tuple[Sequence_, ...]) -> list[str]:
    """Say after how many tokens it was interrupted, where it was."""
    cut = [len(one.ids) for one in sequences if one.stop == INTERRUPTED]
    if not cut:
        return []
    return [f"interrupted after {plural(max(cut), 'token')}: what was written is kept"]


def never_notes(
    asked: Sequence[str], sequences: tuple[Sequence_, ...], spelled: Sequence[str] = ()
) -> list[str]:
    """Say which stop strings no text has.

    Args:
        asked: The strings.
        sequences: What was written, by its end.
        spelled: The same texts with their special tokens, where those are known.
    """
    texts = [*(one.text for one in sequences), *(one.stop for one in sequences), *spelled]
    never = [one for one in asked if not any(one in text for text in texts)]
    return [f"--stop {', '.join(map(repr, never))} never came"] if never else []
