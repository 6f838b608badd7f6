"""Write one reply: the cache of the turns before is used, and kept for the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from hf_magics.errors import OptionError
from hf_magics.inference.chat.cache import Memory, held
from hf_magics.inference.chat.conversation import Talk
from hf_magics.inference.chat.template import check_room, prompt_ids
from hf_magics.inference.generation.encoding import Prompts, fitted, from_ids
from hf_magics.inference.generation.generate import write
from hf_magics.inference.generation.options import Plan, plan, seeded
from hf_magics.inference.generation.written import Written
from hf_magics.modeling.limits import position_limit
from hf_magics.modeling.store import LoadedModel
from hf_magics.specs import ChatSpec, GenerateSpec


@dataclass(frozen=True)
class Replied:
    """A reply, how it was made, and how many tokens of its prompt were in the cache.

    ``reused`` is None where a server does not tell.
    """

    prompts: Prompts
    made: Plan
    written: Written
    reused: int | None


def reply(
    loaded: LoadedModel,
    memory: Memory,
    spec: ChatSpec,
    talk: Talk,
    longest: int,
    on_text: Callable[[str], None] | None,
) -> Replied:
    """Let the model answer ``spec.text`` after a conversation.

    Args:
        loaded: The model.
        memory: Its cache of the turns before.
        spec: The turn and its options.
        talk: The conversation so far.
        longest: The limit where neither the line nor the checkpoint has one, in tokens.
        on_text: Called with each new piece of the reply.

    Raises:
        OptionError: An option does not exist, or contradicts another.
        InputError: The conversation has no room for the turn.
        FitError: The device has no room for it.
    """
    asked = as_generation(spec, loaded.name)
    made = alone(plan(loaded, asked, longest))
    ids = prompt_ids(loaded, talk.asking(spec.text))

    def count(before: Talk) -> int:
        return len(ids if before is talk else prompt_ids(loaded, before.asking(spec.text)))

    check_room(loaded.name, position_limit(loaded.model), count, talk)
    prompts = dataclasses.replace(from_ids(loaded, [ids]), texts=(spec.text,))
    made = seeded(loaded, asked, fitted(loaded, prompts, made))
    if not _keeps_cache(loaded, made):
        return Replied(prompts, made, write(loaded, prompts, made, on_text=on_text), 0)
    cache, reused = memory.begin(loaded.model, ids)
    known = ids[:reused]
    try:
        written = write(loaded, prompts, made, cache=cache, on_text=on_text)
        if cache is not None and (new := written.sequences[0].ids):
            # an interrupt comes while the last token is read: of that one nothing is sure
            known = [*ids, *new[:-1]][: held(cache)]
    finally:
        memory.settle(cache, known)
    return Replied(prompts, made, written, reused)


def alone(made: Plan) -> Plan:
    """Return the plan, if it writes one text.

    Raises:
        OptionError: It writes several.
    """
    if made.sequences > 1:
        raise OptionError(
            "a turn has one reply, so num_return_sequences has no use here: "
            "%%hf_generate --sequences N writes several texts"
        )
    return made


def as_generation(spec: ChatSpec, name: str) -> GenerateSpec:
    """Return what a turn asks of the writing alone."""
    return GenerateSpec(
        name,
        max_new_tokens=spec.max_new_tokens,
        temperature=spec.temperature,
        top_p=spec.top_p,
        top_k=spec.top_k,
        seed=spec.seed,
        stop=spec.stop,
        extra=spec.extra,
    )


def _keeps_cache(loaded: LoadedModel, made: Plan) -> bool:
    """Say whether a reply is written token by token into a plain cache."""
    own = loaded.model.generation_config
    uses = made.words.get("use_cache", own.use_cache) is not False
    other = made.words.get("cache_implementation", own.cache_implementation)
    return made.recorded and made.beams == 1 and uses and other in (None, "hybrid")
