"""Ask a model's tokenizer, which may fail in its own ways at a text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hf_magics.display.words import one_line
from hf_magics.errors import InputError
from hf_magics.modeling.store import LoadedModel


@contextlib.contextmanager
def asking(loaded: LoadedModel) -> Iterator[None]:
    """Let the block alone use a model's tokenizer; what that can't do with a text is one line.

    Raises:
        InputError: The tokenizer failed, by whatever its files had it do.
    """
    try:
        with loaded.lock:
            yield
    except BaseException as error:
        if not _of_tokenizers(error):
            raise
        why = one_line(error)[:300]
        raise InputError(
            f"the text can't be tokenised by the tokenizer of {loaded.name}: {why}"
        ) from error


def _of_tokenizers(error: BaseException) -> bool:
    """Say whether the tokenizers library raised it: it has no class of its own for that.

    Where its Rust code panics, at a pattern without end for one, the class is no ``Exception``.
    """
    name = type(error).__name__
    return type(error) is Exception or name in {"PanicException", "OverflowError"}
