"""What llama.cpp logs: kept out of the cell, and kept for the one line that says why it failed."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

from hf_magics.display.words import one_line
from hf_magics.optional import optional

_ERROR = 4  # ggml's own number
_SAYS_NOTHING = ("failed to load model", "llama_model_load_from_file")


def library() -> Any:
    """Return llama-cpp-python.

    Raises:
        MissingExtraError: It is not installed.
    """
    return optional("llama_cpp", extra="llamacpp")


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what is logged in the block; yields its errors.

    What comes up inside a callback, an interrupt too, can't leave it: it is raised at the end.
    """
    llama = library()
    errors: list[str] = []
    caught: list[BaseException] = []

    def note(level: int, text: bytes, _: Any) -> None:
        try:
            if level == _ERROR:
                errors.append(text.decode("utf-8", "replace").strip())
        except BaseException as error:  # noqa: BLE001 - raised below
            caught.append(error)

    callback = llama.llama_log_callback(note)
    llama.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield errors
    finally:
        llama.llama_log_set(llama._logger.llama_log_callback, ctypes.c_void_p(0))  # noqa: SLF001 - its own
    if caught:
        raise caught[0]


def reason(errors: list[str], otherwise: str) -> str:
    """Return the first error that says something."""
    telling = [one for one in errors if not any(one.endswith(empty) for empty in _SAYS_NOTHING)]
    said = (telling or [otherwise])[0]
    return one_line(said.rpartition("error loading model: ")[2])[:300]
