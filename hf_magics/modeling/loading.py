"""Load: a source to a model with its tokenizer, and what the checkpoint had to say."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from transformers import PreTrainedModel

from hf_magics.display.parts import Note
from hf_magics.errors import InputError
from hf_magics.modeling import adapting, placement, preprocessors, sharing
from hf_magics.modeling.again import find_same
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.reading import Read, Reader
from hf_magics.modeling.results import ModelResult
from hf_magics.modeling.sentence import read_sentence
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.weights import weights_mark
from hf_magics.settings import Settings
from hf_magics.specs import LoadSpec


def load(
    spec: LoadSpec,
    session: Session,
    settings: Settings,
    *,
    tokenizer: Any = None,
    prepare: Callable[[LoadedModel], Sequence[str]] | None = None,
) -> ModelResult:
    """Load a checkpoint into the session and make it current.

    The same spec again, with files and weights unchanged, gives the model that is there.

    Args:
        spec: What to load.
        session: Where to.
        settings: What the spec leaves open.
        tokenizer: A tokenizer object in place of the checkpoint's own.
        prepare: Called with the model before it is in the session: an engine takes it over. It
            returns notes for the page; where it raises, nothing was loaded.

    Raises:
        HFMagicsError: The source, class, fields, tokenizer, device or name can't be had; the
            session is as it was.
    """
    started = time.perf_counter()
    spec = _with_defaults(spec, settings)
    there = find_same(spec, session, tokenizer)
    if there is not None:
        session.use(there.name)
        return ModelResult.of(there, seconds=time.perf_counter() - started, already=True)
    name = session.choose_name(spec.name, last_part(spec.source), replace=spec.replace)
    donor = sharing.donor_for(spec, session)
    read = Reader(sharing.as_donor(spec, donor), tokenizer, donor).read()
    sentence, note = read_sentence(read.checkpoint)
    loaded = LoadedModel(
        name=name,
        model=read.model,
        tokenizer=read.tokenizer,
        processor=read.processor,
        origin=read.checkpoint.origin(),
        spec=_resolved(spec, name, read),
        asked=spec,
        random=read.report.random_modules,
        not_finite=(*read.report.not_finite, *(read.adapter.not_finite if read.adapter else ())),
        reshaped=tuple(name for name, _, _ in read.report.mismatched),
        weights_mark=weights_mark(read.model),
        tokenizer_given=tokenizer is not None and not spec.tokenizer,
        sentence=sentence,
        adapter=read.adapter,
    )
    said = prepare(loaded) if prepare else ()
    session.add(loaded, *pieces_of(loaded))
    return ModelResult.of(
        loaded,
        seconds=time.perf_counter() - started,
        report=read.report,
        notes=(*read.notes, *filter(None, [note]), *said, *_engine_notes(read)),
    )


def add(
    model: Any,
    tokenizer: Any,
    name: str,
    session: Session,
    *,
    variable: str = "",
    replace: bool = False,
) -> ModelResult:
    """Put a model that is already in memory into the session, as it is.

    Raises:
        InputError: It is no transformers model.
        TokenizerError: ``tokenizer`` is no tokenizer.
        SessionNameError: The name is taken by another model.
    """
    model, adapter = adapting.taken_off(model)
    if not isinstance(model, PreTrainedModel):
        raise InputError(f"a transformers model is needed, not {type(model).__name__}")
    where, tokenizer = session.tokenizer_named(tokenizer)
    tokenizer, processor = preprocessors.parted(tokenizer)
    note = ""
    entries = [one for one in map(session.get, session) if one.torch_model is model]
    for held in entries:
        same_tokenizer = tokenizer is held.tokenizer or bool(where and held.spec.tokenizer == where)
        same = same_tokenizer and processor in (None, held.processor)
        if same and name in {"", held.name}:
            return ModelResult.of(session.use(held.name), already=True)
    if where and tokenizer is None:
        tokenizer, note = preprocessors.find_tokenizer(where, model_type=model.config.model_type)
    preprocessors.check_tokenizer(tokenizer)
    shown = variable or name or "model"
    spec = LoadSpec("", name, tokenizer=where, variable=shown, replace=replace)
    chosen = session.choose_name(name, variable or model.config.model_type, replace=replace)
    loaded = LoadedModel(
        name=chosen,
        model=model,
        tokenizer=tokenizer,
        processor=processor,
        origin=Origin("notebook", spec.variable),
        spec=dataclasses.replace(spec, name=chosen, head=type(model).__name__),
        asked=spec,
        random=next((one.random for one in entries if one.random), ()),
        weights_mark=weights_mark(model),
        tokenizer_given=tokenizer is not None and not where,
        adapter=adapter,
    )
    session.add(loaded, *pieces_of(loaded))
    return ModelResult.of(loaded, notes=(note,) if note else ())


def _with_defaults(spec: LoadSpec, settings: Settings) -> LoadSpec:
    return dataclasses.replace(
        spec,
        device=spec.device or settings.device,
        dtype=spec.dtype or settings.dtype,
        attn=spec.attn or settings.attn,
        offline=spec.offline or settings.offline,
    )


def _engine_notes(read: Read) -> tuple[Note, ...]:
    """Say of a GGUF file what else runs it, and how that is had."""
    if not read.checkpoint.gguf:
        return ()
    missing = find_spec("llama_cpp") is None
    way = "; pip install 'hf-magics[llamacpp]' brings it" if missing else ""
    return (
        Note(
            "--engine llamacpp runs this file in llama.cpp, which starts in a fraction of the time "
            f"and writes faster on a CPU{way}",
            "info",
        ),
    )


def _resolved(spec: LoadSpec, name: str, read: Read) -> LoadSpec:
    return dataclasses.replace(
        spec,
        name=name,
        source=read.checkpoint.location,
        head=read.auto or type(read.model).__name__,
        revision=read.checkpoint.commit,
        gguf=read.checkpoint.gguf,
        dtype=placement.dtype_name(read.model.dtype),
        device=str(read.model.device),
        fields=read.fields,
    )


def last_part(source: str) -> str:
    """Return what a source is called in the session, where the line does not say."""
    last = source.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return last.removesuffix(".gguf")
