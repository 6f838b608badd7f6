"""Plain transformers code for what this wing does: load, make, save."""

from __future__ import annotations

from typing import Any

from hf_magics.modeling import adapters, quantizing
from hf_magics.modeling.elsewhere import EngineModel
from hf_magics.modeling.fields import nested
from hf_magics.modeling.load_options import subfolder_of
from hf_magics.modeling.steps import Owner, Piece
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import changed_since, touched
from hf_magics.snippets import Name, Snippet, call, from_home, given
from hf_magics.specs import LoadSpec, NewSpec, SaveSpec


def pieces_of(loaded: LoadedModel, *snippets: Snippet) -> tuple[Piece, ...]:
    """Return the parts of a step that works on a model; without snippets, the model alone."""
    owner = Owner(loaded.number, loaded.name, model_snippet(loaded))
    return tuple(Piece(one, owner) for one in snippets or (Snippet((), ()),))


def model_snippet(loaded: LoadedModel) -> Snippet:
    """Return the code by which a model of the session came to be."""
    if isinstance(loaded, EngineModel):
        return loaded.snippet
    is_new = isinstance(loaded.spec, NewSpec)
    made = new_snippet(loaded) if is_new else load_snippet(loaded)
    return Snippet(made.imports, (*made.lines, *_CHANGED)) if _is_trained(loaded) else made


def _is_trained(loaded: LoadedModel) -> bool:
    """Say whether the weights are others; at each inference, and so the quick sign comes first."""
    model, mark = loaded.model, loaded.weights_mark
    return bool(mark) and touched(model, mark) and bool(changed_since(model, mark))


_CHANGED = (
    "# the model's weights have changed since it was made (trained?), and are in no file yet:",
    "# model.save_pretrained(folder) where they are, from_pretrained(folder) in place of the above",
)


def load_snippet(loaded: LoadedModel) -> Snippet:
    """Return ``from_pretrained`` for the model and what goes with it, then what its engine adds."""
    made = _torch_snippet(loaded)
    if loaded.engine is None:
        return made
    more = loaded.engine.snippet
    return Snippet((*made.imports, *more.imports), (*made.lines, *more.lines))


def _torch_snippet(loaded: LoadedModel) -> Snippet:
    spec = loaded.spec
    assert isinstance(spec, LoadSpec)
    if loaded.origin.kind == "notebook":
        name, above = given(spec.variable, f"a {spec.head}")
        made = [above, *([] if name == "model" else [f"model = {name}"]), "model.eval()"]
        if loaded.adapter is not None:
            name, above = given(spec.variable, f"a PeftModel around a {spec.head}")
            made = [above, f"adapted = {name}", "model = adapted.get_base_model()", "model.eval()"]
        return _with_companions(loaded, ["import torch"], made, {})
    hub = _hub_arguments(spec)
    on_config = dict(spec.fields) if any("." in name for name, _ in spec.fields) else {}
    imports = ["import torch", f"from transformers import {spec.head}"]
    arguments, lines = _load_arguments(spec, hub), []
    arguments |= adapters.UNASKED if loaded.origin.beside else {}
    if on_config:  # what is given beside a config would go to the model's own class
        imports.append("from transformers import AutoConfig")
        lines.append(f"config = {call('AutoConfig.from_pretrained', spec.source, **hub)}")
        lines += [f"config.{name} = {value!r}" for name, value in on_config.items()]
        arguments = {name: one for name, one in arguments.items() if name not in on_config}
        arguments["config"] = Name("config")
    if spec.quantize and loaded.runner is None:  # an engine makes its own weights smaller
        needed, source = quantizing.written(loaded.model)
        imports += needed
        lines.append(f"quantization = {source}")
        arguments["quantization_config"] = Name("quantization")
        arguments |= _on_device(loaded.model)
    lines.append(f"model = {call(f'{spec.head}.from_pretrained', spec.source, **arguments)}")
    if loaded.adapter is not None:
        putting = adapters.snippet(loaded.adapter, from_home(spec.adapter))
        imports += putting.imports
        lines += putting.lines
    lines += [] if "device_map" in arguments else _placed(spec.device)
    return _with_companions(loaded, imports, lines, hub)


def _on_device(model: Any) -> dict[str, Any]:
    made = quantizing.device_arguments(model.hf_quantizer.quantization_config, model.device)
    return {name: {"": str(model.device)} for name in made}


