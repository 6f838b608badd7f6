"""The logit lens: what the head would say of each layer's hidden states.

After nostalgebraist, "interpreting GPT: the logit lens" (2020): the states of a layer go through
the final norm and the head as those of the last one do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hf_magics.display.parts import Note
from hf_magics.errors import InputError, OptionError
from hf_magics.inference import running, tokenizing
from hf_magics.inference.checks import check_characters
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.snippets import input_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inside.lens_pages import LensResult, Seen
from hf_magics.inside.scorers import fills_masks, need_head
from hf_magics.inside.tail import Backbone, backbone_of, head_reading
from hf_magics.inside.token_labels import Place, places_of
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.snippets import Snippet
from hf_magics.specs import InferSpec, LensSpec

_MOST_CELLS = 600  # of layers by positions: what a page has room for
_MOST_POSITIONS = 32
_MOST_LOGITS = 150_000_000  # 600 MB in float32


def lens(spec: LensSpec, inputs: Inputs, session: Session) -> LensResult:
    """Show the likeliest token of each layer at each position of one input.

    Raises:
        SessionNameError: No such model.
        HeadError: The model's head gives no token for each position.
        InputError: More inputs than one, or one that can't be run.
        OptionError: No such position, or ``target`` is no single token.
        EngineError: An engine computes the model, or it has no torch weights.
    """
    loaded = session.get(spec.name)
    spec = dataclasses.replace(spec, name=loaded.name)
    need_head(loaded, "%%hf_lens")
    masked = fills_masks(loaded.model)
    if inputs.count > 1:
        raise InputError(
            f"the lens reads one line, and there are {inputs.count}: --whole takes a cell as one"
        )
    encoded = tokenizing.encode_inputs(loaded, inputs, None)
    places = _places(loaded, encoded)
    target = None if not spec.target else _token(loaded, spec.target)
    followed = _followed(loaded, spec, places, masked=masked)
    with loaded.lock:
        few = {name: tensor[:, :2] for name, tensor in encoded.inputs.items()}
        backbone = backbone_of(loaded, lambda: running.once(loaded, few, _SWITCHES))
        shown = _shown(loaded, followed, len(places), masked=masked)
        looked = _look(loaded, encoded.inputs, backbone, shown)
    made = _snippet(loaded, spec, encoded, backbone, shown)
    return LensResult(
        loaded,
        Seen.of(
            loaded, looked.logits, [places[at] for at in shown], followed=followed, target=target
        ),
        looked.logits,
        looked.states if spec.hidden else None,
        notes=_notes(loaded, encoded, len(places), shown),
        code=session.record(spec, *pieces_of(loaded, made)),
    )


_SWITCHES = {"output_hidden_states": True, "use_cache": False}


@dataclass(frozen=True)
class _Looked:
    """Logits (layers + 1, positions, vocabulary), and the states of each (1, positions, hidden)."""

    logits: torch.Tensor
    states: list[torch.Tensor]


def _places(loaded: LoadedModel, encoded: Encoded) -> list[Place]:
    ids = encoded.inputs.get("input_ids")
    if not isinstance(ids, torch.Tensor) or ids.shape[0] != 1:
        raise InputError("the lens reads one line of text or of token IDs")
    return places_of(loaded, ids[0].tolist())


def _token(loaded: LoadedModel, word: str) -> int:
    """Return the ID of a word that is one token, as it stands within a text if it can be.

    Raises:
        OptionError: It is several.
    """
    check_characters(word)
    tokenizer = tokenizing.need_tokenizer(loaded)
    found = [tokenizer.encode(text, add_special_tokens=False) for text in (f" {word}", word)]
    known = tokenizer.convert_tokens_to_ids(word)
    single = [ids[0] for ids in found if len(ids) == 1 and ids[0] != tokenizer.unk_token_id]
    if single:
        return int(single[0])
    if known is not None and known != tokenizer.unk_token_id:
        return int(known)
    pieces = ", ".join(tokenizer.convert_ids_to_tokens(found[-1]))
    raise OptionError(f"--target {word} is no single token of {loaded.name}, it is: {pieces}")


def _followed(loaded: LoadedModel, spec: LensSpec, places: list[Place], *, masked: bool) -> int:
    """Return the position that is followed: the one asked for, the first mask, or the last."""
    if spec.position is not None:
        if not 0 <= spec.position < len(places):
            raise OptionError(
                f"--position {spec.position}: the line has positions 0 to {len(places) - 1}"
            )
        return spec.position
    mask = loaded.tokenizer.mask_token if masked and loaded.tokenizer is not None else None
    return next((one.at for one in places if mask and one.text == mask), len(places) - 1)


def _shown(loaded: LoadedModel, followed: int, count: int, *, masked: bool) -> list[int]:
    """Return the positions that a page has room for: those up to the one that is followed.

    Of a masked model they are around it, as it reads both sides.
    """
    layers = getattr(loaded.config.get_text_config(), "num_hidden_layers", 1) + 1
    vocabulary = loaded.config.get_text_config().vocab_size
    cells = min(_MOST_CELLS, _MOST_LOGITS // vocabulary)
    most = max(1, min(_MOST_POSITIONS, cells // layers))
    last = min(count, followed + 1 + (most // 2 if masked else 0))
    first = max(0, last - most)
    return list(range(first, min(count, first + most)))


def _look(
    loaded: LoadedModel, inputs: Mapping[str, Any], backbone: Backbone, shown: list[int]
) -> _Looked:
    """Run one pass in which the head reads the states of all layers in place of the last one's.

    The head's own code makes the logits, whatever it does: transforms, scales, caps.
    """
    model = loaded.model
    kept: list[torch.Tensor] = []

    def all_layers(output: Any) -> torch.Tensor:
        # the last entry is past the final norm already: last_hidden_state stands for it
        before = [one[:, shown] for one in output.hidden_states[:-1]]
        last = output.last_hidden_state[:, shown]
        kept.extend([*before, last])
        for name in backbone.tail:
            before = [model.get_submodule(name)(one) for one in before]
        return torch.cat([*before, last])

    with head_reading(model, backbone.path, all_layers):
        outputs, _ = running.once(loaded, inputs, _SWITCHES)
    return _Looked(outputs.logits.detach().cpu(), [one.detach().float().cpu() for one in kept])


def _notes(loaded: LoadedModel, encoded: Encoded, count: int, shown: list[int]) -> tuple[Note, ...]:
    notes = [Note(one) for one in (*state_notes(loaded), *tokenizing.notes_on(encoded))]
    if len(shown) < count:
        notes.append(
            Note(
                f"positions {shown[0]} to {shown[-1]} of {count:,} are drawn: --position N moves "
                "them",
                "info",
            )
        )
    return tuple(notes)


def _snippet(
    loaded: LoadedModel,
    spec: LensSpec,
    encoded: Encoded,
    backbone: Backbone,
    shown: list[int],
) -> Snippet:
    """Return plain code: a hook that puts the states of all layers before the head."""
    asked = InferSpec(spec.name, spec.texts, spec.ids, variable=spec.variable)
    state = "state"
    for name in backbone.tail:
        state = f"model.{name}({state})"
    whole = encoded.inputs["input_ids"].shape[-1] == len(shown)
    part = "" if whole else f"[:, {shown[0]}:{shown[-1] + 1}]"
    return Snippet(
        ("import torch",),
        (
            *input_lines(asked, encoded),
            "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
            "",
            "",
            "def all_layers(module, args, output):",
            '    """Let the head read every layer; the last is past the final norm already."""',
            f"    states = [{state} for state in output.hidden_states[:-1]]",
            f"    states = torch.cat([*states, output.last_hidden_state]){part}",
            "    output.last_hidden_state = states",
            "    return output",
            "",
            "",
            f"hook = model.{backbone.path}.register_forward_hook(all_layers)",
            "with torch.inference_mode():",
            "    outputs = model(**inputs, output_hidden_states=True, use_cache=False)",
            "hook.remove()",
            "logits = outputs.logits  # (layers + 1, positions, vocabulary)",
            "probabilities = logits.softmax(dim=-1)",
            "tokens = [tokenizer.batch_decode(row[:, None]) for row in logits.argmax(dim=-1)]"
            if loaded.tokenizer is not None
            else "ids = logits.argmax(dim=-1)",
        ),
    )
