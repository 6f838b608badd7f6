"""What transformers and the cache hold, read from files: Tab must not import them."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import re
from collections.abc import Collection
from pathlib import Path

from hf_magics.literals import parsed

_MAPPINGS = ("auto_mappings.py", "configuration_auto.py")
_CONFIG_NAMES = re.compile(r'"([\w.-]+)"[,:] "(?!AutoConfig)\w+Config"')
_MODULES = re.compile(r'"([\w.-]+)"[,:] "([a-z]\w*)"')
_EXPORTED = re.compile(r"__all__ = \[(.*?)\]", re.DOTALL)
_GENERATION_FIELDS = re.compile(r'^        self\.([a-z]\w*) = kwargs\.pop\("', re.MULTILINE)
_CLASSES = re.compile(r'"[a-z][\w.-]*", "(\w*[A-Z]\w*)"')

LOAD_ARGUMENTS = (
    *("cache_dir", "device_map", "disable_mmap", "experts_implementation", "force_download"),
    *("fusion_config", "key_mapping", "max_memory", "offload_buffers", "offload_folder", "proxies"),
    *("quantization_config", "subfolder", "token", "use_safetensors", "variant", "weights_only"),
)
"""What ``from_pretrained`` takes and no option of ours says."""

MEANT = {
    **dict.fromkeys(
        ("layers", "n_layer", "n_layers", "num_layers", "num_layer", "depth"), "num_hidden_layers"
    ),
    **dict.fromkeys(
        ("heads", "n_head", "n_heads", "num_heads", "attention_heads"), "num_attention_heads"
    ),
    **dict.fromkeys(
        ("hidden", "hidden_dim", "dim", "d_model", "n_embd", "width", "embedding_dim"),
        "hidden_size",
    ),
    **dict.fromkeys(
        ("ffn_dim", "d_ff", "n_inner", "intermediate", "intermediate_dim", "mlp_dim"),
        "intermediate_size",
    ),
    **dict.fromkeys(("kv_heads", "n_kv_heads", "num_kv_heads"), "num_key_value_heads"),
    **dict.fromkeys(("vocab", "n_vocab", "vocabulary_size"), "vocab_size"),
    **dict.fromkeys(
        ("max_length", "max_len", "max_seq_len", "n_ctx", "n_positions", "context_length"),
        "max_position_embeddings",
    ),
    **dict.fromkeys(("classes", "labels", "n_labels", "num_classes"), "num_labels"),
}
"""Names of other libraries for a config's fields, and transformers' standard ones."""


@functools.cache
def generation_fields() -> tuple[str, ...]:
    """Return the fields of transformers' ``GenerationConfig``."""
    text = _text(_package() / "generation" / "configuration_utils.py")
    return tuple(dict.fromkeys(_GENERATION_FIELDS.findall(text)))


@functools.cache
def model_types() -> tuple[str, ...]:
    """Return transformers' model types."""
    auto = _package() / "models" / "auto"
    found: dict[str, None] = {}
    for name in _MAPPINGS:
        found |= dict.fromkeys(_CONFIG_NAMES.findall(_text(auto / name)))
    return tuple(found)


