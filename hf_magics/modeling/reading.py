"""Read: a checkpoint to the objects that are in it, and what it had to say on the way."""

from __future__ import annotations

import functools
import pickle
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers import AutoConfig

from hf_magics.display.progress import progress
from hf_magics.display.words import nearest, one_line
from hf_magics.errors import ConfigError, HFMagicsError, HubError, OptionError, SourceError
from hf_magics.modeling import (
    architectures,
    checkpoints,
    fields,
    hub,
    hub_cache,
    placement,
    preprocessors,
)
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.report import Report
from hf_magics.modeling.watching import Bar, watched
from hf_magics.optional import optional
from hf_magics.specs import Fields, LoadSpec


@dataclass(frozen=True)
class Read:
    """What came out of a checkpoint."""

    checkpoint: Checkpoint
    model: Any
    tokenizer: Any
    processor: Any
    report: Report
    notes: tuple[str, ...]
    fields: Fields
    auto: str


class Reader:
    """One pass from a spec to the objects; keeps the notes that come up on the way."""

    def __init__(self, spec: LoadSpec, tokenizer: Any) -> None:
        self.spec = spec
        self.given_tokenizer = tokenizer
        self.notes: list[str] = []

    def read(self) -> Read:
        """Return the objects of the checkpoint.

        Raises:
            HFMagicsError: Something of it is missing, unknown or unreadable.
        """
        with progress(f"loading {self.spec.source}"):  # one line for all that follows
            return self._read()

    def _read(self) -> Read:
        spec = self.spec
        _refuse_reserved(spec.extra)
        device = placement.resolve_device(spec.device)
        dtype = placement.resolve_dtype(spec.dtype)
        with self._watched(f"looking for {spec.source}"):
            found = checkpoints.find(
                spec.source,
                revision=spec.revision,
                gguf=spec.gguf,
                subfolder=str(dict(spec.extra).get("subfolder", "")),
                offline=spec.offline,
            )
        self.notes += found.notes
        config = self._config(found)
        typed = fields.resolve(config, dict(spec.fields))
        fields.check_sizes(config, typed, loaded=True)
        fields.assign(config, typed)
        chosen, note = self._class(config, found)
        if typed and not _is_auto(chosen) and not found.gguf:
            with self._watched("sizing it"):
                architectures.build_on_meta(chosen, config, dtype or torch.float32)
        self.notes.append(note)
        tokenizer = self._tokenizer(found, config)
        processor, note = preprocessors.load_processor(
            found, config.model_type, trust_remote_code=spec.trust_remote_code
        )
        self.notes.append(note)
        model, report = self._model(found, config, chosen, dtype)
        if found.kind == "hub" and not found.offline:
            hub_cache.remember(found.location, spec.revision, found.commit)
        if "device_map" not in dict(spec.extra):
            placement.move(model, device)
        self.notes += [placement.slow_dtype_note(model), preprocessors.size_note(tokenizer, model)]
        notes = tuple(note for note in self.notes if note)
        auto = chosen.__name__ if _is_auto(chosen) else ""
        return Read(found, model, tokenizer, processor, report, notes, typed, auto)

    def _config(self, found: Checkpoint) -> Any:
        with self._watched("reading the config"):
            return read_config(found, trust_remote_code=self.spec.trust_remote_code)

    def _class(self, config: Any, found: Checkpoint) -> tuple[Any, str]:
        spec = self.spec
        auto = architectures.auto_class_of_its_code(config, task=spec.task, head=spec.head)
        if spec.trust_remote_code and auto:
            where = config.auto_map[auto]
            note = f"the class comes with the checkpoint ({where}): its code was run"
            return getattr(transformers, auto), note
        # a GGUF file does not say what it was saved from; it is made for generation
        default = "AutoModelForCausalLM" if found.gguf else "AutoModel"
        return architectures.choose_class(config, task=spec.task, head=spec.head, default=default)

    def _tokenizer(self, found: Checkpoint, config: Any) -> Any:
        spec = self.spec
        if self.given_tokenizer is not None:
            preprocessors.check_tokenizer(self.given_tokenizer)
            return self.given_tokenizer
        with self._watched("loading the tokenizer"):
            if spec.tokenizer:
                tokenizer, note = preprocessors.find_tokenizer(
                    spec.tokenizer, model_type=config.model_type, offline=spec.offline
                )
            else:
                tokenizer, note = preprocessors.load_tokenizer(
                    found, trust_remote_code=spec.trust_remote_code
                )
        self.notes.append(note)
        return tokenizer

    def _model(self, found: Checkpoint, config: Any, chosen: Any, dtype: Any) -> tuple[Any, Report]:
        spec = self.spec
        extra = dict(spec.extra)
        weights = found.weights(extra)
        if weights:  # transformers would take a hub that fails for a file that is missing
            hub.fetch(found.location, found.commit, weights)
        arguments = {**found.weight_arguments(extra), **extra}
        if spec.attn:
            arguments["attn_implementation"] = spec.attn
        if _is_auto(chosen):
            arguments["trust_remote_code"] = spec.trust_remote_code
        try:
            with self._watched(f"loading {spec.source}") as meter:
                model, info = chosen.from_pretrained(
                    found.location,
                    config=config,
                    dtype=dtype or "auto",
                    ignore_mismatched_sizes=True,  # the report says which, and that they are random
                    output_loading_info=True,
                    tqdm_class=functools.partial(Bar, meter=meter),
                    **arguments,
                )
        except HFMagicsError:
            raise
        except Exception as error:
            raise _weights_error(found, error, config) from error
        return model, Report.of(model, info)

    def _watched(self, label: str) -> Any:
        return watched(label, notes=self.notes)


