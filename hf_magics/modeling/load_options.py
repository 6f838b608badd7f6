"""Options of a load that can't be had together, or not of this checkpoint: refused in a line."""

from __future__ import annotations

from typing import Any

from hf_magics.errors import OptionError
from hf_magics.specs import Fields, LoadSpec

_RESERVED = {
    "revision": "--revision",
    "dtype": "--dtype",
    "torch_dtype": "--dtype",
    "attn_implementation": "--attn",
    "gguf_file": "--gguf",
    "trust_remote_code": "--trust-remote-code",
    "local_files_only": "--offline",
    "config": "FIELD=VALUE",
    "adapter_kwargs": "--adapter",
    "adapter_name": "--adapter",
}
_ALWAYS = {"tqdm_class", "output_loading_info", "ignore_mismatched_sizes", "state_dict"}


def subfolder_of(spec: LoadSpec) -> str:
    """Return the folder in the source that ``--set subfolder=`` names, ``""`` where none."""
    return str(dict(spec.extra).get("subfolder", ""))


def refuse_reserved(extra: Fields) -> None:
    """Refuse arguments that have an option here: the page would not know of them."""
    for name, _ in extra:
        if name in _RESERVED:
            raise OptionError(f"--set {name}: that is {_RESERVED[name]} here")
        if name in _ALWAYS:
            raise OptionError(f"--set {name}: that is set by the load itself")


def refuse_quantized(config: Any, spec: LoadSpec) -> None:
    """Refuse to quantise what is quantised already, or what the line quantises in another way."""
    for name in ("quantization_config", "device_map"):
        if name in dict(spec.extra):
            raise OptionError(f"--quantize and --set {name}: give one of them")
    if getattr(config, "quantization_config", None) is not None:
        raise OptionError(f"the weights of '{spec.source}' are quantised already: no --quantize")


def refuse_gguf(spec: LoadSpec, file: str) -> None:
    """Refuse what can't be had of a GGUF file, before it is fetched or read.

    transformers never quantises one.
    """
    if file and spec.adapter:
        raise OptionError(
            f"'{file}' is a GGUF file, and an adapter is for the checkpoint that it was made from: "
            "%hf_load that with --adapter"
        )
    if file and spec.quantize and is_by_torch(spec):
        raise OptionError(
            f"'{file}' is a GGUF file, which transformers can't quantise again: leave out "
            "--quantize; --engine llamacpp runs it with weights as small as they are in it"
        )


def is_by_torch(spec: LoadSpec) -> bool:
    """Say whether torch is to compute, and no engine."""
    return spec.engine in {"", "torch"}


def check_adapter(spec: LoadSpec) -> None:
    """Refuse what can't be had together with an adapter.

    Raises:
        OptionError: Naming the option.
    """
    if spec.merge and not spec.adapter:
        raise OptionError("--merge folds an adapter into the weights: --adapter PATH says which")
    if not spec.adapter:
        return
    others = {
        "--endpoint": spec.endpoint,
        "--engine": spec.engine if spec.engine != "torch" else "",
        "--quantize": spec.quantize,
    }
    for option in (name for name, value in others.items() if value):
        raise OptionError(
            f"--adapter and {option} don't go together: load it with --adapter and --merge, "
            f"%hf_save that, and %hf_load the folder with {option}"
        )
    if spec.share:
        raise OptionError(
            "--adapter and --share don't go together: an adapter changes the backbone's layers"
        )
