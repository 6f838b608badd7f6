"""Config fields from words: which there are, and what they take."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from hf_magics.display.words import nearest, one_line
from hf_magics.errors import ConfigError
from hf_magics.literals import literal
from hf_magics.modeling.architectures import config_class
from hf_magics.modeling.catalog import MEANT
from hf_magics.specs import Fields

_NOT_FOR_USERS = {"name_or_path", "torch_dtype", "transformers_version"}
# what transformers reads of the config of any encoder-decoder, declared or not
_OF_ENCODER_DECODERS = {
    "decoder_start_token_id": "int | None",
    "task_specific_params": "dict | None",
}


def resolve(config: Any, fields: Mapping[str, Any]) -> Fields:
    """Return the fields under their own names, their values as the config's fields take them.

    Args:
        config: A config that has the fields: its class says what they take.
        fields: Names as a user writes them (``attribute_map`` names, dotted names of sub-configs)
            and values, typed or as text: ``"true"``, ``"0.1"``, ``"null"``, ``"[1, 2]"``. A
            sub-config that is given as one object becomes the dotted fields that it holds.

    Raises:
        ConfigError: No such field (with the nearest name), or a value of the wrong type.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        for canonical, typed in _resolve_one(config, name, value):
            if canonical in found:
                raise ConfigError(f"{name} and {canonical} are one field: give one of them")
            found[canonical] = typed
    labels = found.get("id2label")
    if isinstance(labels, dict):  # JSON has no numbers for keys, and the two belong together
        found["id2label"] = _numbered(labels)
        found.setdefault("label2id", {label: key for key, label in found["id2label"].items()})
    return tuple(found.items())


def nested(fields: Fields, config: Any = None) -> dict[str, Any]:
    """Return keyword arguments for a config's class: dotted names become dictionaries.

    Args:
        fields: Names and values, as `resolve` returns them.
        config: A config that has them. With it each dictionary names the type of its sub-config,
            which a class that takes sub-configs of several types can't do without.
    """
    arguments: dict[str, Any] = {}
    for name, value in fields:
        owner, dot, rest = name.partition(".")
        if not dot:
            arguments[name] = value
            continue
        part = getattr(config, owner, None)
        kind = {} if part is None else {"model_type": part.model_type}
        arguments.setdefault(owner, kind).update(nested(((rest, value),), part))
    return arguments


def assign(config: Any, fields: Fields) -> None:
    """Set the fields on a config that a checkpoint came with.

    Raises:
        ConfigError: The config's own validation refuses the value, or a sub-config would change
            its type.
    """
    for name, value in fields:
        *path, last = name.split(".")
        owner = config
        for step in path:
            owner = getattr(owner, step)
        if last in type(owner).sub_configs and isinstance(value, dict):
            raise ConfigError(f"{name} of a checkpoint can't become one of another type")
        with refusals_named():
            setattr(owner, last, value)


@contextlib.contextmanager
def refusals_named() -> Iterator[None]:
    """Turn what a config's validation raises into one line."""
    try:
        yield
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise ConfigError(_reason(error)) from error


def known_fields(config: Any) -> list[str]:
    """Return every name that `resolve` takes for this config, sub-configs as ``name.``."""
    owner = type(config)
    own = [field.name for field in _dataclass_fields(owner)]
    mapped = list(owner.attribute_map)
    settable = [
        name
        for name, member in inspect.getmembers(owner, lambda one: isinstance(one, property))
        if member.fset is not None
    ]
    stored = [name for name in vars(config) if not name.startswith("_")]
    both = _OF_ENCODER_DECODERS if config.is_encoder_decoder else ()
    names = dict.fromkeys([*own, *mapped, *settable, *stored, *both])
    return [name for name in names if not name.startswith("_") and name not in _NOT_FOR_USERS]


def takes(config: Any, name: str) -> str:
    """Return the field's type as the config's class declares it, ``""`` where it does not."""
    canonical = type(config).attribute_map.get(name, name)
    for field in _dataclass_fields(type(config)):
        if field.name == canonical:
            return field.type.__name__ if isinstance(field.type, type) else str(field.type)
    undeclared = {"num_labels": "int", "output_attentions": "bool"} | _OF_ENCODER_DECODERS
    return undeclared.get(name, "")