_RESERVED = {
    "revision": "--revision",
    "dtype": "--dtype",
    "torch_dtype": "--dtype",
    "attn_implementation": "--attn",
    "gguf_file": "--gguf",
    "trust_remote_code": "--trust-remote-code",
    "local_files_only": "--offline",
    "config": "FIELD=VALUE",
}
_ALWAYS = {"tqdm_class", "output_loading_info", "ignore_mismatched_sizes", "state_dict"}


def _refuse_reserved(extra: Fields) -> None:
    """Refuse arguments that have an option here: the page would not know of them."""
    for name, _ in extra:
        if name in _RESERVED:
            raise OptionError(f"--set {name}: that is {_RESERVED[name]} here")
        if name in _ALWAYS:
            raise OptionError(f"--set {name}: that is set by the load itself")


def _is_auto(chosen: Any) -> bool:
    return hasattr(chosen, "_model_mapping")


_FOR_GGUF = ("gguf", "accelerate")


def read_config(found: Checkpoint, *, trust_remote_code: bool = False) -> Any:
    """Return the config of a checkpoint.

    Raises:
        SourceError: It can't be read, its type is unknown, or it comes with code that is not
            trusted.
        MissingExtraError: It is a GGUF file, and what reads those is not installed.
    """
    for module in _FOR_GGUF if found.gguf else ():
        optional(module, extra="gguf")  # transformers' own words name no extra
    try:
        return AutoConfig.from_pretrained(
            found.location, trust_remote_code=trust_remote_code, **found.arguments()
        )
    except Exception as error:
        raise _config_error(found, error, trusted=trust_remote_code) from error


def _hub_error(found: Checkpoint, error: Exception) -> HubError | None:
    if found.kind != "hub":
        return None
    return hub.download_error(error, found.location, found.commit)


def _not_cached(found: Checkpoint) -> HubError | None:
    if not found.offline or found.is_cached():
        return None
    return HubError(
        f"the weights of '{found.location}' at the commit {found.commit[:12]} are not in the "
        "cache: load it once with the hub in reach"
    )


def _config_error(found: Checkpoint, error: Exception, *, trusted: bool) -> HFMagicsError:
    text = one_line(error)
    if (problem := _hub_error(found, error)) is not None:
        return problem
    if "trust_remote_code" in text and not trusted:
        return SourceError(
            f"'{found.location}' comes with code of its own, which is not run unasked: read it, "
            "then --trust-remote-code"
        )
    named = found.read_json("config.json").get("model_type")
    if named and not architectures.is_model_type(str(named)):
        known = nearest(str(named), architectures.model_types())
        return SourceError(
            f"'{found.location}' is of the type '{named}', which transformers "
            f"{transformers.__version__} does not have{known}"
        )
    return SourceError(f"the config of '{found.path_or_id}' can't be read: {text}")


def _weights_error(found: Checkpoint, error: Exception, config: Any) -> HFMagicsError:
    text = one_line(error)
    if (problem := _not_cached(found) or _hub_error(found, error)) is not None:
        return problem
    if isinstance(error, ImportError):
        return SourceError(f"'{found.location}' needs a package that is not here: {text}")
    if isinstance(error, TypeError) and "unexpected keyword" in text:
        return ConfigError(_unexpected(text, config))
    if "attn_implementation" in text:
        return OptionError(
            f"{text.partition('. ')[0]}: --attn takes eager, sdpa, flash_attention_2, …"
        )
    return _damage(found, error)


def _damage(found: Checkpoint, error: Exception) -> SourceError:
    """Say what is wrong with the files of the weights."""
    text = one_line(error)
    if pointers := found.pointers():
        return SourceError(
            f"{pointers[0]} of '{found.path_or_id}' is a pointer and not the weights: "
            "git lfs pull, in that folder, downloads them"
        )
    if isinstance(error, pickle.UnpicklingError):
        text = "its weights are damaged, or hold more than tensors"
    return SourceError(f"'{found.path_or_id}' can't be loaded: {text}")


def _unexpected(text: str, config: Any) -> str:
    name = text.rpartition("argument ")[2].strip("'")
    if name in fields.known_fields(config):
        return f"{name} is a field of the config: write {name}=VALUE without --set"
    return f"from_pretrained does not take what --set gave: {text}"
