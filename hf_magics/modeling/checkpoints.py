"""A source to the files of a checkpoint: a folder, a GGUF file, or a hub id and its commit."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from hf_magics.display.words import sentence_list
from hf_magics.errors import HubError, SourceError
from hf_magics.literals import parsed
from hf_magics.modeling import hub, hub_cache
from hf_magics.modeling.architectures import is_model_type
from hf_magics.modeling.fetching import fetch
from hf_magics.modeling.folders import restore
from hf_magics.modeling.origin import Origin
from hf_magics.paths import path_of
from hf_magics.snippets import from_home

_CHOOSES_WEIGHTS = {"variant", "use_safetensors", "force_download", "local_files_only"}
_ADDRESS = re.compile(r"https?://[^/]+/(?P<id>[\w.-]+(?:/[\w.-]+)?)")
_PLAIN = re.compile(r"(?!-)[\w./~-]+")  # of what a line of ours may be made: no option among it
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_ORDER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
ADAPTER_CONFIG = "adapter_config.json"
_TEMPLATES = "additional_chat_templates/"
_LONGEST = 1_000
_SMALL = (".json", ".txt", ".model", ".jinja", ".spm", ".py", ".tiktoken")


@dataclass(frozen=True)
class Checkpoint:
    """What is at a source.

    ``location`` is what ``from_pretrained`` takes; ``files`` are names relative to the checkpoint;
    ``gguf`` is the GGUF file among them that is meant; ``notes`` is what the user has to know.
    """

    kind: str
    location: str
    files: frozenset[str]
    commit: str = ""
    gguf: str = ""
    subfolder: str = ""
    offline: bool = False
    notes: tuple[str, ...] = ()

    @property
    def path_or_id(self) -> str:
        """The file or folder that is meant; a hub id for one of the hub."""
        inside = self.gguf or (self.subfolder if self.kind == "folder" else "")
        return str(Path(self.location) / inside) if inside else self.location

    def has(self, *names: str) -> bool:
        """Say whether one of these files is there."""
        return not self.files.isdisjoint(names)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of ``from_pretrained`` for config, tokenizer and processor.

        Their files are here already: the hub is not asked again.
        """
        return self.which() | ({"local_files_only": True} if self.kind == "hub" else {})

    def weight_arguments(self, extra: Collection[str] = ()) -> dict[str, Any]:
        """Return the keyword arguments of ``from_pretrained`` for the model.

        Args:
            extra: The names of those that are given besides; some say which weights are meant.
        """
        here = self.offline or (self.is_cached() and _CHOOSES_WEIGHTS.isdisjoint(extra))
        return self.which() | ({"local_files_only": True} if here else {})

    def which(self) -> dict[str, Any]:
        """Return the keyword arguments of ``from_pretrained`` that say which files are meant."""
        given = {"revision": self.commit, "gguf_file": self.gguf, "subfolder": self.subfolder}
        return {name: value for name, value in given.items() if value}

    def is_cached(self) -> bool:
        """Say whether the weights of a hub id are in the cache, all of them."""
        return self.kind == "hub" and hub_cache.has_weights(self._folder())

    def weights(self, extra: Collection[str] = ()) -> list[str]:
        """Return the file of weights, or the index of them, that ``from_pretrained`` will take.

        None where something among ``extra`` chooses another, or where no hub is asked.
        """
        chosen = not _CHOOSES_WEIGHTS.isdisjoint(extra)
        if self.kind != "hub" or self.offline or self.gguf or chosen:
            return []
        there = [name for name in _ORDER if name in self.files]
        return [str(PurePosixPath(self.subfolder) / name) for name in there[:1]]

    def small_files(self) -> list[str]:
        """Return the files beside the weights that a model or tokenizer is made from."""
        prefix = f"{self.subfolder}/" if self.subfolder else ""
        names = (name for name in self.files if "/" not in name.removeprefix(_TEMPLATES))
        small = (name for name in names if name.endswith(_SMALL))
        return sorted(prefix + name for name in small if not name.endswith(".index.json"))

    def origin(self) -> Origin:
        """Return where this is and how large it is, read from the files as they are now."""
        paths = self._paths()
        used = [path for path in paths if not self.gguf or path.name == self.gguf]
        return Origin(
            "gguf" if self.gguf else self.kind,
            self.path_or_id,
            self.commit,
            sum(path.stat().st_size for path in used if path.suffix in _WEIGHTS),
            (self.commit,) if self.commit else _mark(paths),
            self.has(ADAPTER_CONFIG),
        )

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the checkpoint, empty where it is not there or not an object."""
        path = next((path for path in self._paths() if path.name == name), None)
        if path is None:
            return {}
        try:
            content = parsed(path.read_text(encoding="utf-8"))
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def path(self, name: str) -> Path:
        """Return where a file of the checkpoint lies on this disk, once it is there."""
        return self._folder() / name

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._folder().glob("*") if path.is_file())

    def _folder(self) -> Path:
        folder = Path(self.location)
        if self.kind == "hub":
            folder = hub_cache.snapshot(self.location, self.commit)
        return folder / self.subfolder


def find(
    source: str, *, revision: str = "", gguf: str = "", subfolder: str = "", offline: bool = False
) -> Checkpoint:
    """Return the checkpoint at a hub id, a folder, or a ``.gguf`` file: it has a config.

    Raises:
        SourceError: There is none; the message says what is there instead.
        HubError: The hub has none of that name, refuses it, or can't be reached.
    """
    if not source.strip():
        raise SourceError("no source is given: a hub id, a folder or a .gguf file is needed")
    path = path_of(source, SourceError)
    if path.is_file() and path.suffix == ".gguf":
        return find(str(Path(source).parent), gguf=path.name)
    found = find_files(source, revision=revision, subfolder=subfolder, offline=offline)
    if gguf or not found.has("config.json"):
        found = replace(found, gguf=_choose_gguf(found, gguf))
        if found.kind == "hub" and not found.offline:
            fetch(source, found.commit, [str(PurePosixPath(subfolder) / found.gguf)])
    return found


def is_local(source: str) -> bool:
    """Say whether a word is the path of a folder or file that exists."""
    return path_of(source, SourceError).exists()


def find_files(
    source: str, *, revision: str = "", subfolder: str = "", offline: bool = False
) -> Checkpoint:
    """Return what is at a hub id or a folder, with or without a config.

    Raises:
        SourceError: There is nothing; the message says what is there instead.
        HubError: The hub has none of that name, refuses it, or can't be reached.
    """
    _check_word(source)
    path = path_of(source, SourceError)
    restore(path.resolve())  # a link to it is another name for the same folder
    if path.exists() and revision:
        raise SourceError(f"'{source}' is on this disk: --revision is for a hub id")
    if path.is_dir():
        return _folder(source, subfolder)
    if path.is_file():
        raise SourceError(_file_given(path))
    if _is_path(source) or not _HUB_ID.fullmatch(source):
        raise SourceError(f"no folder or file '{source}'{_nearest_path(path)}")
    try:
        return _from_hub(source, revision, subfolder, offline=offline)
    except HubError as error:
        if not is_model_type(source):
            raise
        raise SourceError(
            f"'{source}' is a model type, and no checkpoint of that name was found: %hf_new "
            f"{source} makes one with random weights, %hf_load SOURCE wants a hub id or a folder"
        ) from error


def _check_word(source: str) -> None:
    """Refuse what can be neither a path nor a hub id."""
    if len(source) > _LONGEST:
        raise SourceError(f"'{source[:40]}…' is too long for a path or a hub id")
    if address := _ADDRESS.match(source):
        raise SourceError(f"'{source}' is an address: the hub id alone is meant, '{address['id']}'")


def _folder(source: str, subfolder: str) -> Checkpoint:
    location = from_home(source)
    path = Path(location)
    inside = path / subfolder
    if not inside.is_dir():
        raise SourceError(f"no folder '{subfolder}' in '{path}'; it holds: {_contents(path)}")
    files = frozenset(one.name for one in inside.glob("*") if one.is_file())
    return Checkpoint("folder", location, files, subfolder=subfolder)


def _choose_gguf(found: Checkpoint, gguf: str) -> str:
    there = sorted(name for name in found.files if name.endswith(".gguf"))
    if gguf in there:
        return gguf
    where = f"'{found.location}'"
    if gguf:
        raise SourceError(f"no file '{gguf}' in {where}; GGUF files there: {sentence_list(there)}")
    if len(there) == 1:
        return there[0]
    if there:
        raise SourceError(
            f"{where} holds {len(there)} GGUF files: --gguf FILE takes one of "
            f"{sentence_list(there)}"
        )
    if found.has(ADAPTER_CONFIG):
        named = str(found.read_json(ADAPTER_CONFIG).get("base_model_name_or_path"))
        base = named if _PLAIN.fullmatch(named) and named != "None" else "BASE"
        raise SourceError(
            f"{where} is an adapter, and not a whole model: %hf_load {base} --adapter "
            f"{found.path_or_id}"
        )
    raise SourceError(f"{where} has no config.json; it holds: {sentence_list(sorted(found.files))}")


def _file_given(path: Path) -> str:
    if path.suffix in _WEIGHTS or path.name == "config.json":
        return f"'{path}' is a file: give the folder it is in, '{path.parent}'"
    return f"'{path}' is no checkpoint: give a folder, a hub id or a .gguf file"


def _from_hub(source: str, revision: str, subfolder: str, *, offline: bool) -> Checkpoint:
    found = hub.look_up(source, revision, subfolder=subfolder, offline=offline)
    prefix = f"{subfolder}/" if subfolder else ""
    files = frozenset(name.removeprefix(prefix) for name in found.files if name.startswith(prefix))
    checkpoint = Checkpoint(
        "hub",
        source,
        files,
        found.commit,
        subfolder=subfolder,
        offline=found.offline,
        notes=found.notes,
    )
    if not found.offline:
        fetch(source, found.commit, checkpoint.small_files())
        hub_cache.remember(source, revision, found.commit, first=True)
    return checkpoint


def _is_path(source: str) -> bool:
    return source.startswith((".", "~", "/", os.sep)) or source.count("/") > 1 or "\\" in source


def _nearest_path(path: Path) -> str:
    """Name the nearest sibling of a path that is not there, or the first part that is missing."""
    parent = path.parent
    if not parent.is_dir():
        missing = next(one for one in reversed([path, *path.parents]) if not one.exists())
        return f": there is no '{missing}'"
    names = [one.name for one in parent.glob("*") if one.is_dir() or one.suffix == ".gguf"]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"; did you mean '{parent / close[0]}'?" if close else f" in '{parent}'"


def _contents(path: Path) -> str:
    return sentence_list(sorted(one.name for one in path.glob("*")))


def _mark(paths: list[Path]) -> tuple[Any, ...]:
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
