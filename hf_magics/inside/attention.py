"""Attention: which token looks at which, in each head of each layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hf_magics.display.parts import Note
from hf_magics.display.words import sentence_list
from hf_magics.errors import InputError, OptionError
from hf_magics.inference import running, tokenizing
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inside.attention_pages import AttentionResult
from hf_magics.inside.eager import eager_attention
from hf_magics.inside.giving import encoded_for, given_lines
from hf_magics.inside.links import Maps
from hf_magics.inside.token_labels import Place, numbered, places_of
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.snippets import Snippet, quoted
from hf_magics.specs import AttentionSpec, InferSpec

KINDS = {
    "self": "attentions",
    "encoder": "encoder_attentions",
    "decoder": "decoder_attentions",
    "cross": "cross_attentions",
}
"""What each kind is called in an output."""


def attention(spec: AttentionSpec, inputs: Inputs, session: Session) -> AttentionResult:
    """Show the attention weights of one input.

    The weights are those of eager attention, to which the model is switched for this pass. They
    have the shape (layers, heads, queries, keys); a layer or head that is chosen is no axis.

    Raises:
        SessionNameError: No such model.
        InputError: More inputs than one, or the model does not take it.
        OptionError: No such layer, head or kind; the message has the range.
        EngineError: An engine computes the model, or it has no torch weights.
    """
    loaded = session.get(spec.name)
    spec = dataclasses.replace(spec, name=loaded.name)
    running.need_torch(loaded, "%%hf_attention")
    encoded, given = _encode(loaded, inputs, spec)
    with loaded.lock, eager_attention(loaded.model) as before:
        outputs, added = running.once(loaded, given, {"output_attentions": True})
    given |= added
    kind, layers = _of_kind(loaded, outputs, spec.kind)
    numbers = _layer_numbers(loaded, kind, len(layers))
    heads = tuple(range(layers[0].shape[1]))
    chosen_layers = _chosen("layer", spec.layer, numbers, loaded.name)
    chosen_heads = _chosen("head", spec.head, heads, loaded.name)
    some = [layers[numbers.index(one)] for one in chosen_layers]
    weights = torch.stack([one[0, list(chosen_heads)].detach().cpu() for one in some])
    queries, keys = _places(loaded, given, kind, weights.shape[-2:])
    maps = Maps(kind, queries, keys, chosen_layers, chosen_heads)
    lines = _given(loaded, inputs, spec, encoded, given)
    made = _snippet(lines, _picked(spec, KINDS[kind], numbers), before)
    return AttentionResult(
        loaded,
        maps,
        weights,
        chosen=(1,) * (spec.head is not None) + (0,) * (spec.layer is not None),
        notes=_notes(loaded, encoded, before),
        code=session.record(spec, *pieces_of(loaded, made)),
    )


def _notes(loaded: LoadedModel, encoded: Encoded, before: str) -> tuple[Note, ...]:
    notes = [Note(one) for one in (*state_notes(loaded), *tokenizing.notes_on(encoded))]
    if before:
        said = f"computed with eager attention, which gives its weights; back at {before}"
        notes.append(Note(said, "info"))
    return tuple(notes)


def _encode(
    loaded: LoadedModel, inputs: Inputs, spec: AttentionSpec
) -> tuple[Encoded, dict[str, Any]]:
    """Return the one input; of an encoder-decoder's pair the second text is the decoder's."""
    if inputs.count > 1:
        raise InputError(
            f"attention is drawn for one line, and there are {inputs.count}: a tab parts a pair, "
            "--whole takes a cell as one"
        )
    pair = inputs.texts[0].split("\t") if inputs.texts else []
    if not getattr(loaded.config, "is_encoder_decoder", False) or len(pair) != _PAIR:
        asked = InferSpec(spec.name, spec.texts, spec.ids, variable=spec.variable)
        encoded = encoded_for(loaded, inputs, asked)
        return encoded, dict(encoded.inputs)
    encoded = tokenizing.encode(loaded, pair[:1])
    target = tokenizing.encode(loaded, pair[1:])
    return encoded, {**encoded.inputs, "decoder_input_ids": target.inputs["input_ids"]}


_PAIR = 2


def _of_kind(loaded: LoadedModel, outputs: Any, asked: str) -> tuple[str, tuple[Any, ...]]:
    """Return the attentions of the kind that was asked for; of a pair's cross first."""
    found = _kinds(outputs)
    if not found:
        raise InputError(
            f"{loaded.name} is a {type(loaded.model).__name__}, which gives no attention weights"
        )
    if asked and asked not in found:
        raise OptionError(f"--kind {asked}: {loaded.name} has {', '.join(found)}")
    kind = asked or next(iter(found))
    layers = found[kind]
    shapes = sorted({tuple(one.shape) for one in layers})
    if len(shapes) > 1 or not _is_map(kind, shapes[0]):
        raise InputError(
            f"the attention of {loaded.name} is no map of tokens by tokens: its tensors have the "
            f"shapes {sentence_list(map(str, shapes))}"
        )
    return kind, layers


