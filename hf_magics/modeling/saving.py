"""Save: a model to a folder, whole or not at all, and compared with memory."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import errno
import fnmatch
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_magics.display.numbers import plural, size
from hf_magics.display.parts import Column, Note, Page, Table, facts
from hf_magics.display.shown import Shown
from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import SaveError
from hf_magics.modeling import adapter_saving, folders
from hf_magics.modeling.adapter_saving import ADAPTER_FILES, is_adapter
from hf_magics.modeling.architectures import is_head_for
from hf_magics.modeling.comparing import compare
from hf_magics.modeling.elsewhere import EngineModel
from hf_magics.modeling.placement import weight_bytes
from hf_magics.modeling.sentence import SENTENCE_FILES
from hf_magics.modeling.snippets import pieces_of, save_snippet
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.paths import path_of
from hf_magics.specs import SaveSpec

_CHECKPOINT_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model-?????-of-?????.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model-?????-of-?????.bin",
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
    *ADAPTER_FILES,
    *SENTENCE_FILES,
)
"""What an overwrite replaces; every other file of the folder stays."""


def save(spec: SaveSpec, session: Session) -> SaveResult:
    """Write a model with its tokenizer, processor and generation config.

    The folder lands whole: until the last moment everything is written beside it.

    Raises:
        SessionNameError: No such model.
        SaveError: The folder holds something and ``overwrite`` is not given, a file is in the way,
            it can't be written, the disk is full, or what was written differs from the weights.
        EngineError: There are no torch weights to write.
    """
    loaded = session.get(spec.name)
    if isinstance(loaded, EngineModel):
        raise loaded.refusal("torch weights")
    target = path_of(spec.path, SaveError)
    _check_target(target, overwrite=spec.overwrite)
    target = target.resolve()
    adapter_saving.check_save(loaded, target, spec)
    notes = [*_engine_notes(loaded), *filter(None, [adapter_saving.note(loaded, spec)])]
    with _refusals_named(target, loaded), watched(f"saving to {spec.path}", notes=notes):
        written = _replace(loaded, target, spec.max_shard_size)
    resolved = dataclasses.replace(spec, name=loaded.name)
    code = session.record(resolved, *pieces_of(loaded, save_snippet(loaded, resolved)))
    return SaveResult(resolved, written, tuple(notes), code)


def _engine_notes(loaded: LoadedModel) -> list[str]:
    """Return what to say where a model is saved that an engine computes."""
    if loaded.runner is None or loaded.engine is None:
        return []
    words = loaded.engine.words
    return [f"these are the weights of the torch model: {words} makes its own of them at the load"]


@dataclass(frozen=True)
class Written:
    """The new files with their bytes, and how many tensors are equal.

    ``kept`` and ``removed`` are the other files of the folder: those that were left, and those of
    the old checkpoint that are gone.
    """

    files: tuple[tuple[str, int], ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    equal: int


class SaveResult(Shown):
    """What was written: the files, their sizes in bytes, and that they equal the weights."""

    def __init__(self, spec: SaveSpec, written: Written, notes: tuple[str, ...], code: str) -> None:
        self.name = spec.name
        self.path = spec.path
        self.files = dict(written.files)
        self.kept = written.kept
        self.removed = written.removed
        self._equal = written.equal
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
                "checked": f"all {plural(self._equal, 'tensor')} on disk equal the weights in "
                "memory",
                "removed": sentence_list(self.removed) if self.removed else "",
                "left as it was": ", ".join(self.kept),
            }
        )
        notes = tuple(Note(note) for note in self._notes)
        return Page(f"{self.name} saved", (summary, Table(columns, rows, "Files written")), notes)


def _replace(loaded: LoadedModel, target: Path, max_shard_size: str) -> Written:
    """Write beside the target, compare, and swap the folders."""
    _check_room(target, weight_bytes(loaded.model))
    with folders.staged(target) as staging:
        _write(loaded, staging, max_shard_size)
        folders.as_by_the_umask(staging)
        equal = _compare(loaded, staging)
        files = tuple(sorted(_files_in(staging)))
        folders.carry_over(target, staging, leave=_is_checkpoint_file)
        now = {name for name, _ in _files_in(staging)}
        before = {name for name, _ in _files_in(target)}
        folders.swap_in(staging, target)
    kept = _tops(now) - _tops(dict(files))
    return Written(files, tuple(sorted(kept)), tuple(sorted(before - now)), equal)


def _files_in(folder: Path) -> list[tuple[str, int]]:
    """Return each file's place in a folder with its bytes."""
    found = (one for one in folder.rglob("*") if one.is_file() or one.is_symlink())
    return [(one.relative_to(folder).as_posix(), one.lstat().st_size) for one in found]


def _tops(names: Iterable[str]) -> set[str]:
    return {name.partition("/")[0] for name in names}


def _check_target(target: Path, *, overwrite: bool) -> None:
    folders.restore(target.resolve())
    if target.exists() and not target.is_dir():
        raise SaveError(f"'{target}' is a file: give a folder")
    if target.exists() and not os.access(target, os.W_OK):  # the one above may be ours
        raise SaveError(f"'{target}' can't be written: {os.strerror(errno.EACCES)}")
    if not overwrite and target.is_dir() and any(target.iterdir()):
        raise SaveError(
            f"'{target}' is not empty: --overwrite replaces the checkpoint in it and leaves the "
            "other files"
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
    if loaded.adapter is not None and is_adapter(loaded):
        adapter_saving.write(loaded.adapter, folder)
    else:
        with _serializable(model):
            model.save_pretrained(folder, **shards)
    for held in (loaded.tokenizer, loaded.processor):
        if held is not None:
            held.save_pretrained(folder)
    if loaded.sentence is not None and is_head_for(model, "embed"):
        for name, content in loaded.sentence.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _compare(loaded: LoadedModel, folder: Path) -> int:
    if loaded.adapter is not None and is_adapter(loaded):
        return adapter_saving.compare(loaded.adapter, folder)
    return compare(loaded.model, folder)


@contextlib.contextmanager
def _serializable(model: Any) -> Iterator[None]:
    """Let a model that came from GGUF be saved, and leave it as it was.

    Its weights are dequantised; only the marks of the file stand in the way.
    """
    quantizer, config = getattr(model, "hf_quantizer", None), model.config
    method = str(getattr(getattr(quantizer, "quantization_config", None), "quant_method", ""))
    if "gguf" not in method.lower():
        yield
        return
    model.hf_quantizer = None
    model.config = copy.deepcopy(config)
    del model.config.quantization_config
    try:
        yield
    finally:
        model.hf_quantizer, model.config = quantizer, config


@contextlib.contextmanager
def _refusals_named(target: Path, loaded: LoadedModel) -> Iterator[None]:
    """Turn what the file system and safetensors raise into one line."""
    try:
        yield
    except SaveError:
        raise
    except Exception as error:
        raise SaveError(_refusal(error, target, loaded)) from error


def _refusal(error: Exception, target: Path, loaded: LoadedModel) -> str:
    if "No space left" in str(error) or getattr(error, "errno", None) == errno.ENOSPC:
        need = size(weight_bytes(loaded.model))
        return f"the disk is full: the model needs {need}; '{target}' is as it was"
    if isinstance(error, OSError):
        return f"'{target}' can't be written: {one_line(error.strerror or error)}"
    return f"{loaded.name} can't be saved: {one_line(error)}; '{target}' is as it was"


def _is_checkpoint_file(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in _CHECKPOINT_FILES)
