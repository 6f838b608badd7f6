"""Save: a model and what goes with it to a folder, whole or not at all, and compared with memory."""

from __future__ import annotations

import copy
import errno
import fnmatch
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from hf_magics.display.numbers import plural, size
from hf_magics.display.parts import Column, Note, Page, Table, facts
from hf_magics.display.shown import Shown
from hf_magics.display.words import one_line
from hf_magics.errors import SaveError
from hf_magics.modeling import folders
from hf_magics.modeling.placement import weight_bytes
from hf_magics.modeling.snippets import model_snippet, save_snippet
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.snippets import script
from hf_magics.specs import SaveSpec

_CHECKPOINT_FILES = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "pytorch_model*.bin",
    "pytorch_model.bin.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
)
"""What an overwrite replaces; every other file of the folder stays."""


@dataclass(frozen=True)
class Compared:
    """Tensors on disk against the weights in memory, bit by bit."""

    equal: int
    different: tuple[str, ...]


def save(spec: SaveSpec, session: Session) -> SaveResult:
    """Write a model with its tokenizer, processor and generation config.

    The folder lands whole: until the last moment everything is written beside it.

    Raises:
        SessionNameError: No such model.
        SaveError: The folder holds something and ``overwrite`` is not given, a file is in the way, it
            can't be written, the disk is full, or what was written differs from the weights.
    """
    loaded = session.get(spec.name)
    target = Path(spec.path).expanduser()
    _check_target(target, overwrite=spec.overwrite)
    target = target.resolve()
    notes: list[str] = []
    with _refusals_named(target, loaded), watched(f"saving to {spec.path}", notes=notes):
        _check_room(target, weight_bytes(loaded.model))
        staging = folders.staging_for(target)
        try:
            _write(loaded, staging, spec.max_shard_size)
            compared = compare(loaded.model, staging)
            written = tuple(sorted((one.name, one.stat().st_size) for one in staging.iterdir()))
            folders.carry_over(target, staging, leave=_is_checkpoint_file)
            kept = tuple(sorted({one.name for one in staging.iterdir()} - dict(written).keys()))
            folders.swap_in(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    resolved = SaveSpec(loaded.name, spec.path, spec.overwrite, spec.max_shard_size)
    session.log.append(resolved)
    code = script(model_snippet(loaded), save_snippet(loaded, resolved))
    return SaveResult(loaded.name, spec.path, written, kept, compared.equal, tuple(notes), code)


def compare(model: Any, folder: Path) -> Compared:
    """Compare each tensor of the safetensors files in a folder with the model's own, bit by bit.

    Weights that are tied stand once on disk, and formats that transformers converts on loading are
    compared in the form that it writes.

    Raises:
        SaveError: A tensor differs, or one is on one side only.
    """
    state = remove_tied_weights_from_state_dict(model.state_dict(), model)
    expected = revert_weight_conversion(model, state)
    seen, different = set(), []
    for name, tensor in _tensors(folder):
        seen.add(name)
        if name not in expected or not _same_bits(tensor, expected[name]):
            different.append(name)
    different += sorted(_to_be_saved(expected, model) - seen)
    if different:
        raise SaveError(
            f"what was written is not what is in memory, nothing was replaced: {different[0]} and "
            f"{plural(len(different) - 1, 'other tensor')} differ"
        )
    return Compared(len(seen), ())


class SaveResult(Shown):
    """What was written: the files, their sizes in bytes, and that they equal the weights."""

    def __init__(
        self,
        name: str,
        path: str,
        files: tuple[tuple[str, int], ...],
        kept: tuple[str, ...],
        equal: int,
        notes: tuple[str, ...],
        code: str,
    ) -> None:
        self.name = name
        self.path = path
        self.files = dict(files)
        self.kept = kept
        self._equal = equal
        self._notes = notes
        self.code = code

    def records(self) -> list[dict[str, Any]]:
        """A row a file."""
        return [{"file": name, "bytes": nbytes} for name, nbytes in self.files.items()]

    def page(self) -> Page:
        """The folder, then its files."""
        rows = tuple((name, size(nbytes)) for name, nbytes in self.files.items())
        columns = (Column("file", mono=True), Column("size", "right"))
        summary = facts(
            {
                "folder": self.path,
                "size": f"{size(sum(self.files.values()))} in {plural(len(rows), 'file')}",
                "checked": f"all {plural(self._equal, 'tensor')} on disk equal the weights in memory",
                "left as it was": ", ".join(self.kept),
            }
        )
        notes = tuple(Note(note) for note in self._notes)
        return Page(f"{self.name} saved", (summary, Table(columns, rows, "Files written")), notes)


def _check_target(target: Path, *, overwrite: bool) -> None:
    folders.restore(target.resolve())
    if target.exists() and not target.is_dir():
        raise SaveError(f"'{target}' is a file: give a folder")
    if not overwrite and target.is_dir() and any(target.iterdir()):
        raise SaveError(
            f"'{target}' is not empty: --overwrite replaces the checkpoint in it and leaves the other "
            "files"
        )


def _check_room(target: Path, needed: int) -> None:
    there = next(one for one in (target, *target.parents) if one.exists())
    total, _, free = shutil.disk_usage(there)
    if total and needed > free:
        raise SaveError(
            f"the disk is full: the model needs {size(needed)} and '{there}' has {size(free)} free"
        )


def _write(loaded: LoadedModel, folder: Path, max_shard_size: str) -> None:
    model = loaded.model
    shards = {"max_shard_size": max_shard_size} if max_shard_size else {}
    with _serializable(model):
        model.save_pretrained(folder, **shards)
    for held in (loaded.tokenizer, loaded.processor):
        if held is not None:
            held.save_pretrained(folder)


class _serializable:  # noqa: N801 - reads as a function in `with`
    """Let a model that came from GGUF be saved: its weights are dequantised, only the marks of the file
    are left. They are put back afterwards: the model in memory stays as it was.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.quantizer = getattr(model, "hf_quantizer", None)
        self.applies = getattr(self.quantizer, "quantization_config", None) is not None and (
            "gguf" in str(getattr(self.quantizer.quantization_config, "quant_method", "")).lower()
        )
        self.config = model.config

    def __enter__(self) -> None:
        if self.applies:
            self.model.hf_quantizer = None
            self.model.config = copy.deepcopy(self.config)
            if hasattr(self.model.config, "quantization_config"):
                del self.model.config.quantization_config

    def __exit__(self, *_: object) -> None:
        if self.applies:
            self.model.hf_quantizer = self.quantizer
            self.model.config = self.config


class _refusals_named:  # noqa: N801 - reads as a function in `with`
    """Turn what the file system and safetensors raise into one line."""

    def __init__(self, target: Path, loaded: LoadedModel) -> None:
        self.target = target
        self.loaded = loaded

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: Any
    ) -> None:
        if error is None or isinstance(error, (SaveError, KeyboardInterrupt)):
            return
        if "No space left" in str(error) or getattr(error, "errno", None) == errno.ENOSPC:
            need = size(weight_bytes(self.loaded.model))
            raise SaveError(
                f"the disk is full: the model needs {need}; '{self.target}' is as it was"
            ) from error
        if isinstance(error, OSError):
            raise SaveError(
                f"'{self.target}' can't be written: {one_line(error.strerror or error)}"
            ) from error
        if isinstance(error, Exception):
            raise SaveError(
                f"{self.loaded.name} can't be saved: {one_line(error)}; '{self.target}' is as it was"
            ) from error


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                yield name, file.get_tensor(name)


def _to_be_saved(expected: dict[str, Any], model: Any) -> set[str]:
    ignored = model._keys_to_ignore_on_save or []  # noqa: SLF001 - what save_pretrained leaves out
    return {name for name in expected if not any(mark in name for mark in ignored)}


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    other = other.detach().cpu()
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(_bits(one), _bits(other))


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return (
        tensor.contiguous().reshape(-1).view(torch.uint8)
    )  # NaN equals NaN, -0.0 does not equal 0.0


def _is_checkpoint_file(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in _CHECKPOINT_FILES)
