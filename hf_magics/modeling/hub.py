"""The hub: a repository's commit and files, and its errors in our words."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi, constants, errors
from huggingface_hub.utils import validate_repo_id

from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import HubError, with_causes
from hf_magics.modeling import catalog, hub_cache
from hf_magics.modeling.watching import watched_hub
from hf_magics.secret import without_frames

_TIMEOUT_S = 5.0
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Repository:
    """One commit of a repository; ``offline`` says that only its cached files can be read."""

    commit: str
    files: frozenset[str]
    offline: bool = False
    notes: tuple[str, ...] = ()


def look_up(
    repo_id: str, revision: str = "", *, subfolder: str = "", offline: bool = False
) -> Repository:
    """Return the commit that a revision stands for, and the files in it.

    A commit hash whose files are cached is not asked for again. Without a network the cached
    commit is taken, and a note says so.

    Raises:
        HubError: Unknown, private or gated repository, unknown revision, no network and no cache.
    """
    _check_id(repo_id)
    cached = _cached(repo_id, revision or "main")
    if offline or constants.is_offline_mode():
        return cached or _not_cached(repo_id, revision)
    if cached and cached.commit == revision and _is_whole(repo_id, revision, subfolder):
        return replace(cached, offline=False)
    try:
        with watched_hub(f"asking the hub for {repo_id}"):
            info = HfApi().model_info(repo_id, revision=revision or None, timeout=_TIMEOUT_S)
    except (errors.HTTPError, OSError, ValueError) as error:
        return _after(error, repo_id, revision, cached)
    files = frozenset(file.rfilename for file in info.siblings or ())
    return Repository(str(info.sha), files)


def download_error(error: BaseException, repo_id: str, commit: str) -> HubError | None:
    """Return what the hub or the cache's disk did to a download, None where it was neither.

    Transformers wraps it: what counts is somewhere among the causes.
    """
    for cause in with_causes(error):
        if isinstance(cause, _ANSWERS) or _status(cause):
            without_frames(error)
            return HubError(explain(cause, repo_id, commit))
        if isinstance(cause, errors.HTTPError):
            without_frames(error)
            return HubError(
                f"the download of '{repo_id}' broke off: run the line again, the files that are "
                "whole stay in the cache"
            )
        if isinstance(cause, OSError) and cause.errno in _DISK:
            return HubError(
                f"'{repo_id}' can't be written to the cache {constants.HF_HUB_CACHE}: "
                f"{cause.strerror}; make room there, or set HF_HOME to another folder"
            )
    return None


def explain(error: BaseException, repo_id: str, revision: str = "") -> str:
    """Return one line for what the hub answered, or did not."""
    for kind, words in _MEANINGS:
        if isinstance(error, kind):
            return words(repo_id, revision)
    status = _status(error)
    if status in {401, 403}:
        return (
            f"the hub refuses '{repo_id}' ({status}): set HF_TOKEN to a token that is valid and "
            "may read it"
        )
    if status:
        return f"the hub answers {status} for '{repo_id}': try again in a while"
    return (
        f"no folder '{repo_id}' here, and the hub can't be reached to look for a repository of "
        f"that name: check the network{_nearest_cached(repo_id)}"
    )


def _unknown(repo_id: str, _: str) -> str:
    return (
        f"the hub has no repository '{repo_id}', or it is private: check the name, or set HF_TOKEN "
        "to a token that may read it; and there is no folder of that name here"
        f"{_nearest_cached(repo_id)}"
    )


def _gated(repo_id: str, _: str) -> str:
    return (
        f"'{repo_id}' is gated: accept its terms on its page on the hub, and set HF_TOKEN to a "
        "token of that account"
    )


def _no_revision(repo_id: str, revision: str) -> str:
    return (
        f"'{repo_id}' has no revision '{revision}': give --revision a branch, a tag or a commit "
        "hash of it"
    )


def _no_file(repo_id: str, _: str) -> str:
    return f"'{repo_id}' holds no such file: see its list of files on the hub"


def _no_token(_: str, __: str) -> str:
    return "HF_TOKEN is no token: it has characters that can't be sent; set it anew"


_MEANINGS: tuple[tuple[type[Exception], Callable[[str, str], str]], ...] = (
    (errors.GatedRepoError, _gated),
    (errors.RevisionNotFoundError, _no_revision),
    (errors.RepositoryNotFoundError, _unknown),
    (errors.RemoteEntryNotFoundError, _no_file),
    (UnicodeEncodeError, _no_token),
)
_ANSWERS = tuple(kind for kind, _ in _MEANINGS)


def _check_id(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except errors.HFValidationError as error:
        raise HubError(
            f"no folder '{repo_id}' here, and no repository can have that name: {one_line(error)}"
        ) from error


def _status(error: BaseException) -> int:
    """Return the HTTP status that the hub answered with, 0 where it did not answer."""
    return getattr(getattr(error, "response", None), "status_code", 0)


def _after(error: Exception, repo_id: str, revision: str, cached: Repository | None) -> Repository:
    """Fall back on the cache where the hub did not answer; refuse where it did."""
    if cached is None or isinstance(error, _ANSWERS):
        raise HubError(explain(error, repo_id, revision)) from without_frames(error)
    status = _status(error)
    why = f"the hub answers {status}" if status else "the hub can't be reached"
    note = f"{why}: this is the cached commit {cached.commit[:12]}"
    return replace(cached, notes=(note,))


def _cached(repo_id: str, revision: str) -> Repository | None:
    commit = hub_cache.commit_of(repo_id, revision)
    if not commit:
        return None
    return Repository(commit, hub_cache.files_of(repo_id, commit), offline=True)


def _is_whole(repo_id: str, commit: str, subfolder: str) -> bool:
    return hub_cache.has_all(hub_cache.snapshot(repo_id, commit) / subfolder)


def _not_cached(repo_id: str, revision: str) -> Repository:
    where = "in the cache"
    if revision or hub_cache.is_cached(repo_id):
        where = f"in the cache at the revision '{revision or 'main'}'"
    raise HubError(
        f"'{repo_id}' is neither a folder here nor {where}, and the hub is not asked (offline)"
        f"{_nearest_cached(repo_id)}"
    )


def _nearest_cached(repo_id: str) -> str:
    """Name what is here and most like it: other revisions of it, another id, a folder."""
    if hub_cache.is_cached(repo_id):
        return f"; the cache has of it: {sentence_list(hub_cache.revisions(repo_id), most=4)}"
    folders = [path.name for path in Path().glob("*") if path.is_dir()]
    cached = [one for one in catalog.cached_ids() if one != repo_id]  # that one has no commit
    known = [*cached, *folders]
    folded = {name.lower(): name for name in known}
    short = {name.rpartition("/")[2]: name for name in folded}
    close = difflib.get_close_matches(repo_id.lower(), [*folded, *short], n=1, cutoff=0.5)
    if not close:
        return ""
    name = folded.get(close[0]) or folded[short[close[0]]]
    return f"; the nearest {'folder' if name in folders else 'cached id'} is '{name}'"
