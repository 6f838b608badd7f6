"""Load a GGUF file into llama.cpp."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_magics.display.numbers import size
from hf_magics.display.progress import progress
from hf_magics.engines.entering import enter, refuse_others
from hf_magics.engines.llamacpp import opening, snippets
from hf_magics.engines.llamacpp.opening import Header
from hf_magics.engines.llamacpp.quiet import library
from hf_magics.engines.llamacpp.writer import TEMPLATE, LlamaWriter
from hf_magics.errors import OptionError, SourceError
from hf_magics.modeling import checkpoints
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.damage import check_gguf
from hf_magics.modeling.elsewhere import About, EngineModel
from hf_magics.modeling.load_options import subfolder_of
from hf_magics.modeling.loading import last_part
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.store import Session
from hf_magics.settings import Settings
from hf_magics.snippets import from_home
from hf_magics.specs import LoadSpec

_TAKEN = ("engine", "gguf", "revision", "offline", "extra")
_CHOOSES = ("subfolder",)  # of the words, what says which file is meant


def load(
    spec: LoadSpec, session: Session, settings: Settings, *, tokenizer: Any = None
) -> ModelResult:
    """Load a GGUF file into llama.cpp and make it current.

    Args:
        spec: What to load.
        session: Where to.
        settings: What the spec leaves open.
        tokenizer: Refused, as the file has its own.

    Raises:
        MissingExtraError: llama-cpp-python is not installed.
        HFMagicsError: The file can't be had or read, or the line has options for torch; the
            session is as it was.
    """
    library()
    if spec.device not in {"", "cpu"}:
        raise OptionError(
            f"--device {spec.device} means nothing to llama.cpp: --set n_gpu_layers=-1 puts layers "
            "on a GPU, where it was built for one"
        )
    refuse_others(spec, "llama.cpp", (*_TAKEN, "device"), tokenizer)
    opening.check_words(_words(spec))
    spec = dataclasses.replace(spec, offline=spec.offline or settings.offline)
    return enter(spec, session, last_part(spec.source), _made)


def _made(spec: LoadSpec) -> tuple[EngineModel, tuple[str, ...]]:
    """Return the model, and notes for its page."""
    with progress(f"loading {spec.source}"):
        found = _find(spec)
        path = found.path(found.gguf)
        header = opening.read_header(path)
        opening.check_writes(header, path)
        words = {
            "n_ctx": opening.context_for(header),
            "n_threads": opening.threads(),
            **_words(spec),
        }
        opening.check_room(header, words)
        llama = opening.open_model(path, words)
    template = TEMPLATE in llama.metadata
    if template:
        llama.chat_format = snippets.CHAT_FORMAT
    resolved = dataclasses.replace(
        spec, source=found.location, revision=found.commit, gguf=found.gguf
    )
    given = from_home(spec.source)
    writer = LlamaWriter(llama, spec.name, given if Path(given).is_file() else str(path), words)
    about = _about(llama, header, template=template)
    return (
        EngineModel.of(resolved, found.origin(), writer, about),
        (*found.notes, *_notes(llama, header, spec)),
    )


def _find(spec: LoadSpec) -> Checkpoint:
    found = checkpoints.find(
        spec.source,
        revision=spec.revision,
        gguf=spec.gguf,
        subfolder=subfolder_of(spec),
        offline=spec.offline,
    )
    if not found.gguf:
        there = sorted(name for name in found.files if name.endswith(".gguf"))
        way = f"--gguf {there[0]} takes that one" if there else "leave out --engine"
        raise SourceError(f"'{spec.source}' is no GGUF file, which llama.cpp runs: {way}")
    check_gguf(found)
    return found


def _words(spec: LoadSpec) -> Mapping[str, Any]:
    return {name: value for name, value in spec.extra if name not in _CHOOSES}


def _about(llama: Any, header: Header, *, template: bool) -> About:
    native, model = library(), llama.model
    kind = llama.metadata.get("general.architecture", "model")
    stored = _description(native, model).rpartition(" ")[2]
    context = opening.context_of(llama)
    return About(
        head=f"llama.cpp {kind}",
        runs="runs in llama.cpp",
        instead="%hf_load FILE.gguf without --engine loads the torch model",
        parameters=int(native.llama_model_n_params(model)),
        memory_bytes=int(native.llama_model_size(model)),
        dtype=stored,
        device="cpu" if not native.llama_supports_gpu_offload() else "",
        tokenizer=f"llama.cpp's own, {llama.n_vocab():,} entries",
        more=(
            ("context", f"{context:,} tokens, trained for {header.trained:,}"),
            ("keys and values", f"{size(context * header.token_bytes)} of memory when it is full"),
            ("threads", str(llama.n_threads)),
            ("chat template", "the file's own" if template else "none: %%hf_generate writes on"),
        ),
    )


def _description(native: Any, model: Any) -> str:
    room = native.ctypes.create_string_buffer(256)
    native.llama_model_desc(model, room, len(room))
    return str(room.value.decode("utf-8", "replace"))


def _notes(llama: Any, header: Header, spec: LoadSpec) -> list[str]:
    context, asked = opening.context_of(llama), "n_ctx" in dict(spec.extra)
    said = []
    if not asked and context < header.trained:
        said.append(
            f"a context of {context:,} tokens is what a quarter of the free memory holds, of "
            f"{header.trained:,}: --set n_ctx=N takes another"
        )
    if asked and header.trained and context > header.trained:
        said.append(
            f"a context of {context:,} tokens is more than the {header.trained:,} that the model "
            "was trained for: what it writes that far on may be worse"
        )
    return said
