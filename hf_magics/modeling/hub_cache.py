"""The hub's cache: which commits and files of a repository are on this disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.sha import git_hash

from hf_magics.literals import parsed

_WEIGHTS = {"model.safetensors", "pytorch_model.bin"}
_COMPANIONS = ("tokenizer", "vocab", "spiece", "sentencepiece", "source.spm", "preprocessor_config")


def snapshot(repo_id: str, commit: str) -> Path:
    """Return the folder that holds this commit's files."""
    return _folder(repo_id) / "snapshots" / commit


def is_cached(repo_id: str) -> bool:
    """Say whether any commit of the repository is there."""
    return (_folder(repo_id) / "snapshots").is_dir()


def commit_of(repo_id: str, revision: str) -> str:
    """Return the commit that a revision was when it was last downloaded, ``""`` where none is."""
    ref = _folder(repo_id) / "refs" / revision
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision
    return commit if snapshot(repo_id, commit).is_dir() else ""


def files_of(repo_id: str, commit: str) -> frozenset[str]:
    """Return the files of a commit that are there."""
    folder = snapshot(repo_id, commit)
    found = (path for path in folder.rglob("*") if path.is_file())
    return frozenset(path.relative_to(folder).as_posix() for path in found)


def revisions(repo_id: str) -> list[str]:
    """Return the names of branches and tags that are there, and the commits that have no name."""
    refs = _folder(repo_id) / "refs"
    paths = sorted(path for path in refs.rglob("*") if path.is_file())
    named = {path.relative_to(refs).as_posix(): path.read_text("utf-8").strip() for path in paths}
    commits = sorted(path.name for path in (_folder(repo_id) / "snapshots").glob("*"))
    there = [name for name, commit in named.items() if commit in commits]
    return there + [commit for commit in commits if commit not in named.values()]


def has_weights(folder: Path) -> bool:
    """Say whether weights under their usual names are there, every shard."""
    names = _names(folder)
    indexes = [name for name in names if name.endswith(".index.json")]
    return bool(names & _WEIGHTS) or any(shards_of(folder / name) <= names for name in indexes)


def has_all(folder: Path) -> bool:
    """Say whether the weights are there and what goes with them, so that no file is missed.

    The small files are downloaded first: where the weights and one of them are, all are.
    """
    return has_weights(folder) and any(name.startswith(_COMPANIONS) for name in _names(folder))


def remember(repo_id: str, revision: str, commit: str, *, first: bool = False) -> None:
    """Write down which commit a branch or tag was, for when the hub can't be asked.

    Files are asked for by commit, and the hub's library then writes no such thing.

    Args:
        repo_id: The repository.
        revision: The branch or tag, ``""`` for the main one.
        commit: What it is now.
        first: Only where nothing is known yet: the commit is not whole, and an older one may be.
    """
    ref = _folder(repo_id) / "refs" / (revision or "main")
    if revision == commit or (first and ref.exists()):
        return
    with contextlib.suppress(OSError):  # a cache that can't be written is still good to read
        ref.parent.mkdir(parents=True, exist_ok=True)
        unfinished = ref.with_name(f"{ref.name}.{os.getpid()}.tmp")
        unfinished.write_text(commit, encoding="utf-8")
        unfinished.replace(ref)


def is_as_announced(path: Path) -> bool:
    """Compare a file that was downloaded with the hash that the hub gave for it.

    The cache calls each file's bytes by that: sha256 of a large file, git's hash of a small one.
    huggingface_hub itself compares the length alone. Where the system has no links, nothing is
    kept to compare with.
    """
    announced = path.readlink().name if path.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", announced):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == announced
    if re.fullmatch("[0-9a-f]{40}", announced):
        return git_hash(path.read_bytes()) == announced
    return True


def forget(path: Path) -> None:
    """Delete a file and the bytes behind it, so that it is downloaded anew."""
    while path.is_symlink():  # to the repository's own, and that may be one to the whole cache's
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink(missing_ok=True)


def shards_of(index: Path) -> set[str]:
    """Return the files that an index of weights names; one that can't be, where it names none."""
    try:
        return set(parsed(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {""}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*") if path.is_file()}


def _folder(repo_id: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model")
