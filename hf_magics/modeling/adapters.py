"""Adapters: peft's own, put on a model whose class stays, or folded into its weights."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from hf_magics.display.numbers import count, plural
from hf_magics.display.parts import Note
from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import OptionError, SourceError
from hf_magics.modeling.adapter_files import AdapterFiles
from hf_magics.modeling.architectures import tasks_of
from hf_magics.modeling.checkpoints import ADAPTER_CONFIG, Checkpoint
from hf_magics.modeling.store import Origin
from hf_magics.modeling.weights import parameter_count
from hf_magics.optional import optional
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
    ``embeddings`` says that its file has the model's embeddings as well.
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


def put_on(model: Any, files: AdapterFiles, *, merge: bool) -> tuple[Any, Adapter]:
    """Put an adapter on a model, and return the model, of the same class, with what was put on.

    Raises:
        SourceError: The adapter does not fit the model.
        OptionError: It can't be folded into these weights.
        MissingExtraError: peft is not installed.
    """
    peft = optional("peft", extra="peft")
    before = parameter_count(model)
    if merge and getattr(model, "hf_quantizer", None) is not None:
        raise OptionError("the weights are quantised, and can't take an adapter in: no --merge")
    wrapped, missing, unused = _wrapped(peft, model, files)
    modules = tuple(wrapped.base_model.targeted_module_names)
    if len(unused) >= len(files.shapes) or not modules:
        raise SourceError(_nothing_fits(model, files))
    made = Adapter(
        origin=files.found.origin(),
        kind=files.kind,
        settings=files.settings,
        modules=modules,
        parameters=sum(torch.Size(shape).numel() for shape in files.shapes.values()),
        share=sum(torch.Size(shape).numel() for shape in files.shapes.values()) / max(before, 1),
        base=files.base,
        wrapped=wrapped,
        missing=missing,
        unused=unused,
        nowhere=tuple(_nowhere(files.settings.get("target_modules"), modules)),
        whole=files.whole,
        embeddings=files.has_embeddings,
    )
    if merge:
        _refuse_tied(model, made)
        model, made.wrapped = _folded(wrapped, files).requires_grad_(requires_grad=True), None
    else:
        model._hf_peft_config_loaded = True  # noqa: SLF001 - or save_pretrained writes neither whole
    model.eval()
    return model, made


def _wrapped(peft: Any, model: Any, files: AdapterFiles) -> tuple[Any, Any, Any]:
    """Return peft's model around this one, and the weights that were missing or not used.

    As ``PeftModel.from_pretrained`` does it, which keeps to itself what was not used.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # what they say is in the result
            config = peft.PeftConfig.from_pretrained(files.folder)
            config.inference_mode = True
            known = peft.MODEL_TYPE_TO_PEFT_MODEL_MAPPING
            made = known.get(config.task_type, peft.PeftModel)(model, config, NAME)
            result = made.load_adapter(
                files.folder,
                NAME,
                torch_device=str(model.device),
                key_mapping=getattr(model, "_checkpoint_conversion_mapping", {}),
            )
    except Exception as error:
        raise SourceError(_refusal(model, files, error)) from error
    return made, tuple(map(_plain, result.missing_keys)), tuple(map(_plain, result.unexpected_keys))


def _plain(name: str) -> str:
    """Return the name of an adapter's weight as its file has it."""
    return name.removeprefix("base_model.model.").replace(f".{NAME}.", ".")


def _refusal(model: Any, files: AdapterFiles, error: Exception) -> str:
    text, head = one_line(error), type(model).__name__
    if found := _MISMATCH.search(text):
        theirs, mine = (one.replace(", ", " × ") for one in found.group("theirs", "mine"))
        name = _plain(found["name"]).replace("modules_to_save.", "")
        is_head = theirs.partition(" × ")[2] == mine.partition(" × ")[2]
        labels = theirs.partition(" ")[0]
        hint = f": num_labels={labels} on the line?" if is_head and files.task else ""
        return f"{files.file} does not fit {head}: {name} is {theirs} there and {mine} here{hint}"
    if isinstance(error, KeyError):
        return f"{files.file} lacks {text.strip(chr(39))}, which its settings say is in it"
    if text.startswith("Target modules"):
        return _nothing_fits(model, files)
    return f"the adapter '{files.found.path_or_id}' can't be put on {head}: {text[:_LONGEST]}"


_LONGEST = 300
_MISMATCH = re.compile(
    r"size mismatch for (?P<name>\S+): .*?torch\.Size\(\[(?P<theirs>[\d, ]*)\]\) from checkpoint"
    r".*?torch\.Size\(\[(?P<mine>[\d, ]*)\]\)"
)


def _nothing_fits(model: Any, files: AdapterFiles) -> str:
    trained = f", and was trained on '{files.base}'" if files.base else ""
    head = f": --task {files.task} has its head" if files.task else ""
    first = next(iter(files.shapes), "no weight")
    return (
        f"the adapter '{files.found.path_or_id}' has no weight for {type(model).__name__}: it is "
        f"for {first}, …{trained}{head}"
    )


def _nowhere(targets: Any, modules: tuple[str, ...]) -> Iterator[str]:
    """Yield those of the modules that an adapter is for that the model does not have."""
    for name in targets if isinstance(targets, list) else ():
        if not any(one == name or one.endswith(f".{name}") for one in modules):
            yield str(name)


def _refuse_tied(model: Any, adapter: Adapter) -> None:
    """Refuse to fold into a weight that another module has as well: that one would change too."""
    names: dict[int, list[str]] = {}
    for name, one in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(one), []).append(name.replace(".base_layer.", "."))
    for tied in (some for some in names.values() if len(some) > 1):
        inside = [one for one in tied if one.rpartition(".")[0] in adapter.modules]
        if inside:
            other = next(one for one in tied if one != inside[0])
            raise OptionError(
                f"--merge would change {other} as well, which is tied to {inside[0]}: load it "
                "without --merge"
            )


def _folded(wrapped: Any, files: AdapterFiles) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):
            return wrapped.merge_and_unload(safe_merge=True)
    except Exception as error:
        raise SourceError(
            f"the adapter '{files.found.path_or_id}' can't be folded into the weights: "
            f"{one_line(error)[:_LONGEST]}"
        ) from error


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
    one, other = Path(base).expanduser(), Path(source).expanduser()
    return (
        base == source or one.name.lower() == other.name.lower() or one.resolve() == other.resolve()
    )


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