@functools.cache
def config_fields(model_type: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of a type's config with the types they take, none where it is unknown."""
    tree = ast.parse(_source("configuration", model_type))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    own = next((node for node in classes.values() if _model_type_of(node) == model_type), None)
    if own is None:
        return ()
    fields: dict[str, str] = {}
    for one in [*reversed(_bases(own, classes)), own]:
        fields |= _annotated(one)
    return (*fields.items(), ("num_labels", "int"))


@functools.cache
def classes(model_type: str) -> tuple[str, ...]:
    """Return the model classes of a type."""
    match = _EXPORTED.search(_source("modeling", model_type))
    return tuple(re.findall(r'"(\w+)"', match.group(1))) if match else ()


@functools.cache
def all_classes() -> tuple[str, ...]:
    """Return the model classes of every type, as the Auto classes list them."""
    found = _CLASSES.findall(_text(_package() / "models" / "auto" / "modeling_auto.py"))
    return tuple(dict.fromkeys(found))


def type_of(source: str) -> str:
    """Return the model type of a folder or a cached hub id, ``""`` where it is not known."""
    for folder in [_path(source), *_snapshots(source)]:
        text = _text(folder / "config.json")
        try:
            return str(parsed(text).get("model_type", ""))
        except (ValueError, AttributeError):
            continue
    return ""


def cached_ids() -> list[str]:
    """Return the ids of the model repositories in the hub's cache."""
    folders = _cache().glob("models--*")
    return sorted(one.name.removeprefix("models--").replace("--", "/") for one in folders)


def folders(start: str, suffixes: Collection[str] = (".gguf",)) -> list[str]:
    """Return the folders, and the files with such a suffix, whose path begins so."""
    head, _, last = start.rpartition("/")
    parent = _path(f"{head}/" if head or start.startswith("/") else ".")
    prefix = start[: len(start) - len(last)]
    try:
        entries = sorted(one for one in parent.iterdir() if one.name.startswith(last))
    except (OSError, ValueError):  # not there, not ours to read, or no path at all
        return []
    shown = [one for one in entries if last or not one.name.startswith(".")]
    found = [f"{prefix}{one.name}/" for one in shown if one.is_dir()]
    return found + [prefix + one.name for one in shown if one.suffix in suffixes]


def _snapshots(repo_id: str) -> list[Path]:
    return sorted((_cache() / f"models--{repo_id.replace('/', '--')}" / "snapshots").glob("*"))


def _cache() -> Path:
    """Return the hub's cache as huggingface_hub finds it, which takes too long to import."""
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", f"{base}/huggingface")
    legacy = os.environ.get("HUGGINGFACE_HUB_CACHE", f"{home}/hub")
    return _path(os.path.expandvars(os.environ.get("HF_HUB_CACHE", legacy)))


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody who has no home here
        return Path(text)


@functools.cache
def _package() -> Path:
    spec = importlib.util.find_spec("transformers")
    return Path(spec.origin).parent if spec is not None and spec.origin else Path()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # not there, or no path at all: nothing to offer
        return ""


def _source(kind: str, model_type: str) -> str:
    """Return the module of a type, as text: its own, or the one of the folder that types share."""
    own = model_type.replace("-", "_")
    folder = _modules().get(model_type, own)
    files = (_package() / "models" / folder / f"{kind}_{name}.py" for name in (own, folder))
    return next(filter(None, map(_text, files)), "")


@functools.cache
def _modules() -> dict[str, str]:
    """Return the modules of the types that are not called as their module is."""
    auto = _package() / "models" / "auto"
    texts = (_text(auto / name) for name in _MAPPINGS)
    tables = (table for text in texts for table in text.split("SPECIAL_MODEL_TYPE_TO_MODULE_NAME"))
    return dict(pair for table in tables for pair in _MODULES.findall(table.partition("\n)")[0]))


def _annotated(node: ast.ClassDef) -> dict[str, str]:
    """Return the dataclass fields that stand in a class, with their types."""
    found = [one for one in node.body if isinstance(one, ast.AnnAssign)]
    types = {ast.unparse(one.target): ast.unparse(one.annotation) for one in found}
    return {name: takes for name, takes in types.items() if not takes.startswith("ClassVar")}


def _bases(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return the bases of a class that stand in the same file, nearest first."""
    names = [ast.unparse(base) for base in node.bases]
    near = [classes[name] for name in names if name in classes]
    return [one for base in near for one in (base, *_bases(base, classes))]


def _model_type_of(node: ast.ClassDef) -> str:
    for one in node.body:
        targets = one.targets if isinstance(one, ast.Assign) else [getattr(one, "target", None)]
        named = [target.id for target in targets if isinstance(target, ast.Name)]
        value = getattr(one, "value", None)
        if named == ["model_type"] and isinstance(value, ast.Constant):
            return str(value.value)
    return ""
