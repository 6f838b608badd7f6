"""Put an adapter on: peft does it, the model's class stays, and what does not fit is one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch

from hf_magics.display.words import one_line
from hf_magics.errors import OptionError, SourceError
from hf_magics.modeling.adapter_files import EMBEDDINGS, AdapterFiles
from hf_magics.modeling.adapters import NAME, Adapter
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.watching import unwarned
from hf_magics.modeling.weights import not_finite, parameter_count
from hf_magics.optional import optional


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
    made.not_finite = not_finite(model, _names_in(model))
    if merge:
        _refuse_tied(model, made)
        model, made.wrapped = _folded(wrapped, files).requires_grad_(requires_grad=True), None
    else:
        model._hf_peft_config_loaded = True  # noqa: SLF001 - or save_pretrained writes neither whole
    model.eval()
    return model, made


def taken_off(model: Any) -> tuple[Any, Adapter | None]:
    """Return a model of the notebook without the model that peft makes around it, and its adapter.

    Any other comes back as it is.
    """
    config = getattr(model, "peft_config", None)
    if not hasattr(model, "get_base_model") or not isinstance(config, dict) or NAME not in config:
        return model, None
    inner, settings = model.get_base_model(), config[NAME]
    if settings.is_prompt_learning:
        return model, None
    inner._hf_peft_config_loaded = True  # noqa: SLF001 - as in `put_on`
    own = [one for name, one in inner.named_parameters() if f".{NAME}" in name]
    own_count = sum(one.numel() for one in own)
    return inner, Adapter(
        origin=Origin("notebook", "the notebook"),
        kind=str(settings.peft_type.value),
        settings=settings.to_dict(),
        modules=tuple(model.base_model.targeted_module_names),
        parameters=own_count,
        share=own_count / max(parameter_count(inner) - own_count, 1),
        base=str(settings.base_model_name_or_path or ""),
        wrapped=model,
    )


def _wrapped(peft: Any, model: Any, files: AdapterFiles) -> tuple[Any, Any, Any]:
    """Return peft's model around this one, and the weights that were missing or not used.

    As ``PeftModel.from_pretrained`` does it, which keeps to itself what was not used.
    """
    try:
        with unwarned():  # the result says the same
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


def _names_in(model: Any) -> set[str]:
    """Return the names of the parameters that an adapter has brought into a model."""
    return {name for name, _ in model.named_parameters() if f".{NAME}" in name}


def _plain(name: str) -> str:
    """Return the name of an adapter's weight as its file has it."""
    return name.removeprefix("base_model.model.").replace(f".{NAME}.", ".")


def _refusal(model: Any, files: AdapterFiles, error: Exception) -> str:
    text, head = one_line(error), type(model).__name__
    if found := _MISMATCH.search(text):
        theirs, mine = (one.replace(", ", " × ") for one in found.group("theirs", "mine"))
        name = _plain(found["name"]).replace("modules_to_save.", "")
        said = f"{files.file} does not fit {head}: {name} is {theirs} there and {mine} here"
        rows, _, rest = theirs.partition(" × ")
        field = _field_for(name, files) if rest == mine.partition(" × ")[2] else ""
        return f"{said}: {field}={rows} on the line?" if field else said
    if isinstance(error, KeyError):
        return f"{files.file} lacks {text.strip(chr(39))}, which its settings say is in it"
    if text.startswith("Target modules"):
        return _nothing_fits(model, files)
    return f"the adapter '{files.found.path_or_id}' can't be put on {head}: {text[:_LONGEST]}"


def _field_for(name: str, files: AdapterFiles) -> str:
    """Return the field of the config that makes room for more rows of a weight, if there is one."""
    if name.removesuffix(".weight").rpartition(".")[2] in EMBEDDINGS:
        return "vocab_size"
    return "num_labels" if files.task.endswith("classification") else ""


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
        with unwarned():
            return wrapped.merge_and_unload(safe_merge=True)
    except Exception as error:
        raise SourceError(
            f"the adapter '{files.found.path_or_id}' can't be folded into the weights: "
            f"{one_line(error)[:_LONGEST]}"
        ) from error
