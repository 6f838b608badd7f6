"""Share: several heads on one backbone, whose weights are in memory once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from safetensors import safe_open

from hf_magics.display.numbers import shape, size
from hf_magics.errors import OptionError
from hf_magics.modeling import placement
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.weights import changed_since
from hf_magics.specs import LoadSpec

_FILES = ("model.safetensors", "pytorch_model.bin")


def donor_for(spec: LoadSpec, session: Session) -> LoadedModel | None:
    """Return the model whose backbone a line wants to share, None where it wants none.

    Raises:
        SessionNameError: There is no such model.
        OptionError: It has no weights of torch that can be shared, or the line wants them in
            another dtype or on another device.
        EngineError: It has no torch weights.
    """
    if not spec.share:
        return None
    donor = session.get(spec.share)
    model = donor.model
    if spec.engine not in {"", "torch"} or spec.quantize:
        raise OptionError("--share is for torch's own weights: leave out --engine and --quantize")
    if spec.trust_remote_code:
        raise OptionError("--share is for transformers' own classes: no --trust-remote-code")
    if getattr(model, "hf_quantizer", None) is not None or donor.runner is not None:
        raise OptionError(
            f"the weights of {donor.name} are another engine's or quantised: no --share"
        )
    wanted = placement.resolve_dtype(spec.dtype)
    if wanted not in (None, model.dtype):
        raise OptionError(
            f"{donor.name} is in {placement.dtype_name(model.dtype)}, and so is what shares it: "
            f"leave out --dtype {spec.dtype}"
        )
    if spec.device != "auto" and placement.resolve_device(spec.device) != model.device:
        raise OptionError(
            f"{donor.name} is on {model.device}, and so is what shares it: leave out "
            f"--device {spec.device}"
        )
    return donor


def as_donor(spec: LoadSpec, donor: LoadedModel | None) -> LoadSpec:
    """Return the spec with the dtype and the device of the donor."""
    if donor is None:
        return spec
    dtype = placement.dtype_name(donor.model.dtype)
    return dataclasses.replace(spec, dtype=dtype, device=str(donor.model.device))


def arguments_for(
    chosen: type[Any], config: Any, found: Checkpoint, donor: LoadedModel
) -> dict[str, Any]:
    """Return what ``from_pretrained`` takes in the place of files.

    The weights by name: the donor's backbone, and the rest from the checkpoint.

    Raises:
        OptionError: The backbone is another: of another checkpoint, or of another class.
    """
    _check_same(found, donor)
    with torch.device("meta"):
        base = chosen(config).base_model
    backbone = donor.model.base_model
    if type(base) is not type(backbone):
        raise OptionError(
            f"{chosen.__name__} stands on a {type(base).__name__}, and {donor.name} on a "
            f"{type(backbone).__name__}: leave out --share"
        )
    own = base.state_dict()
    prefix = "" if isinstance(base, chosen) else f"{chosen.base_model_prefix}."
    shared = {name: one for name, one in backbone.state_dict().items() if name in own}
    for name, one in shared.items():
        if one.shape != own[name].shape:
            raise OptionError(
                f"{name} is {shape(one.shape)} in {donor.name} and {shape(own[name].shape)} here: "
                "--share takes no FIELD=VALUE that changes the backbone"
            )
    # checkpoints name the backbone's weights with its prefix or without it
    known = {*shared, *(f"{chosen.base_model_prefix}.{name}" for name in shared)}
    state = dict(_stored(found, known))
    return {"state_dict": state | {prefix + name: one for name, one in shared.items()}}


def adopt(model: Any, donor: LoadedModel) -> str:
    """Put the donor's own parameters in the place of the backbone's; return a note for the page."""
    backbone, base = donor.model.base_model, model.base_model
    own = dict(base.named_modules())
    for path, module in backbone.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if path in own and name in dict(own[path].named_parameters(recurse=False)):
                setattr(own[path], name, parameter)
    model.tie_weights()
    return _note(model, donor)


def _check_same(found: Checkpoint, donor: LoadedModel) -> None:
    """Refuse a backbone of another checkpoint."""
    mine, other = found.origin(), donor.origin
    if found.gguf or (mine.where, mine.mark) != (other.where, other.mark):
        raise OptionError(
            f"--share {donor.name}: that is from '{other.where}', and the backbone of "
            f"'{found.path_or_id}' is not the same: leave out --share"
        )


def _note(model: Any, donor: LoadedModel) -> str:
    """Say what is shared, and what that means."""
    theirs, mine = storages(donor.model), storages(model)
    both = sum(nbytes for place, nbytes in mine.items() if place in theirs)
    own = sum(mine.values()) - both
    said = (
        f"its backbone is that of {donor.name}, {size(both)} that are in memory once; "
        f"{size(own)} are its own: training one trains both"
    )
    if changed_since(donor.model, donor.weights_mark):
        said += f"; {donor.name} has changed since it was loaded, and so has this backbone"
    return said


def storages(model: Any) -> dict[int, int]:
    """Return where a model's weights and buffers lie, and their bytes; tied ones once."""
    if model is None:
        return {}
    tensors = (*model.parameters(), *model.buffers())
    held = [one for one in tensors if one.layout is torch.strided and not one.is_meta]
    return {one.data_ptr(): one.nbytes for one in held if one.nbytes}


def sharers(loaded: LoadedModel, session: Session) -> list[str]:
    """Return the names of the other models of the session that have weights of this one."""
    mine = storages(loaded.torch_model)
    others = (name for name in session if session[name] is not loaded)
    return [one for one in others if not mine.keys().isdisjoint(storages(session[one].torch_model))]


def _stored(found: Checkpoint, known: Iterable[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights of a checkpoint that are not known, which alone are read."""
    known = set(known)
    for name in _files(found):
        path = found.path(name)
        if name.endswith(".safetensors"):
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - a file has no other way
                    if key not in known:
                        yield key, file.get_tensor(key)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            yield from ((key, one) for key, one in state.items() if key not in known)


def _files(found: Checkpoint) -> list[str]:
    for name in _FILES:
        if found.has(name):
            return [name]
        if found.has(f"{name}.index.json"):
            return sorted(set(found.read_json(f"{name}.index.json")["weight_map"].values()))
    return []