def _hub_arguments(spec: LoadSpec) -> dict[str, Any]:
    """Return what config, model and tokenizer take alike: which files are meant."""
    given = {
        "revision": spec.revision,
        "gguf_file": spec.gguf,
        "subfolder": subfolder_of(spec),
    }
    found = {name: value for name, value in given.items() if value}
    return found | ({"trust_remote_code": True} if spec.trust_remote_code else {})


def _load_arguments(spec: LoadSpec, hub: dict[str, Any]) -> dict[str, Any]:
    arguments = {**hub, **dict(spec.extra), **dict(spec.fields)}
    arguments["dtype"] = Name(f"torch.{spec.dtype}")
    if spec.fields:
        arguments["ignore_mismatched_sizes"] = True
    if spec.attn:
        arguments["attn_implementation"] = spec.attn
    return arguments


def new_snippet(loaded: LoadedModel) -> Snippet:
    """Return config, seed and model class."""
    spec = loaded.spec
    assert isinstance(spec, NewSpec)
    config, head = type(loaded.config), type(loaded.model)
    imports = ["import torch", _import(config), _import(head)]
    lines = [f"config = {call(config.__name__, **nested(spec.fields))}"]
    if spec.seed is not None:
        lines.append(f"torch.manual_seed({spec.seed})")
    if spec.dtype == "float32":
        lines.append(f"model = {head.__name__}(config)")
    else:
        lines.append(f"model = {head.__name__}(config).to(torch.{spec.dtype})")
    lines.append("model.eval()")
    lines += _placed(spec.device)
    return _with_companions(loaded, imports, lines, {})


def save_snippet(loaded: LoadedModel, spec: SaveSpec) -> Snippet:
    """Return ``save_pretrained`` for the model and what goes with it."""
    shards = {"max_shard_size": spec.max_shard_size} if spec.max_shard_size else {}
    lines = []
    if loaded.origin.kind == "gguf":
        lines += ["model.hf_quantizer = None", "del model.config.quantization_config"]
    path = from_home(spec.path)
    on_it = loaded.adapter is not None and not loaded.adapter.merged
    what = "adapted" if on_it else "model"  # without the base, as peft writes it
    lines.append(call(f"{what}.save_pretrained", path, **shards))
    lines += [
        call(f"{name}.save_pretrained", path)
        for name, held in (("tokenizer", loaded.tokenizer), ("processor", loaded.processor))
        if held is not None
    ]
    return Snippet((), tuple(lines))


def _with_companions(
    loaded: LoadedModel, imports: list[str], lines: list[str], hub: dict[str, Any]
) -> Snippet:
    spec = loaded.spec
    lines += loaded.moves
    if loaded.tokenizer is not None:
        where, arguments = (
            (from_home(spec.tokenizer), {}) if spec.tokenizer else (_source(spec), hub)
        )
        more, line = _tokenizer_line(loaded, where, arguments)
        imports += more
        lines.append(line)
    if loaded.processor is not None and not _source(spec):
        lines.append(given("processor", f"a {type(loaded.processor).__name__}")[1])
    elif loaded.processor is not None:
        auto = type(loaded.processor).__name__
        imports.append(_import(type(loaded.processor)))
        lines.append(f"processor = {call(f'{auto}.from_pretrained', _source(spec), **hub)}")
    if not any("torch." in line for line in lines):
        imports.remove("import torch")
    return Snippet(tuple(imports), tuple(lines))


def _tokenizer_line(
    loaded: LoadedModel, where: str, arguments: dict[str, Any]
) -> tuple[list[str], str]:
    if loaded.tokenizer_given:
        return [], given("tokenizer", f"a {type(loaded.tokenizer).__name__}")[1]
    if where.endswith(".txt"):
        owner = type(loaded.tokenizer)
        cased = {} if getattr(loaded.tokenizer, "do_lower_case", True) else {"do_lower_case": False}
        return [_import(owner)], f"tokenizer = {call(owner.__name__, vocab=where, **cased)}"
    if where.endswith("tokenizer.json"):
        made = call("PreTrainedTokenizerFast", tokenizer_file=where)
        return ["from transformers import PreTrainedTokenizerFast"], f"tokenizer = {made}"
    made = call("AutoTokenizer.from_pretrained", where, **arguments)
    return ["from transformers import AutoTokenizer"], f"tokenizer = {made}"


def _source(spec: LoadSpec | NewSpec) -> str:
    return spec.source if isinstance(spec, LoadSpec) else ""


def _placed(device: str) -> list[str]:
    return [] if device == "cpu" else [f'model.to("{device}")']


def _import(owner: type[Any]) -> str:
    return f"from transformers import {owner.__name__}"
