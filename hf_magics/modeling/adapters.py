"""Adapters: what is on a model or folded into it, what a page says of that, and the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from hf_magics.display.numbers import count, plural
from hf_magics.display.parts import Note
from hf_magics.display.words import sentence_list
from hf_magics.errors import HFMagicsError
from hf_magics.modeling.adapter_files import AdapterFiles
from hf_magics.modeling.architectures import tasks_of
from hf_magics.modeling.checkpoints import ADAPTER_CONFIG, Checkpoint
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.verdicts import not_finite_verdict
from hf_magics.paths import path_of
from hf_magics.snippets import Name, Snippet, call

NAME = "default"  # peft's own, where none is given
UNASKED: dict[str, Any] = {"adapter_kwargs": {"subfolder": ".none"}}
"""What keeps ``from_pretrained`` from the adapter that a checkpoint has beside its weights.

Where peft is installed, it puts that on without a word, and takes the base from wherever its
settings say. It looks for it in a subfolder that no checkpoint has.
"""
_MOST_NAMED = 4


@dataclass(eq=False)
class Adapter:
    """What was put on a model, in numbers and strings, and peft's model around it.

    ``wrapped`` is None once it is folded into the weights. ``missing`` are weights of it that its
    file does not have, ``unused`` those that the model has no place for; ``nowhere`` are modules
    that it names and the model does not have, ``whole`` those that it brings whole.
    ``embeddings`` says that its file has the model's embeddings as well, ``not_finite`` which of
    its weights have a NaN or an infinity.
    """

    origin: Origin
    kind: str
    settings: Mapping[str, Any]
    modules: tuple[str, ...]
    parameters: int
    share: float
    base: str
    wrapped: Any
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    nowhere: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    embeddings: bool = False
    not_finite: tuple[str, ...] = ()

    @property
    def merged(self) -> bool:
        """Whether it is folded into the weights."""
        return self.wrapped is None

    def words(self) -> str:
        """Return ``LORA, rank 4, alpha 8``."""
        rank, alpha = self.settings.get("r"), self.settings.get("lora_alpha")
        others = ", others by pattern" if self.settings.get("rank_pattern") else ""
        said = [self.kind, f"rank {rank}{others}" * bool(rank), f"alpha {alpha}" * bool(alpha)]
        said += [word for name, word in _VARIANTS.items() if self.settings.get(name)]
        return ", ".join([*filter(None, said), *["folded into the weights"] * self.merged])

    def where(self) -> str:
        """Return ``LORA of my_lora``, and that it is folded in."""
        name = self.origin.where.rstrip("/").rpartition("/")[2]
        return f"{self.kind} of {name}{', folded in' * self.merged}"

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Return what a model's page says of it, by label."""
        kinds = dict.fromkeys(name.rpartition(".")[2] for name in self.modules)
        return (
            ("adapter", self.words()),
            ("put on", f"{sentence_list(kinds)}: {plural(len(self.modules), 'module')}"),
            ("whole in it", ", ".join(self.whole)),
            ("its weights", f"{count(self.parameters)} parameters, {self.share:.2%} of the model"),
            ("trained on", self.base or "it does not say"),
            ("adapter from", self.origin.where),
            ("its revision", self.origin.commit),
        )


_VARIANTS = {"use_rslora": "rsLoRA", "use_dora": "DoRA"}


def notes(adapter: Adapter, found: Checkpoint, dtype: torch.dtype) -> Iterator[Note]:
    """Say what to know of an adapter: what it lacks, what is not used, and what it was made for."""
    if adapter.missing:
        yield Note(
            f"{plural(len(adapter.missing), 'weight')} of the adapter missing in its file, and "
            f"random or 0 now: {sentence_list(adapter.missing, most=_MOST_NAMED)}"
        )
    if adapter.unused:
        yield Note(
            f"{plural(len(adapter.unused), 'weight')} of the adapter without a place in the model, "
            f"and not used: {sentence_list(adapter.unused, most=_MOST_NAMED)}"
        )
    if adapter.nowhere:
        yield Note(
            f"the adapter is also for modules that the model does not have: "
            f"{sentence_list(adapter.nowhere, most=_MOST_NAMED)}"
        )
    if adapter.not_finite:
        yield Note(not_finite_verdict(adapter.not_finite, "adapter"))
    if adapter.base and not _is_same(adapter.base, found.location):
        yield Note(
            f"the adapter was trained on '{adapter.base}', and this is '{found.location}': if that "
            "is another model, the answers mean nothing"
        )
    if adapter.merged:
        rounded = "" if dtype == torch.float32 else f"; {str(dtype)[6:]} rounds what it adds"
        yield Note(
            f"the adapter is folded into the weights, whose layers are plain{rounded}", "info"
        )


def _is_same(base: str, source: str) -> bool:
    """Say whether two sources are one, or copies by the same name: a hub id and its folder."""
    if base == source:
        return True
    try:
        one, other = path_of(base), path_of(source)
    except HFMagicsError:  # a stranger wrote the base down: it need be no path
        return False
    return one.name.lower() == other.name.lower() or one.resolve() == other.resolve()


def task_for(files: AdapterFiles | None, config: Any) -> str:
    """Return the task whose head an adapter was trained with, ``""`` where that is not known."""
    task = files.task if files else ""
    return task if task in tasks_of(config) else ""


def left_alone() -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` by which it puts on no adapter unasked."""
    return UNASKED if find_spec("peft") is not None else {}  # without it, nothing asks the hub


def beside_note(found: Checkpoint, asked: str) -> str:
    """Say that a checkpoint has an adapter beside its weights, where none was asked for."""
    if asked or not found.has(ADAPTER_CONFIG):
        return ""
    return (
        "the checkpoint has an adapter beside its weights, which was not put on: --adapter "
        f"{found.path_or_id} does that"
    )


def tokenizer_note(files: AdapterFiles | None, tokenizer: Any) -> str:
    """Say that an adapter was trained with tokens that the tokenizer does not have."""
    if files is None or tokenizer is None:
        return ""
    listed = files.found.read_json("tokenizer.json").get("added_tokens")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    added = [str(one.get("content")) for one in entries]
    known = tokenizer.get_vocab()
    new = [one for one in added if one not in known]
    if not new:
        return ""
    return (
        f"the adapter's own tokenizer has {sentence_list(new, most=_MOST_NAMED)}, which this one "
        f"does not: --tokenizer {files.found.path_or_id} takes it"
    )


def filled(info: dict[str, Any], files: AdapterFiles | None) -> tuple[dict[str, Any], bool]:
    """Return a loading report without what the adapter brings, and whether it brings some."""
    if files is None:
        return info, False
    missing = [one for one in info.get("missing_keys", ()) if one not in files.shapes]
    others = [one for one in info.get("mismatched_keys", ()) if one[0] not in files.shapes]
    left = {**info, "missing_keys": missing, "mismatched_keys": others}
    return left, any(len(left[name]) < len(info.get(name, ())) for name in left)


def snippet(adapter: Adapter, where: str) -> Snippet:
    """Return the code that puts the adapter on ``model``."""
    commit = {"revision": adapter.origin.commit} if adapter.origin.commit else {}
    made = call("PeftModel.from_pretrained", Name("model"), where, **commit)
    way = "merge_and_unload(safe_merge=True)" if adapter.merged else "get_base_model()"
    return Snippet(("from peft import PeftModel",), (f"adapted = {made}", f"model = adapted.{way}"))
