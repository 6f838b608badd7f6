"""What a line asks of a writer: the same options as of torch, and what it does not take refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from hf_magics.display.words import nearest
from hf_magics.errors import OptionError
from hf_magics.inference.generation.encoding import check_lengths, within
from hf_magics.inference.generation.options import (
    FIELDS,
    USELESS_SEED,
    Plan,
    check_seed,
    check_several,
    drawn_words,
    is_sampled,
    line_words,
    stop_strings,
)
from hf_magics.inference.generation.writer import Prompt, Writer
from hf_magics.specs import GenerateSpec

_KNOWN = (*FIELDS.values(), "do_sample")


def plan_for(writer: Writer, spec: GenerateSpec, longest: int, *, is_turn: bool = False) -> Plan:
    """Return how a writer is called.

    Args:
        writer: What writes.
        spec: What the line asks for.
        longest: The limit where the line has none, in tokens.
        is_turn: Whether a conversation goes on: what was drawn after what is kept of it is drawn
            again only where the line has a seed, so that nothing kept is gone on from.

    Raises:
        OptionError: An option that does not exist, that contradicts another, or that the writer
            does not take.
    """

    def check_name(name: str) -> None:
        known = (*_KNOWN, *writer.takes)
        if name not in known:
            raise OptionError(
                f"{writer.label} takes no --set {name}{nearest(name, known)} "
                f"(beside the options: {', '.join(writer.takes) or 'none'})"
            )

    words = line_words(spec, check_name)
    check_seed(spec.seed)
    if words.pop("num_beams", 1) not in (None, 1):
        raise OptionError(f"{writer.label} has no beams: leave out --beams")
    sampled = is_sampled(words, by_default=False)
    limit = words.pop("max_new_tokens", None)
    made = Plan(
        words,
        limit or longest,
        sequences=words.pop("num_return_sequences", None) or 1,
        sampled=sampled,
        stop=stop_strings(words.pop("stop_strings", None)),
        asked=bool(limit),
    )
    words.pop("do_sample", None)
    check_several(made)
    return writer.plan(_drawn(writer, spec, made, is_turn=is_turn))


def fitted_to(writer: Writer, name: str, prompts: list[Prompt], made: Plan) -> Plan:
    """Return the plan with a limit for which there is room, where that is known.

    Raises:
        InputError: A prompt is too long.
    """
    lengths = tuple(one.tokens or 0 for one in prompts)
    if writer.positions is None:
        return made
    check_lengths(name, lengths, writer.positions)
    return within(made, name, writer.positions, max(lengths))


def _drawn(writer: Writer, spec: GenerateSpec, made: Plan, *, is_turn: bool) -> Plan:
    """Choose a seed where something is drawn, as `options.seeded` does, and say how it is."""
    if not made.sampled:
        notes = (USELESS_SEED,) if spec.seed is not None else ()
        return dataclasses.replace(made, notes=notes)
    again = spec.seed is not None
    seed = spec.seed if spec.seed is not None else int(torch.randint(2**31, ()).item())
    words: dict[str, Any] = {**writer.defaults, **made.words}
    said = drawn_words(words.get("temperature"), words.get("top_k"), words.get("top_p"))
    if writer.draws_by_seed:
        which = "a --seed" if is_turn and not again else f"--seed {seed}"
        said += f"; {which} draws the same again"
    return dataclasses.replace(made, seed=seed, again=again, drawn=said)