def _resolve_one(config: Any, name: str, value: Any) -> Fields:
    owner, dot, rest = name.partition(".")
    if dot:
        part = getattr(config, owner, None)
        if owner not in type(config).sub_configs or part is None:
            raise ConfigError(
                f"{config.model_type} has no sub-config '{owner}'" + _parts_of(config)
            )
        return _under(owner, _resolve_one(part, rest, value))
    known = known_fields(config)
    if name not in known:
        raise ConfigError(
            f"{type(config).__name__} has no field '{name}'{nearest(name, known, MEANT)}"
            f" (%hf_config {config.model_type} --all lists them)"
        )
    canonical = type(config).attribute_map.get(name, name)
    typed = _typed(config, name, value)
    if canonical in type(config).sub_configs and isinstance(typed, dict):
        return _resolve_part(config, canonical, typed)
    return ((canonical, typed),)


def _resolve_part(config: Any, name: str, given: dict[str, Any]) -> Fields:
    """Return the fields of a sub-config that came as one object.

    One of another type than the config has stays an object: its fields are those of that type.
    """
    part = getattr(config, name, None)
    own = getattr(part, "model_type", "")
    kind = given.get("model_type", own)
    inner = {key: value for key, value in given.items() if key != "model_type"}
    if part is not None and kind == own:
        return _under(name, resolve(part, inner))
    if kind:
        with refusals_named():
            inner = nested(resolve(config_class(str(kind))(), inner)) | {"model_type": kind}
    return ((name, inner),)


def _under(owner: str, fields: Fields) -> Fields:
    return tuple((f"{owner}.{name}", value) for name, value in fields)


def _parts_of(config: Any) -> str:
    parts = ", ".join(type(config).sub_configs)
    return f"; it has: {parts}" if parts else ""


def _typed(config: Any, name: str, value: Any) -> Any:
    """Read a value that came as text; a value of another type is the caller's own choice."""
    if not isinstance(value, str):
        return value
    declared = takes(config, name)
    allowed = _type_names(declared)
    read = literal(value)
    if not allowed or _fits(read, allowed):
        return read
    if "str" in allowed or "Literal" in allowed:
        return value
    raise ConfigError(f"{name} takes {declared}, not '{value}'")


def _type_names(declared: str) -> set[str]:
    """Return the outermost names of an annotation: ``list[int] | None`` gives list and None."""
    flat = declared
    while (inner := re.sub(r"\[[^\[\]]*\]", "", flat)) != flat:
        flat = inner
    return {part.strip().rpartition(".")[2] for part in flat.split("|")} - {""}


def _fits(value: Any, allowed: set[str]) -> bool:
    if value is None:
        return "None" in allowed or "NoneType" in allowed
    name = type(value).__name__
    widened = {"int": {"int", "float"}, "list": {"list", "tuple", "Sequence"}}.get(name, {name})
    return "Any" in allowed or bool(widened & allowed)


def _dataclass_fields(owner: type[Any]) -> tuple[Any, ...]:
    return dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ()


def with_parts(config: Any) -> list[tuple[str, Any]]:
    """Return a config and those in it, each with what stands before the names of its fields."""
    found = [("", config)]
    for name in type(config).sub_configs:
        part = getattr(config, name, None)
        if part is not None:
            found += [(f"{name}.{inner}", one) for inner, one in with_parts(part)]
    return found


def _numbered(labels: Mapping[str, Any]) -> dict[int, Any]:
    try:
        return {int(key): label for key, label in labels.items()}
    except ValueError:
        raise ConfigError(
            f'id2label takes numbers for keys, as in {{"0": "no"}}, not {next(iter(labels))!r}'
        ) from None


def declared(part: Any) -> dict[str, Any]:
    """Return the fields that the class of a config declares, with their defaults."""
    return {field.name: field.default for field in _dataclass_fields(type(part))}


def _reason(error: Exception) -> str:
    """Return the innermost sentence of a strict dataclass' error."""
    text = one_line(error)
    match = re.search(r"(?:TypeError|ValueError): (.*)$", text)
    return (match.group(1) if match else text).rstrip(".")