def _is_map(kind: str, shape: tuple[int, ...]) -> bool:
    """Say whether a tensor is (batch, heads, queries, keys), and no window around each token."""
    return len(shape) == _DIMENSIONS and (kind == "cross" or shape[-2] == shape[-1])


_DIMENSIONS = 4


def _kinds(outputs: Any) -> dict[str, tuple[Any, ...]]:
    """Return the attentions that there are, by kind; of a layer without any there is None."""
    found = {}
    for kind, name in KINDS.items():
        given = outputs.get(name) if isinstance(outputs, Mapping) else None
        layers = tuple(one for one in given or () if isinstance(one, torch.Tensor))
        if layers:
            found[kind] = layers
    if "cross" in found and found["cross"][0].shape[-2] > 1:
        return {"cross": found.pop("cross"), **found}
    return found


def _layer_numbers(loaded: LoadedModel, kind: str, count: int) -> tuple[int, ...]:
    """Return the model's numbers of the layers that give weights: not all do in a hybrid model."""
    types = getattr(loaded.config.get_text_config(), "layer_types", None) or ()
    looking = [at for at, one in enumerate(types) if one.endswith("attention") and one != _LINEAR]
    in_part = kind == "self" and len(looking) == count
    return tuple(looking) if in_part else tuple(range(count))


_LINEAR = "linear_attention"  # has no weights of tokens


def _chosen(option: str, asked: int | None, there: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Return those that are shown: the one that was asked for, or all.

    Raises:
        OptionError: It is not there.
    """
    if asked is None:
        return there
    if asked not in there:
        in_a_row = there == tuple(range(len(there)))
        known = (
            f"0 to {there[-1]}" if in_a_row else f"{sentence_list(map(str, there))} with weights"
        )
        raise OptionError(f"--{option} {asked}: {name} has {option}s {known}")
    return (asked,)


def _places(
    loaded: LoadedModel, given: Mapping[str, Any], kind: str, sizes: Sequence[int]
) -> tuple[list[Place], list[Place]]:
    """Return the positions that look, and those that are looked at."""
    types = given.get("token_type_ids")
    parts = types[0].tolist() if isinstance(types, torch.Tensor) else ()

    def named(name: str, count: int) -> list[Place]:
        ids = given.get(name)
        if not isinstance(ids, torch.Tensor) or ids.shape[-1] != count:
            return numbered(count)
        own = parts if name == "input_ids" else ()
        return places_of(loaded, ids[0].tolist(), own)

    source = "decoder_input_ids" if kind in {"decoder", "cross"} else "input_ids"
    target = "decoder_input_ids" if kind == "decoder" else "input_ids"
    return named(source, sizes[0]), named(target, sizes[1])


def _given(
    loaded: LoadedModel,
    inputs: Inputs,
    spec: AttentionSpec,
    encoded: Encoded,
    given: Mapping[str, Any],
) -> list[str]:
    """Return the plain lines that make ``inputs``, with what the decoder was given."""
    decoder = "decoder_input_ids" in given and "decoder_input_ids" not in encoded.inputs
    texts = spec.texts[0].split("\t")[:1] if decoder and spec.texts else list(spec.texts)
    asked = InferSpec(spec.name, tuple(texts), spec.ids, variable=spec.variable)
    lines = given_lines(loaded, inputs, asked, encoded)
    if not decoder:
        return lines
    ids = given["decoder_input_ids"].tolist()
    return [*lines, f'inputs["decoder_input_ids"] = torch.tensor({ids})']


def _picked(spec: AttentionSpec, name: str, numbers: tuple[int, ...]) -> str:
    """Return the expression for the weights that are shown."""
    head = "" if spec.head is None else f"[{spec.head}]"
    if spec.layer is None:
        return f"torch.stack([layer[0]{head} for layer in outputs.{name}])"
    return f"outputs.{name}[{numbers.index(spec.layer)}][0]{head}"


def _snippet(lines: list[str], picked: str, before: str) -> Snippet:
    """Return plain code: eager attention, the forward pass, and the weights as one tensor."""
    eager = 'model.set_attn_implementation("eager")  # the one that gives its weights'
    back = f"model.set_attn_implementation({quoted(before)})"
    return Snippet(
        ("import torch",),
        (
            *([eager] if before else []),
            *lines,
            "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
            "with torch.inference_mode():",
            "    outputs = model(**inputs, output_attentions=True)",
            f"attention = {picked}",
            *([back] if before else []),
        ),
    )
