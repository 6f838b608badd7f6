"""The hub: a repository's commit and files, its cache, and its errors in our words."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, errors, hf_hub_download
from huggingface_hub.file_download import repo_folder_name

from hf_magics.errors import HubError

_TIMEOUT_S = 5.0
_COMMIT_LENGTH = 40


@dataclass(frozen=True)
class Repository:
    """One commit of a repository; ``offline`` says that only its cached files can be read."""

    commit: str
    files: frozenset[str]
    offline: bool = False
    notes: tuple[str, ...] = ()


def look_up(repo_id: str, revision: str = "", *, offline: bool = False) -> Repository:
    """Return the commit that a revision stands for, and the files in it.

    A commit hash whose files are cached is not asked for again. Without a network the cached
    commit is taken, and a note says so.

    Raises:
        HubError: Unknown, private or gated repository, unknown revision, no network and no cache.
    """
    cached = _cached(repo_id, revision or "main")
    if offline or constants.is_offline_mode():
        return cached or _not_cached(repo_id, revision)
    if cached and len(revision) == _COMMIT_LENGTH:
        return cached
    try:
        info = HfApi().model_info(repo_id, revision=revision or None, timeout=_TIMEOUT_S)
    except (errors.HTTPError, OSError, ValueError) as error:
        return _after(error, repo_id, revision, cached)
    files = frozenset(file.rfilename for file in info.siblings or ())
    return Repository(str(info.sha), files)


def fetch(repo_id: str, commit: str, names: list[str]) -> None:
    """Download the files that are not in the cache yet.

    With them there, config and tokenizer load without asking the hub again, which would take most
    of a minute where it does not answer.

    Raises:
        HubError: The hub refuses them, or can't be reached.
    """
    folder = snapshot(repo_id, commit)
    for name in names:
        if (folder / name).is_file():
            continue
        try:
            hf_hub_download(repo_id, name, revision=commit)
        except (errors.HTTPError, OSError) as error:
            raise HubError(explain(cause_of(error) or error, repo_id, commit)) from error


def cause_of(error: BaseException | None) -> BaseException | None:
    """Return what the hub said in the chain of causes of an error, None where it said nothing."""
    while error is not None:
        if isinstance(error, (*(kind for kind, _ in _MEANINGS), errors.HTTPError)):
            return error
        error = error.__cause__
    return None


def snapshot(repo_id: str, commit: str) -> Path:
    """Return the folder of the cache that holds this commit's files."""
    return _cache_folder(repo_id) / "snapshots" / commit


def is_cached(repo_id: str) -> bool:
    """Say whether any commit of the repository is in the cache."""
    return (_cache_folder(repo_id) / "snapshots").is_dir()


def cached_ids() -> list[str]:
    """Return the ids of the cached model repositories, by looking at folder names alone."""
    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return sorted(one.name.removeprefix("models--").replace("--", "/") for one in folders)


def explain(error: BaseException, repo_id: str, revision: str = "") -> str:
    """Return one line for what the hub answered: the first row of the table that fits."""
    for kind, words in _MEANINGS:
        if isinstance(error, kind):
            return words(repo_id, revision)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"the hub answered {status} for '{repo_id}': try again in a while, or --offline"
    return (
        f"no folder '{repo_id}' here, and the hub can't be reached to look for a repository of "
        "that "
        f"name: check the network{_nearest_cached(repo_id)}"
    )


def _unknown(repo_id: str, _: str) -> str:
    return (
        f"the hub has no repository '{repo_id}', or it is private: check the name, or set HF_TOKEN "
        "to "
        "a token that may read it; and there is no folder of that name "
        f"here{_nearest_cached(repo_id)}"
    )


def _gated(repo_id: str, _: str) -> str:
    return (
        f"'{repo_id}' is gated: accept its terms on its page on the hub, and set HF_TOKEN to a "
        "token "
        "of that account"
    )


def _no_revision(repo_id: str, revision: str) -> str:
    return (
        f"'{repo_id}' has no revision '{revision}': give --revision a branch, a tag or a commit "
        "hash of it"
    )


def _no_file(repo_id: str, _: str) -> str:
    return f"'{repo_id}' holds no such file: see its list of files on the hub"


_MEANINGS: tuple[tuple[type[Exception], Callable[[str, str], str]], ...] = (
    (errors.GatedRepoError, _gated),
    (errors.RevisionNotFoundError, _no_revision),
    (errors.RepositoryNotFoundError, _unknown),
    (errors.RemoteEntryNotFoundError, _no_file),
)


def _after(error: Exception, repo_id: str, revision: str, cached: Repository | None) -> Repository:
    """Fall back on the cache where the hub did not answer; refuse where it did."""
    answered = isinstance(error, tuple(kind for kind, _ in _MEANINGS))
    if cached is None or answered:
        raise HubError(explain(error, repo_id, revision)) from error
    note = f"the hub can't be reached: this is the cached commit {cached.commit[:12]}"
    return Repository(cached.commit, cached.files, offline=True, notes=(note,))


def _cached(repo_id: str, revision: str) -> Repository | None:
    ref = _cache_folder(repo_id) / "refs" / revision
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision
    folder = snapshot(repo_id, commit)
    if not folder.is_dir():
        return None
    files = (path for path in folder.rglob("*") if path.is_file())
    return Repository(
        commit, frozenset(str(path.relative_to(folder)) for path in files), offline=True
    )


def _not_cached(repo_id: str, revision: str) -> Repository:
    what = f"revision '{revision}' of '{repo_id}'" if revision else f"'{repo_id}'"
    raise HubError(
        f"{what} is neither a folder nor in the cache, and the hub is not asked (offline)"
        f"{_nearest_cached(repo_id)}"
    )


def _nearest_cached(repo_id: str) -> str:
    folders = [path.name for path in Path().glob("*") if path.is_dir()]
    known = [*cached_ids(), *folders]
    folded = {name.lower(): name for name in known}
    short = {name.rpartition("/")[2]: name for name in folded}
    close = difflib.get_close_matches(repo_id.lower(), [*folded, *short], n=1, cutoff=0.5)
    if not close:
        return ""
    name = folded.get(close[0]) or folded[short[close[0]]]
    return f"; the nearest {'folder' if name in folders else 'cached id'} is '{name}'"


def _cache_folder(repo_id: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model")
