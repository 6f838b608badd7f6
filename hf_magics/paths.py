"""Words that are paths of files and folders, or can't be."""

from __future__ import annotations

import errno
from pathlib import Path

from hf_magics.errors import HFMagicsError, InputError

_SHOWN = 40


def path_of(word: str | Path, refusal: type[HFMagicsError] = InputError) -> Path:
    """Return the path that a word is, there or not; ``~`` is the home folder.

    The disk is asked at once: else each further question to it could fail in a way of its own.

    Raises:
        HFMagicsError: Nothing on a disk can be called so; an error of the class ``refusal``.
    """
    try:
        path = Path(word).expanduser()
        path.lstat()
    except UnicodeEncodeError as error:
        raise refusal(f"{_named(word)} it holds half of a surrogate pair") from error
    except (ValueError, RuntimeError) as error:  # a NUL, the home folder of nobody
        raise refusal(f"{_named(word)} {error}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise refusal(f"{_named(word)} it is too long") from error
    return path


def _named(word: str | Path) -> str:
    text = str(word)
    return f"'{text if len(text) <= _SHOWN else f'{text[:_SHOWN]}…'}' is no path:"
