"""What sentence-transformers wrote beside a checkpoint: how tokens become one vector a text.

``modules.json`` lists the steps after the transformer: a pooling, dense layers, a normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors.torch import load_file

from hf_magics.display.words import one_line, sentence_list
from hf_magics.literals import parsed
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.fetching import fetch

POOLINGS = {
    "cls": "first token",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len": "mean-sqrt-length",
    "weighted_mean": "weighted mean",
    "last": "last token",
}
"""How token vectors are pooled, with the words for it, in the order in which several are joined."""

_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weighted_mean",
    "pooling_mode_lasttoken": "last",
}
_MODES = {
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weighted_mean",
    "lasttoken": "last",
}
SENTENCE_FILES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
"""The files at a checkpoint's root that say how it embeds."""
_DENSE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Normalize:
    """Each vector is divided by its length."""


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear layer on the pooled vectors, then an activation of ``torch.nn`` by its name.

    ``weight`` has the shape (out, in), ``bias`` (out) or None; ``file`` is where they are in the
    checkpoint.
    """

    file: str
    activation: str
    weight: torch.Tensor
    bias: torch.Tensor | None


Step = Dense | Normalize


@dataclass(frozen=True)
class SentenceConfig:
    """How a checkpoint makes one vector of a text.

    ``pooling`` are the modes that are joined; ``steps`` come after it; ``max_tokens`` is the most
    of a text, special tokens included; ``prompt`` goes before each text, and ``prompts`` are those
    that have a name. ``similarity`` is how its vectors are compared, such as ``cosine``;
    ``skipped`` names the modules that are not applied here; ``files`` are the small files that all
    this was read from, by their place in the checkpoint: a saved copy has them too.
    """

    pooling: tuple[str, ...] = ("mean",)
    steps: tuple[Step, ...] = ()
    max_tokens: int | None = None
    lower_case: bool = False
    similarity: str = "cosine"
    prompt: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False)

    @property
    def is_normalized(self) -> bool:
        """Whether the vectors have the length 1."""
        return bool(self.steps) and isinstance(self.steps[-1], Normalize)

    def words(self) -> str:
        """Return ``mean pooling, normalised, at most 256 tokens``."""
        dense = [f"dense to {step.weight.shape[0]:,}" for step in self._dense()]
        said = [f"{pooling_words(self.pooling)} pooling", *dense]
        said += ["normalised"] if self.is_normalized else []
        said += [f"at most {self.max_tokens:,} tokens"] if self.max_tokens else []
        return ", ".join(said)

    def prepared(self, text: str) -> str:
        """Return a text as the tokenizer gets it: after the prompt, in lower case where it is."""
        whole = self.prompt + text
        return whole.lower() if self.lower_case else whole

    def _dense(self) -> list[Dense]:
        return [step for step in self.steps if isinstance(step, Dense)]


def pooling_words(modes: tuple[str, ...]) -> str:
    """Return the names of pooling modes: ``mean``, ``first token and max``."""
    return " and ".join(POOLINGS[mode] for mode in modes)


def read_sentence(checkpoint: Checkpoint) -> tuple[SentenceConfig | None, str]:
    """Return what ``modules.json`` and its companions say, None where there is none, and a note.

    Of a hub id the small files that it names are fetched, where the hub may be asked. A checkpoint
    of which a part lacks or can't be read is one without: the note says why.

    Raises:
        HubError: The hub refuses a file that it lists.
    """
    if checkpoint.gguf or checkpoint.subfolder:
        return None, ""
    if not checkpoint.path("modules.json").is_file():
        return None, ""
    try:
        found = _read(checkpoint, _objects(_json(checkpoint.path("modules.json"))))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error.args[0]) if isinstance(error, _UnreadableError) else type(error).__name__
        return None, f"modules.json is left aside: {why}"
    return found, skipped_note(found)


def skipped_note(config: SentenceConfig) -> str:
    """Say which modules of the checkpoint are not applied, ``""`` where all are."""
    if not config.skipped:
        return ""
    return (
        f"{sentence_list(config.skipped)} of modules.json is not applied here: --task embed gives "
        "other vectors than sentence-transformers"
    )


class _UnreadableError(ValueError):
    """A part of the sentence model that is not there or not understood."""


def _read(checkpoint: Checkpoint, modules: list[dict[str, Any]]) -> SentenceConfig:
    pooling: tuple[str, ...] = ()
    steps: list[Step] = []
    skipped: list[str] = []
    settings = _settings(checkpoint)
    for module in modules:
        kind, folder = str(module["type"]).rpartition(".")[2], str(module.get("path", ""))
        if kind == "Pooling":
            config = _needed(checkpoint, str(PurePosixPath(folder, "config.json")))
            pooling = _pooling(config)
            if settings["prompt"] and config.get("include_prompt") is False:
                skipped.append("Pooling without the prompt")
        elif kind == "Normalize":
            steps.append(Normalize())
        elif kind == "Dense":
            steps.append(_dense(checkpoint, folder))
        elif kind not in _NOTHING_TO_DO:
            skipped.append(kind)
    if not pooling:
        raise _UnreadableError("it names no pooling")
    return SentenceConfig(
        pooling,
        tuple(steps),
        skipped=tuple(skipped),
        files=_files(checkpoint, modules),
        **settings,
    )


_NOTHING_TO_DO = ("Transformer", "Dropout")  # the model itself, and what only training does


def _files(checkpoint: Checkpoint, modules: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return what lies beside the transformer's own files, by its place in the checkpoint."""
    inside = [
        str(PurePosixPath(str(module["path"]), name))
        for module in modules
        if str(module["type"]).endswith((".Pooling", ".Dense"))
        for name in ("config.json", *_DENSE_WEIGHTS)
    ]
    found = {name: checkpoint.path(name) for name in (*SENTENCE_FILES, *inside)}
    return {name: path.read_bytes() for name, path in found.items() if path.is_file()}


