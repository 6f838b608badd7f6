"""What a reader of a generated text must not miss."""

from __future__ import annotations

from hf_magics.display.numbers import plural
from hf_magics.inference.generation.encoding import Prompts, padding_side
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.generation.written import INTERRUPTED, Sequence_
from hf_magics.modeling.report import random_now, random_verdict
from hf_magics.modeling.store import LoadedModel


def notes_on(loaded: LoadedModel, prompts: Prompts, made: Plan, *, streamed: bool) -> list[str]:
    """Say what makes this text other than it seems, and what gave way.

    Args:
        loaded: The model.
        prompts: The batch.
        made: The options.
        streamed: Whether the pieces of the text were asked for.
    """
    said = []
    if random := random_now(loaded):
        said.append(random_verdict(random))
    if loaded.model.training:
        said.append(
            "the model is in train mode: dropout makes its text random; .model.eval() ends that"
        )
    if prompts.pad_word and len(set(prompts.lengths)) > 1:
        said.append(
            f"the tokenizer has no pad token: {prompts.pad_word!r} was borrowed for padding on the "
            f"{padding_side(loaded)}, which the attention mask hides"
        )
    if made.beams > 1:
        said.append(
            f"{made.beams} beams are compared until the end, so nothing was streamed: "
            "without --beams the text comes as it is written"
        )
    elif streamed and len(prompts.lengths) * made.sequences > 1:
        said.append("several texts at once are not streamed: give one prompt for that")
    if not made.recorded:
        said.append("transformers checks several tokens at once here: there are no probabilities")
    return said


def notes_on_end(made: Plan, sequences: tuple[Sequence_, ...]) -> list[str]:
    """Say that it was interrupted, and which stop strings never came."""
    said = []
    cut = [one for one in sequences if one.stop == INTERRUPTED]
    if cut:
        longest = max(len(one.ids) for one in cut)
        said.append(f"interrupted after {plural(longest, 'token')}: what was written is kept")
    never = [one for one in made.stop if not any(one in some.text for some in sequences)]
    if never and not cut:
        said.append(f"--stop {', '.join(map(repr, never))} never came")
    return said
