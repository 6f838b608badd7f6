"""Read: a checkpoint to the objects that are in it, and what it had to say on the way."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import torch
import transformers

from hf_magics.display.parts import Note
from hf_magics.display.progress import progress
from hf_magics.errors import HFMagicsError
from hf_magics.modeling import (
    adapters,
    architectures,
    checkpoints,
    field_sizes,
    fields,
    hub_cache,
    own_code,
    placement,
    preprocessors,
    quantizing,
    sharing,
)
from hf_magics.modeling.adapter_files import AdapterFiles, find_adapter
from hf_magics.modeling.adapters import Adapter
from hf_magics.modeling.adapting import put_on
from hf_magics.modeling.bars import Bar
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.config_files import read_config
from hf_magics.modeling.damage import check_indices, left_aside
from hf_magics.modeling.fetching import fetch
from hf_magics.modeling.load_options import (
    is_by_torch,
    refuse_gguf,
    refuse_quantized,
    refuse_reserved,
    subfolder_of,
)
from hf_magics.modeling.refusals import config_blamed, weights_error
from hf_magics.modeling.report import Report
from hf_magics.modeling.sizing import check_fits
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.watching import watched
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
    notes: tuple[str | Note, ...]
    fields: Fields
    auto: str
    adapter: Adapter | None


class Reader:
    """One pass from a spec to the objects; keeps the notes that come up on the way."""

    def __init__(self, spec: LoadSpec, tokenizer: Any, donor: LoadedModel | None = None) -> None:
        self.spec = spec
        self.given_tokenizer = tokenizer
        self.donor = donor  # whose backbone is shared
        self.notes: list[str] = []
        self._more: dict[str, Any] = {}  # arguments that quantisation adds
        self._adapter: AdapterFiles | None = None
        self._of_adapter: tuple[Note, ...] = ()

    def read(self) -> Read:
        """Return the objects of the checkpoint.

        Raises:
            HFMagicsError: Something of it is missing, unknown or unreadable.
        """
        with progress(f"loading {self.spec.source}"):  # one line for all that follows
            return self._read()

    def _read(self) -> Read:
        refuse_reserved(self.spec.extra)
        refuse_gguf(self.spec, self.spec.gguf)
        device = placement.resolve_device(self.spec.device)
        dtype = placement.resolve_dtype(self.spec.dtype)
        found = self._find()
        refuse_gguf(self.spec, found.gguf)
        self._adapter = self._find_adapter()
        config, typed = self._config(found)
        with config_blamed(found):
            chosen = self._class(config, found)
            if not self.donor:
                check_fits(chosen, config, dtype, self.spec)
        if typed and not _is_auto(chosen) and not found.gguf:
            with self._watched("sizing it"):
                architectures.build_on_meta(chosen, config, dtype or torch.float32)
        tokenizer = self._tokenizer(found, config)
        processor = self._processor(found, config)
        self._quantize(config, chosen, device)
        model, report = self._model(found, config, chosen, dtype)
        model, adapter = self._adapted(found, model)
        if found.kind == "hub" and not found.offline:
            hub_cache.remember(found.location, self.spec.revision, found.commit)
        if "device_map" not in dict(self.spec.extra):
            placement.move(model, device)
        self.notes += self._hindsight(found, model, tokenizer, processor, typed)
        said = placement.without_packed(model, [note for note in self.notes if note])
        auto = chosen.__name__ if _is_auto(chosen) else ""
        return Read(
            found,
            model,
            tokenizer,
            processor,
            report,
            (*said, *self._of_adapter),
            typed,
            auto,
            adapter,
        )

    def _find_adapter(self) -> AdapterFiles | None:
        if not self.spec.adapter:
            return None
        optional("peft", extra="peft")  # before anything large is read
        with self._watched(f"looking for {self.spec.adapter}"):
            return find_adapter(self.spec.adapter, offline=self.spec.offline)

    def _adapted(self, found: Checkpoint, model: Any) -> tuple[Any, Adapter | None]:
        if self._adapter is None:
            return model, None
        with self._watched(f"putting {self.spec.adapter} on"):
            model, made = put_on(model, self._adapter, merge=self.spec.merge)
        self._of_adapter = tuple(adapters.notes(made, found, model.dtype))
        return model, made

    def _find(self) -> Checkpoint:
        spec = self.spec
        with self._watched(f"looking for {spec.source}"):
            found = checkpoints.find(
                spec.source,
                revision=spec.revision,
                gguf=spec.gguf,
                subfolder=subfolder_of(spec),
                offline=spec.offline,
            )
        self.notes += found.notes
        return found

    def _config(self, found: Checkpoint) -> tuple[Any, Fields]:
        """Return the config with the user's fields set, and those fields as they were read."""
        with self._watched("reading the config"):
            config = read_config(found, trust_remote_code=self.spec.trust_remote_code)
        with config_blamed(found):
            typed = fields.resolve(config, dict(self.spec.fields))
            field_sizes.check_sizes(config, typed, loaded=True)
            fields.assign(config, typed)
        return config, typed

    def _class(self, config: Any, found: Checkpoint) -> Any:
        spec = self.spec
        if spec.trust_remote_code:
            auto = own_code.auto_class(config, task=spec.task, head=spec.head)
            if auto:
                return getattr(transformers, auto)
        # a GGUF file does not say what it was saved from; it is made for generation
        default = "AutoModelForCausalLM" if found.gguf else "AutoModel"
        task = spec.task or ("" if spec.head else adapters.task_for(self._adapter, config))
        chosen, note = architectures.choose_class(
            config, task=task, head=spec.head, default=default
        )
        self.notes.append(note)
        return chosen

    def _processor(self, found: Checkpoint, config: Any) -> Any:
        processor, note = preprocessors.load_processor(
            found, config.model_type, trust_remote_code=self.spec.trust_remote_code
        )
        self.notes.append(note)
        return processor

    def _hindsight(
        self, found: Checkpoint, model: Any, tokenizer: Any, processor: Any, typed: Fields
    ) -> list[str]:
        """Return what there is to say of the objects now that they are there."""
        own = tokenizer if self.given_tokenizer is None and not self.spec.tokenizer else None
        made = (model.config, model, own, processor)
        return [
            own_code.note(found, made, trusted=self.spec.trust_remote_code),
            architectures.labels_note(model, [name for name, _ in typed]),
            placement.slow_dtype_note(model),
            preprocessors.size_note(tokenizer, model),
            adapters.beside_note(found, self.spec.adapter),
            adapters.tokenizer_note(self._adapter, tokenizer),
            left_aside(found) if model.can_generate() else "",
        ]

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

    def _quantize(self, config: Any, chosen: Any, device: torch.device) -> None:
        quantize = self.spec.quantize
        if not quantize or not is_by_torch(self.spec):
            return  # an engine makes its own weights of the whole ones
        refuse_quantized(config, self.spec)

        def build() -> Any:
            if _is_auto(chosen):
                return torch.nn.Module()  # its class is not known before it is loaded
            return architectures.build_on_meta(chosen, config, torch.float32)

        with self._watched(f"importing what makes {quantize}"):
            made = quantizing.quantization_config(quantize, device, build)
        self._more = {
            "quantization_config": made,
            **quantizing.device_arguments(made, device),
        }

    def _model(self, found: Checkpoint, config: Any, chosen: Any, dtype: Any) -> tuple[Any, Report]:
        spec = self.spec
        extra = dict(spec.extra)
        _fetch_weights(found, extra)  # before the arguments: what is here is not asked for again
        location: str | None = found.location
        arguments = {**found.weight_arguments(extra), **extra, **self._more}
        arguments |= adapters.left_alone()
        if self.donor:
            location, arguments = None, sharing.arguments_for(chosen, config, found, self.donor)
        if spec.attn:
            arguments["attn_implementation"] = spec.attn
        if _is_auto(chosen) or spec.trust_remote_code:
            arguments["trust_remote_code"] = spec.trust_remote_code
        try:
            with self._watched(f"loading {spec.source}") as meter:
                model, info = chosen.from_pretrained(
                    location,
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
            raise weights_error(found, error, config) from error
        info, brought = adapters.filled(info, self._adapter)
        report = Report.of(model, info)
        if brought:
            report = dataclasses.replace(report, donor="the adapter")
        if self.donor:
            self.notes.append(sharing.adopt(model, self.donor))
            report = dataclasses.replace(report, donor=self.donor.name)
        return model, report

    def _watched(self, label: str) -> Any:
        return watched(label, notes=self.notes)


def _fetch_weights(found: Checkpoint, extra: Collection[str]) -> None:
    """Download the weights that a hub id needs: transformers takes a hub that fails for no file."""
    for file in found.weights(extra):
        fetch(found.location, found.commit, [file])
        if file.endswith(".json"):
            check_indices(found)
            shards = hub_cache.shards_of(found.path(PurePosixPath(file).name))
            folder = PurePosixPath(file).parent
            fetch(found.location, found.commit, sorted(str(folder / one) for one in shards))
    check_indices(found)


def _is_auto(chosen: Any) -> bool:
    return hasattr(chosen, "_model_mapping")
