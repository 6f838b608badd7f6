"""The verb that writes text: generate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_magics.first_import import first_import
from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inference.generation.results import GenerateResult


@orderly_interrupts()
def generate(
    inputs: Any,
    *,
    model: str = "",
    max_new_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    beams: int | None = None,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
    sequences: int | None = None,
    set: Mapping[str, Any] | None = None,
    variable: str = "",
    on_text: Callable[[str], None] | None = None,
    settings: Settings = DEFAULTS,
) -> GenerateResult:
    """Write on from prompts, and keep the probability of each token and its alternatives.

    Args:
        inputs: A text, a list or Series of texts, token IDs, or a dictionary of tensors.
        model: The name of a model; the current one where there is none.
        max_new_tokens: Tokens to write at most; the setting of that name where neither this nor the
            checkpoint says.
        temperature: 0 takes the likeliest token each time; above, tokens are drawn.
        top_p: Draw from the likeliest tokens that have this probability together.
        top_k: Draw from so many likeliest tokens.
        beams: Compare so many texts, and take the likeliest.
        seed: Makes what is drawn repeatable.
        stop: A text, or several, that end the writing.
        sequences: Texts for each prompt.
        set: Other fields of transformers' ``GenerationConfig``.
        variable: The notebook's name of the inputs.
        on_text: Called with each new piece of the text, where one text is written.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, it can't generate, an option that does not exist or
            contradicts another, or a prompt that is empty or too long.
    """
    from hf_magics.specs import GenerateSpec

    with first_import():
        from hf_magics.inference.generation import generate as writing
        from hf_magics.inference.inputs import read_inputs
    read = read_inputs(inputs)
    spec = GenerateSpec(
        name=model,
        texts=read.texts,
        ids=read.ids,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        beams=beams,
        seed=seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        sequences=sequences,
        extra=tuple((set or {}).items()),
        variable=variable,
    )
    return writing.generate(spec, read, session, settings, on_text)
