"""Save an adapter that is on a model: its own files, compared with memory, without the base."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from hf_magics.errors import SaveError
from hf_magics.modeling.adapters import NAME, Adapter
from hf_magics.modeling.checkpoints import ADAPTER_CONFIG
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.watching import unwarned
from hf_magics.optional import optional
from hf_magics.specs import LoadSpec, SaveSpec

ADAPTER_FILES = (ADAPTER_CONFIG, "adapter_model.safetensors", "adapter_model.bin")


def is_adapter(loaded: LoadedModel) -> bool:
    """Say whether what is saved of a model is the adapter on it."""
    return loaded.adapter is not None and not loaded.adapter.merged


def check_save(loaded: LoadedModel, target: Path, spec: SaveSpec) -> None:
    """Refuse to write an adapter in shards, or in the place of the base that it needs.

    Raises:
        SaveError: With what to do.
    """
    if not is_adapter(loaded):
        _refuse_unknown(loaded)
        return
    if spec.max_shard_size:
        raise SaveError("an adapter is one file: leave out --max-shard-size")
    if (target / "config.json").exists():
        raise SaveError(
            f"'{spec.path}' holds a whole model, and {loaded.name} is saved as an adapter, without "
            "its base: give another folder, or %hf_load it with --merge and save that"
        )


def _refuse_unknown(loaded: LoadedModel) -> None:
    """Refuse a model of the notebook whose adapter transformers put on, and not peft."""
    if getattr(loaded.model, "_hf_peft_config_loaded", False):
        raise SaveError(
            f"{loaded.name} has an adapter that was put on by load_adapter or add_adapter, which "
            "is not saved here: peft.PeftModel puts one on that is"
        )


def write(adapter: Adapter, folder: Path) -> None:
    """Write an adapter as peft does, without the card that it makes up."""
    with unwarned():
        adapter.wrapped.save_pretrained(folder, save_embedding_layers=adapter.embeddings)
    (folder / "README.md").unlink(missing_ok=True)


def compare(adapter: Adapter, folder: Path) -> int:
    """Compare each tensor of the adapter in a folder with the one in memory; return how many.

    Raises:
        SaveError: One differs, or is on one side only.
    """
    peft = optional("peft", extra="peft")
    with unwarned():
        state = peft.get_peft_model_state_dict(
            adapter.wrapped, adapter_name=NAME, save_embedding_layers=adapter.embeddings
        )
    written = load_file(folder / "adapter_model.safetensors")
    different = sorted(written.keys() ^ state.keys())
    different += [name for name, one in written.items() if not torch.equal(one, state[name].cpu())]
    if different:
        raise SaveError(
            f"what was written is not what is in memory, nothing was replaced: {different[0]} "
            "differs"
        )
    return len(written)


def note(loaded: LoadedModel, spec: SaveSpec) -> str:
    """Say what is not in the folder, and how it is loaded; ``""`` where the whole model is."""
    if not is_adapter(loaded):
        return ""
    base = loaded.spec.source if isinstance(loaded.spec, LoadSpec) else ""
    return (
        "this is the adapter alone, without the model that it is on: "
        f"%hf_load {base or 'BASE'} --adapter {spec.path}"
    )
