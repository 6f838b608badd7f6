"""Plain transformers code for a generation."""

from __future__ import annotations

from typing import Any

from hf_magics.inference.generation.encoding import Prompts, padding_of
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.script_inputs import (
    ids_lines,
    ids_list_lines,
    list_lines,
    tensor_lines,
)
from hf_magics.snippets import Name, Snippet, call, quoted
from hf_magics.specs import GenerateSpec


def generate_snippet(
    spec: GenerateSpec, prompts: Prompts, made: Plan, *, has_tokenizer: bool, decoder: bool
) -> Snippet:
    """Return the prompts, one call of ``generate``, and the texts that it wrote.

    Args:
        spec: What was asked.
        prompts: The batch.
        made: The options.
        has_tokenizer: Whether there is one to decode with.
        decoder: Whether the outputs begin with the prompts.
    """
    lines = _inputs(spec, prompts, decoder=decoder)
    lines.append("inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}")
    if made.seed is not None:
        lines.append(f"torch.manual_seed({made.seed})")
    lines.append(f"outputs = {_call(prompts, made)}")
    if has_tokenizer:
        begin = '[:, inputs["input_ids"].shape[1]:]' if decoder else ""
        lines.append(f"texts = tokenizer.batch_decode(outputs{begin}, skip_special_tokens=True)")
    needs_torch = made.seed is not None or not spec.texts
    return Snippet(("import torch",) if needs_torch else (), tuple(lines))


def prompts_snippet(spec: GenerateSpec) -> Snippet:
    """Return ``prompts``, texts or token IDs, for what writes without a torch model."""
    if spec.ids:
        return Snippet((), tuple(ids_list_lines("prompts", spec.ids, spec.variable)))
    return Snippet((), tuple(list_lines("prompts", spec.texts, spec.variable, "prompt")))


def _call(prompts: Prompts, made: Plan) -> str:
    words: dict[str, Any] = {"max_new_tokens": made.limit, **made.words}
    if prompts.pad_id is not None:
        words.setdefault("pad_token_id", prompts.pad_id)
    if made.stop:
        words["tokenizer"] = Name("tokenizer")
    return call("model.generate", Name("**inputs"), **words)


def _inputs(spec: GenerateSpec, prompts: Prompts, *, decoder: bool) -> list[str]:
    if spec.texts:
        return _from_texts(spec, prompts, decoder=decoder)
    if not spec.ids:
        return tensor_lines(spec.variable, prompts.inputs)
    return ids_lines(prompts.inputs, spec.ids, spec.variable, padding_of(decoder=decoder))


def _from_texts(spec: GenerateSpec, prompts: Prompts, *, decoder: bool) -> list[str]:
    texts = spec.texts
    lines = list_lines("texts", texts, spec.variable, "prompt")
    words: dict[str, Any] = {"return_tensors": "pt"}
    if len(texts) > 1:
        words |= {"padding": True, "padding_side": padding_of(decoder=decoder)}
    if prompts.pad_word:
        lines.append(f"tokenizer.pad_token = {quoted(prompts.pad_word)}  # it has none of its own")
    if "token_type_ids" in prompts.dropped:
        words["return_token_type_ids"] = False
    return [*lines, f"inputs = {call('tokenizer', Name('texts'), **words)}"]