def _settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what the two other files say."""
    own = checkpoint.read_json("sentence_bert_config.json")
    shared = checkpoint.read_json("config_sentence_transformers.json")
    prompts = {str(name): str(text or "") for name, text in (shared.get("prompts") or {}).items()}
    longest = own.get("max_seq_length")
    return {
        "max_tokens": longest if isinstance(longest, int) and longest > 0 else None,
        "lower_case": bool(own.get("do_lower_case")),
        "similarity": str(shared.get("similarity_fn_name") or "cosine"),
        "prompt": prompts.get(str(shared.get("default_prompt_name")), ""),
        "prompts": prompts,
    }


def _pooling(config: dict[str, Any]) -> tuple[str, ...]:
    """Return the modes: in new checkpoints a name or a list of them, in older ones flags."""
    named = config.get("pooling_mode")
    if named is None:
        return tuple(mode for flag, mode in _FLAGS.items() if config.get(flag)) or ("mean",)
    listed = [named] if isinstance(named, str) else list(named)
    modes = tuple(_MODES.get(mode, mode) for mode in listed)
    unknown = [mode for mode in modes if mode not in POOLINGS]
    if unknown:
        raise _UnreadableError(f"the pooling '{unknown[0]}' is not known here")
    return modes


def _dense(checkpoint: Checkpoint, folder: str) -> Dense:
    config = _needed(checkpoint, str(PurePosixPath(folder, "config.json")))
    if config.get("use_residual") or config.get("module_input_name", _VECTOR) != _VECTOR:
        raise _UnreadableError(f"the dense layer in {folder} is of a kind that is not applied here")
    file = _weights(checkpoint, folder)
    state = _state(checkpoint.path(file))
    name = _activation(str(config.get("activation_function") or "torch.nn.Tanh"))
    return Dense(file, name, state["linear.weight"].float(), _float(state.get("linear.bias")))


_VECTOR = "sentence_embedding"


def _weights(checkpoint: Checkpoint, folder: str) -> str:
    for name in _DENSE_WEIGHTS:
        file = str(PurePosixPath(folder, name))
        if _fetched(checkpoint, file):
            return file
    raise _UnreadableError(f"the weights of the dense layer in {folder} are not there")


def _state(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise _UnreadableError(f"{path.name} can't be read: {one_line(error)}") from error


def _activation(name: str) -> str:
    """Return the class of ``torch.nn`` that a dotted name means: ``Tanh``."""
    module, _, last = name.rpartition(".")
    found = getattr(torch.nn, last, None)
    if not module.startswith("torch.nn") or not isinstance(found, type):
        raise _UnreadableError(f"the activation '{name}' is not one of torch.nn")
    return last


def _float(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.float()


def _needed(checkpoint: Checkpoint, file: str) -> dict[str, Any]:
    """Return a JSON object that has to be there."""
    content = _json(checkpoint.path(file)) if _fetched(checkpoint, file) else None
    if not isinstance(content, dict):
        raise _UnreadableError(f"{file} is not there or can't be read")
    return content


def _fetched(checkpoint: Checkpoint, file: str) -> bool:
    """Bring a file that the hub lists to this disk; say whether it is here."""
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        raise _UnreadableError(f"{file} is not inside of the checkpoint")
    if checkpoint.kind == "hub" and not checkpoint.offline and checkpoint.has(file):
        fetch(checkpoint.location, checkpoint.commit, [file])
    return checkpoint.path(file).is_file()


def _json(path: Path) -> Any:
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _UnreadableError("it is not a list of modules")
    return value
