"""The files of an adapter: found, and their settings checked before peft acts on them.

A stranger may have written them. By some of their settings peft imports any module or takes other
adapters from anywhere: those are refused, and so is a rank that no weight of the file has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors import safe_open

from hf_magics.display.words import nearest, one_line, sentence_list, shortened
from hf_magics.errors import SourceError
from hf_magics.modeling import checkpoints
from hf_magics.modeling.checkpoints import ADAPTER_CONFIG, Checkpoint
from hf_magics.modeling.damage import damaged, json_object
from hf_magics.modeling.fetching import fetch

_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")  # in the order that peft has
_PREFIX = "base_model.model."
_KINDS = (
    *("LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "VERA", "FOURIERFT", "HRA"),
    *("LN_TUNING", "RANDLORA", "MISS", "SHIRA", "VBLORA"),
)
"""The kinds that are a part of a model's layers, so that the model stays of its class."""

_REFUSED = ("megatron_config", "arrow_config", "layer_replication")
EMBEDDINGS = ("embed_tokens", "lm_head")  # the names by which peft knows them
_TASKS = {
    "SEQ_CLS": "text-classification",
    "TOKEN_CLS": "token-classification",
    "QUESTION_ANS": "question-answering",
    "CAUSAL_LM": "text-generation",
    "SEQ_2_SEQ_LM": "text2text-generation",
}


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter that was found: its settings, and the shape of each weight by its name.

    The names are those of the model's modules, without peft's prefix.
    """

    found: Checkpoint
    settings: Mapping[str, Any]
    weights: str
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def folder(self) -> str:
        """Where the files lie on this disk."""
        return str(self.found.path(""))

    @property
    def kind(self) -> str:
        """The kind of adapter, as peft calls it: ``LORA``."""
        return str(self.settings["peft_type"])

    @property
    def base(self) -> str:
        """What it was trained on, ``""`` where it does not say."""
        return _text(self.settings.get("base_model_name_or_path"))

    @property
    def task(self) -> str:
        """The task whose head it was trained with, ``""`` where it does not say."""
        return _TASKS.get(_text(self.settings.get("task_type")), "")

    @property
    def whole(self) -> tuple[str, ...]:
        """The modules that it brings whole, such as a head."""
        asked = self.settings.get("modules_to_save") or ()
        parts = {part for name in self.shapes for part in name.split(".")}
        return tuple(one for one in asked if one in parts)

    @property
    def has_embeddings(self) -> bool:
        """Whether the model's embeddings are among the weights, unasked: they were made larger."""
        asked = self.settings.get("modules_to_save") or ()
        names = {name.removesuffix(".weight").rpartition(".")[2] for name in self.shapes}
        return not names.isdisjoint(set(EMBEDDINGS) - set(asked))

    @property
    def file(self) -> str:
        """Name the file of the weights in a sentence."""
        return f"{self.weights} of '{self.found.path_or_id}'"


def find_adapter(word: str, *, offline: bool = False) -> AdapterFiles:
    """Return the adapter at a folder or a hub id, its weights downloaded.

    Raises:
        SourceError: There is none, or it can't be read or used; the file is named.
        HubError: The hub has none of that name, refuses it, or can't be reached.
    """
    found = checkpoints.find_files(word, offline=offline)
    weights = next((name for name in _WEIGHTS if name in found.files), "")
    _check_there(found, weights)
    settings = json_object(found, found.path(ADAPTER_CONFIG))
    _check_settings(found, settings)
    if found.kind == "hub" and not found.offline:
        fetch(found.location, found.commit, [str(PurePosixPath(found.subfolder) / weights)])
    if said := damaged(found, (weights,)):
        raise SourceError(said)
    shapes = dict(_shapes(found.path(weights)))
    _check_rank(found, settings, shapes)
    return AdapterFiles(found, settings, weights, shapes)


def _check_there(found: Checkpoint, weights: str) -> None:
    where = f"'{found.path_or_id}'"
    if ADAPTER_CONFIG not in found.files:
        way = " is a whole model: %hf_load loads it without --adapter"
        other = f" has no {ADAPTER_CONFIG}; it holds: {sentence_list(sorted(found.files))}"
        raise SourceError(f"{where} is no adapter: it{way if found.has('config.json') else other}")
    if not weights:
        raise SourceError(f"{where} has no {' or '.join(_WEIGHTS)}: its weights are not there")


def _check_settings(found: Checkpoint, settings: Mapping[str, Any]) -> None:
    """Refuse a kind that can't be put on a model as it is, and settings that lead elsewhere."""
    kind, named = settings.get("peft_type"), f"{ADAPTER_CONFIG} of '{found.path_or_id}'"
    if not isinstance(kind, str) or kind not in _KINDS:
        close = nearest(str(kind), _KINDS)
        raise SourceError(
            f"{named} is of the kind {_quoted(kind)}, which is not put on here{close}; these are: "
            f"{sentence_list(_KINDS, most=len(_KINDS))}"
        )
    for name in ("lora_alpha", "alpha"):
        value = settings.get(name)
        if value is not None and not (isinstance(value, (int, float)) and math.isfinite(value)):
            raise SourceError(f"{named} has {name}={_quoted(value)}, which is no number")
    for name in _REFUSED:
        if settings.get(name):
            raise SourceError(
                f"{named} has {name}, by which peft imports a module, takes other adapters or "
                "copies layers: it is not put on"
            )


def _check_rank(
    found: Checkpoint, settings: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse a rank that no weight has: peft makes room for it before it looks at one."""
    patterns = settings.get("rank_pattern")
    ranks = [settings.get("r"), *(patterns.values() if isinstance(patterns, dict) else ())]
    largest = max((one for shape in shapes.values() for one in shape), default=0)
    for rank in ranks:
        if rank is not None and (not isinstance(rank, int) or not 0 <= rank <= largest):
            raise SourceError(
                f"{ADAPTER_CONFIG} of '{found.path_or_id}' has the rank {_quoted(rank)}, and the "
                f"largest size among its weights is {largest:,}"
            )


def _shapes(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - a file has no other way
                yield name.removeprefix(_PREFIX), tuple(file.get_slice(name).get_shape())
        return
    state = torch.load(path, map_location="meta", weights_only=True)
    if not isinstance(state, dict) or not all(hasattr(one, "shape") for one in state.values()):
        raise SourceError(f"'{path}' holds no weights by name")
    yield from ((str(name).removeprefix(_PREFIX), tuple(one.shape)) for name, one in state.items())


def _quoted(value: object) -> str:
    return f"'{shortened(one_line(value), _LONGEST)}'"


_LONGEST = 60


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""
