"""Damage: which file of a checkpoint is to blame, and what is in it in place of what should be."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from hf_magics.display.words import one_line, sentence_list, shortened
from hf_magics.errors import SourceError
from hf_magics.literals import parsed
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.field_sizes import MOST_LAYERS
from hf_magics.modeling.watching import unwarned

_INDEX = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_OTHERS = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a pointer: git lfs pull, in that folder, downloads them",
    b"\x1f\x8b": "packed by gzip",
    b"\x89png": "a picture",
    b"{": "JSON",
}
_LONGEST = 200


def check_indices(found: Checkpoint) -> None:
    """Refuse an index of shards that is none, or that leads out of its folder.

    transformers joins the names in it to the folder as they are, and reads whatever is there.

    Raises:
        SourceError: Naming it.
    """
    for name in _INDEX:
        if name in found.files and (path := found.path(name)).is_file():
            _check_index(found, path)


def _check_index(found: Checkpoint, path: Path) -> None:
    shards = json_object(found, path).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(one, str) for one in shards.values()):
        raise SourceError(f"{path.name} of '{found.path_or_id}' says of no weight where it is")
    for file in sorted(set(shards.values())):
        if not is_inside(file):
            raise SourceError(
                f"{path.name} of '{found.path_or_id}' leads out of its folder, to '{file}': "
                "nothing was read"
            )
    if found.kind == "folder":
        missing = [file for file in sorted(set(shards.values())) if not found.path(file).is_file()]
        if missing:
            raise SourceError(
                f"'{found.path_or_id}' has no {sentence_list(missing)}, where {path.name} says "
                "that weights are"
            )


def check_gguf(found: Checkpoint) -> None:
    """Refuse a GGUF file that plainly is something else.

    Raises:
        SourceError: Naming it, and what it is.
    """
    path = found.path(found.gguf)
    if found.gguf and path.is_file() and (said := instead_of(path)):
        raise SourceError(f"'{found.path_or_id}' {said}")


def is_inside(file: str) -> bool:
    """Say whether a name leads to a file of its own folder, on any system."""
    path = PureWindowsPath(file)  # which knows both slashes, and drives
    return bool(file) and not path.anchor and ".." not in path.parts and "\0" not in file


def check_config(found: Checkpoint) -> None:
    """Refuse a config that is no object, or that has transformers count without end.

    It makes a name for each of ``num_labels``, and a module for each layer, before it looks at a
    weight.

    Raises:
        SourceError: Naming the file.
    """
    path = found.path("config.json")
    if "config.json" not in found.files or not path.is_file():
        return
    for name, value in _counts(json_object(found, path)):
        most = _MOST_LABELS if name.endswith("labels") else MOST_LAYERS
        if value > most:
            raise SourceError(
                f"{path.name} of '{found.path_or_id}' has {name}={value}, which is more than can "
                f"be built: at most {most:,}"
            )


def _counts(config: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what a config has so many of, also in its parts."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _counts(value)
        elif isinstance(value, (int, float)) and name.endswith(_COUNTED):
            yield name, value


_COUNTED = ("layers", "n_layer", "num_labels")
_MOST_LABELS = 1_000_000


def json_object(found: Checkpoint, path: Path) -> dict[str, Any]:
    """Return what a JSON file of a checkpoint holds, which has to be an object of names.

    Raises:
        SourceError: It can't be read, or is something else.
    """
    try:
        content = parsed(path.read_text(encoding="utf-8"))
    except ValueError as error:
        why = instead_of(path) or f"is no JSON: {one_line(error)}"
        raise SourceError(f"{path.name} of '{found.path_or_id}' {why}") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path.name} of '{found.path_or_id}' is JSON, and no object of names")
    return content


def damaged_settings(found: Checkpoint) -> str:
    """Return which JSON file of the checkpoint can't be read, and why; ``""`` where all can."""
    for name in sorted(name for name in found.files if name.endswith(".json")):
        path = found.path(name)
        try:
            json_object(found, path)
        except SourceError as error:
            return str(error)
        except OSError:
            continue  # of the hub, and never fetched
    return ""


def left_aside(found: Checkpoint) -> str:
    """Say that transformers generates by its own defaults, as those of the checkpoint are broken.

    It reads them, or goes on without a word.
    """
    path = found.path("generation_config.json")
    if path.name not in found.files or not path.is_file():
        return ""
    try:
        json_object(found, path)
    except SourceError as error:
        return f"{error}: it is left aside, and texts are generated by transformers' own defaults"
    return ""


def damaged(found: Checkpoint, names: Collection[str] = ()) -> str:
    """Return which file of weights can't be read, and why; ``""`` where all of them can.

    Args:
        found: The checkpoint.
        names: The files that are meant; all where there is none.
    """
    for suffix, read in _READERS.items():
        paths = sorted(found.path("").glob(f"*{suffix}"))
        for path in (one for one in paths if not names or one.name in names):
            if said := instead_of(path):
                return f"{path.name} of '{found.path_or_id}' {said}"
            if said := read(path):
                return f"{path.name} of '{found.path_or_id}' is damaged: {said}"
    return ""


def _safetensors(path: Path) -> str:
    try:
        with safe_open(path, "pt"):
            return ""
    except (SafetensorError, OSError) as error:
        text = one_line(error).removeprefix("Error while deserializing header: ")
        return shortened(text, _LONGEST)


def _pickled(path: Path) -> str:
    try:
        with unwarned():  # they were given when it was loaded
            torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError:
        return "it holds more than tensors, or is cut off; nothing in it was run"
    except Exception as error:  # noqa: BLE001 - whatever its bytes make of the reader
        return one_line(error).partition(". ")[0] or "it ends too early"
    return ""


_READERS: dict[str, Callable[[Path], str]] = {".safetensors": _safetensors, ".bin": _pickled}


def instead_of(path: Path) -> str:
    """Say what a file is in place of what its name says; ``""`` where nothing speaks for it."""
    with path.open("rb") as file:
        begin = file.read(64).lstrip().lower()
    if not path.stat().st_size:
        return "is empty"
    if not begin.strip(b"\0"):
        return "holds nothing but zeros"
    names = (name for start, name in _OTHERS.items() if begin.startswith(start))
    name = next(names, "")
    return f"is {name}" if name and not (name == "JSON" and path.suffix == ".json") else ""
