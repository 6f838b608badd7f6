"""What the hub on loopback holds: repositories, their commits, and what it tells about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = (".safetensors", ".bin", ".gguf")  # what a real hub keeps in large file storage


class Refusal(Exception):  # noqa: N818 # an answer like any other, to the client
    """What the hub will not give, in the words that huggingface_hub looks for."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Code": code, "X-Error-Message": message, **headers}


@dataclass(frozen=True)
class Snapshot:
    """The files of one commit, path -> content."""

    files: dict[str, bytes]

    @classmethod
    def of(cls, folder: Path) -> Snapshot:
        """Read a folder, with all that is in its folders."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})

    @cached_property
    def commit(self) -> str:
        """40 hex digits that are the same for the same contents, as git's are for a tree."""
        listing = "\n".join(f"{self.sha256[path]} {path}" for path in self.files)
        return hashlib.sha1(listing.encode()).hexdigest()

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Path -> hex digest."""
        return {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}

    def etag(self, path: str) -> str:
        """The hash that the hub gives for a file: of a small one it is git's."""
        if path.endswith(WEIGHTS):
            return self.sha256[path]
        content = self.files[path]
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        """A file as a tree lists it."""
        size, sha256 = len(self.files[path]), self.sha256[path]
        entry = {"type": "file", "path": path, "size": size, "oid": self.etag(path)[:40]}
        if path.endswith(WEIGHTS):
            entry["lfs"] = {"oid": sha256, "size": size, "pointerSize": 134}
        return entry

    def tree(self, under: str, *, recursive: bool) -> list[dict[str, Any]]:
        """What lies in a folder, or everywhere below it; nothing where there is no such folder."""
        start = f"{under}/" if under else ""
        inside = [path for path in self.files if path.startswith(start)]
        folders = {start + path[len(start) :].split("/")[0] for path in inside} - set(inside)
        if recursive:
            return [self.entry(path) for path in inside]
        return [
            *({"type": "directory", "path": path, "oid": "0" * 40} for path in sorted(folders)),
            *(self.entry(path) for path in inside if "/" not in path[len(start) :]),
        ]


@dataclass
class Repo:
    """A repository: names of branches and tags, and every commit that was ever added."""

    name: str
    private: bool
    gated: bool
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Snapshot] = field(default_factory=dict)

    def at(self, revision: str) -> Snapshot:
        """The commit that a branch, a tag or 40 hex digits mean."""
        commit = self.refs.get(revision, revision)
        if commit not in self.commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[commit]

    def info(self, revision: str, *, blobs: bool) -> dict[str, Any]:
        """The answer to `model_info`; `blobs` is its `files_metadata`."""
        snapshot = self.at(revision)
        return {
            "id": self.name,
            "author": self.name.split("/")[0],
            "sha": snapshot.commit,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "disabled": False,
            "tags": ["transformers"],
            "lastModified": "2026-11-01T00:00:00.000Z",
            "siblings": [_sibling(snapshot, path, blobs=blobs) for path in snapshot.files],
        }


def _sibling(snapshot: Snapshot, path: str, *, blobs: bool) -> dict[str, Any]:
    entry = snapshot.entry(path)
    if not blobs:
        return {"rfilename": path}
    sibling = {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]}
    if "lfs" in entry:
        lfs = entry["lfs"]
        sibling["lfs"] = {"size": lfs["size"], "sha256": lfs["oid"], "pointerSize": 134}
    return sibling
