"""A GGUF file to a ``Llama``: what is in it, how long a context fits, and what it can't do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hf_magics.display.numbers import size
from hf_magics.display.words import nearest, one_line
from hf_magics.engines.llamacpp.quiet import library, quiet, reason
from hf_magics.errors import FitError, HeadError, OptionError, SourceError
from hf_magics.modeling.placement import available

_MAGIC = b"GGUF"
_SHARE = 4  # of the memory that is free, a quarter may hold keys and values
_LEAST = 512
_MOST = 2**31
_LARGEST = 3.4028234663852886e38  # of float32, in which llama.cpp takes it
_OURS = {
    **dict.fromkeys(("self", "kwargs"), "it is no argument"),
    "model_path": "the source says which file",
    "verbose": "what llama.cpp logs has no place in a cell",
    "logits_all": "the page has the probabilities of each token without it",
    "seed": "%%hf_generate --seed N draws repeatably",
    **dict.fromkeys(
        ("chat_format", "chat_handler", "tokenizer"),
        "the chat template and the tokenizer are the file's own",
    ),
    # a path that is wrong ends the process there, not the line
    **dict.fromkeys(("lora_path", "lora_base", "lora_scale"), "merge the adapter into the file"),
}
_COUNTS = ("n_ctx", "n_batch", "n_ubatch", "n_threads", "n_threads_batch", "last_n_tokens_size")
_FREE = (
    *(
        "n_gpu_layers",
        "main_gpu",
        "use_mmap",
        "use_mlock",
        "offload_kqv",
        "flash_attn",
        "op_offload",
    ),
    *("swa_full", "numa", "rope_freq_base", "rope_freq_scale"),
)
"""What is passed on: of the others llama.cpp ends the process where a value is out of its range."""


@dataclass(frozen=True)
class Header:
    """What a file says before its weights are read.

    ``trained`` is the context in tokens, 0 where it is not said; ``token_bytes`` are the keys and
    values of one token; ``writes`` says that it is a decoder.
    """

    trained: int
    token_bytes: int
    writes: bool


def check_words(words: Mapping[str, Any]) -> None:
    """Refuse what ``Llama`` does not take, or is not the line's to give.

    Raises:
        OptionError: Naming it.
    """
    known = (*_COUNTS, *_FREE)
    for name, value in words.items():
        if name in _OURS:
            raise OptionError(f"--set {name}: {_OURS[name]}")
        if name not in known:
            raise OptionError(
                f"--set {name} is not passed to llama.cpp{nearest(name, known)}; "
                f"these are: {', '.join(known)}"
            )
        if name in _COUNTS and (type(value) is not int or not 1 <= value < _MOST):
            raise OptionError(f"--set {name}={value}: a whole number is needed, from 1 on")
        if name in _FREE and not isinstance(value, (bool, int, float)):
            raise OptionError(f"--set {name}={value}: a number, true or false is needed")
        if name in _FREE and not abs(value) <= _LARGEST:  # NaN is no number of any size
            raise OptionError(f"--set {name}={value}: a finite number is needed, or leave it out")


def read_header(path: Path) -> Header:
    """Return what a file says of itself, read without its weights.

    Raises:
        SourceError: It is no GGUF file, it is cut off, or llama.cpp does not know what is in it.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise SourceError(f"'{path}' is no GGUF file, whatever its name says")
    llama = library()
    params = llama.llama_model_default_params()
    params.vocab_only = True
    with quiet() as errors:
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise _unreadable(path, errors)
        try:
            return _header(llama, model)
        finally:
            llama.llama_model_free(model)


def context_for(header: Header) -> int:
    """Return how many tokens a context has: what the model was trained for, if there is room."""
    room = available(torch.device("cpu")) // _SHARE
    fits = max(_LEAST, room // max(1, header.token_bytes))
    return int(min(header.trained or fits, fits))


def check_room(header: Header, words: Mapping[str, Any]) -> None:
    """Refuse a context whose keys and values the memory can't hold.

    llama.cpp fills them with zeros layer by layer, until there is no memory left.

    Raises:
        FitError: Naming what is needed, and what there is.
    """
    if words.get("n_gpu_layers") and words.get("offload_kqv", True):
        return  # they are on the GPU, of which llama.cpp knows at once
    needed, room = words["n_ctx"] * header.token_bytes, available(torch.device("cpu"))
    if needed > room:
        raise FitError(
            f"there is no room for a context of {words['n_ctx']:,} tokens: it takes {size(needed)} "
            f"and {size(room)} are free; --set n_ctx=N takes fewer"
        )


def open_model(path: Path, words: Mapping[str, Any]) -> Any:
    """Return the ``Llama``.

    Raises:
        SourceError: llama.cpp can't read the file.
        FitError: There is no room for it.
        OptionError: ``Llama`` does not take the words.
    """
    with quiet() as errors:
        try:
            return library().Llama(str(path), verbose=False, **words)
        except (TypeError, AttributeError) as error:
            raise OptionError(f"llama.cpp does not take this: {one_line(error)[:300]}") from error
        except (ValueError, RuntimeError, AssertionError, MemoryError) as error:
            if "context" in str(error) or isinstance(error, MemoryError):
                batch = ", --set n_batch=N too" if "n_batch" in words else ""
                raise FitError(
                    f"there is no room for a context of {words['n_ctx']:,} tokens: "
                    f"--set n_ctx=N takes fewer{batch}"
                ) from error
            raise _unreadable(path, errors) from error


def context_of(llama: Any) -> int:
    """Return how many tokens a ``Llama`` has room for.

    llama.cpp fills a context up to a multiple of 256; the ``Llama`` has arrays of what was asked.
    """
    return int(min(llama.n_ctx(), len(llama.input_ids)))


def threads() -> int:
    """Return on how many threads to compute: as many as torch does."""
    return torch.get_num_threads()


def _header(llama: Any, model: Any) -> Header:
    kind = _value(llama, model, "general.architecture")

    def number(key: str, otherwise: int) -> int:
        # llama.cpp's own functions for these end the process where no weights were read
        found = re.findall(r"\d+", _value(llama, model, f"{kind}.{key}"))  # some have one a layer
        return max(map(int, found), default=otherwise)

    heads = number("attention.head_count", 1)
    length = number("attention.key_length", number("embedding_length", 0) // max(1, heads))
    width = length * number("attention.head_count_kv", heads)
    two_of_two_bytes = 2 * 2
    return Header(
        number("context_length", 0),
        two_of_two_bytes * width * number("block_count", 0),
        _value(llama, model, f"{kind}.attention.causal") != "false"
        and not llama.llama_model_has_encoder(model),
    )


def _value(llama: Any, model: Any, key: str) -> str:
    room = llama.ctypes.create_string_buffer(256)
    length = llama.llama_model_meta_val_str(model, key.encode(), room, len(room))
    return room.value.decode("utf-8", "replace") if length >= 0 else ""


def check_writes(header: Header, path: Path) -> None:
    """Refuse a model that reads only.

    Raises:
        HeadError: It is no decoder.
    """
    if not header.writes:
        raise HeadError(
            f"'{path.name}' is no decoder, and --engine llamacpp only writes text: "
            "%hf_load without --engine loads it"
        )


def _unreadable(path: Path, errors: list[str]) -> SourceError:
    why = reason(errors, "it may be damaged or cut off")
    return SourceError(f"llama.cpp can't read '{path}' ({size(path.stat().st_size)}): {why}")
