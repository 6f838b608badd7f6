"""A folder that is replaced whole, or stays as it was.

The new folder is made beside the old one, under a name of ours. Then the old one is renamed aside,
the new one takes its name, and the old one is removed. A process that dies between the two renames
leaves the old folder aside: `restore` puts it back.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from hf_magics.interrupts import no_interrupt


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Give an empty folder for the length of the block, in which the new content is prepared.

    What is left of it at the end is removed: all, or the old content after `swap_in`.
    """
    staging = staging_for(target)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def staging_for(target: Path) -> Path:
    """Make the empty folder of `staged`, on the same file system as the target.

    What an earlier process left behind is put right first: an interrupted replacement is undone,
    and unfinished staging is removed.
    """
    restore(target)
    unfinished = target.parent.glob(f".{glob.escape(target.name)}.hf-new-*")
    for left in (*unfinished, _aside(target)):
        shutil.rmtree(left, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent / f".{target.name}.hf-new-{os.getpid()}"
    staging.mkdir()
    return staging


def as_by_the_umask(folder: Path) -> None:
    """Give the files of a folder that was just made the mode that the umask leaves them.

    That of the folder shows it, as only setting the umask of the process tells what it was.
    safetensors writes files that no one else may read.
    """
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def carry_over(target: Path, staging: Path, *, leave: Callable[[str], bool]) -> None:
    """Bring every file of the old folder into the new one, except those that ``leave`` names.

    Files are hard-linked, so that a large neighbour costs nothing and stays the same file; where
    the file system has no links they are copied. Sub-folders come along whole; of one that the
    new folder has too, what is not in that.
    """
    if not target.is_dir():
        return
    for entry in target.iterdir():
        new = staging / entry.name
        if entry.is_dir() and not entry.is_symlink() and new.is_dir():
            carry_over(entry, new, leave=lambda _: False)
            continue
        if new.exists() or (not entry.is_dir() and leave(entry.name)):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, new, symlinks=True, copy_function=_link)
        else:
            _link(str(entry), str(new))
    shutil.copystat(target, staging)


@no_interrupt()
def swap_in(staging: Path, target: Path) -> None:
    """Give the prepared folder the target's name, and what was there the name of the staging.

    There it is unfinished work, which is never put back: a process that dies while it is removed
    leaves only a part of it.
    """
    inside = _working_folder_under(target)
    aside = _aside(target)
    replaced = target.exists()
    if replaced:
        target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        if replaced:
            aside.rename(target)
        raise
    if inside is not None:  # we stand in the folder that is about to go: step into the new one
        os.chdir(inside)
    if replaced:
        aside.rename(staging)


def restore(target: Path) -> None:
    """Put back a folder whose replacement was cut short between the two renames."""
    aside = _aside(target)
    if not target.exists() and aside.is_dir():
        aside.rename(target)


def _aside(target: Path) -> Path:
    return target.parent / f".{target.name}.hf-old"


def _link(source: str, destination: str) -> str:
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, destination, follow_symlinks=False)
    return destination


def _working_folder_under(target: Path) -> Path | None:
    here = Path.cwd()
    return here if here.is_relative_to(target.resolve()) else None
