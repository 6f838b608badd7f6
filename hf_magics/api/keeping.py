"""The verbs that keep models: load, make, look at, move, save, drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hf_magics.errors import OptionError
from hf_magics.first_import import first_import
from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session
from hf_magics.secret import hidden
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.modeling.configs import ConfigResult
    from hf_magics.modeling.dropping import DropResult, Notebook
    from hf_magics.modeling.listing import ModelsResult
    from hf_magics.modeling.results import ModelResult
    from hf_magics.modeling.saving import SaveResult


@orderly_interrupts()
def load(
    source: str,
    *,
    name: str = "",
    task: str = "",
    class_: str = "",
    tokenizer: Any = "",
    revision: str = "",
    gguf: str = "",
    dtype: Any = "",
    device: Any = "",
    attn: str = "",
    set: Mapping[str, Any] | None = None,
    trust_remote_code: bool = False,
    offline: bool = False,
    replace: bool = False,
    engine: str = "",
    quantize: str = "",
    endpoint: str = "",
    share: str = "",
    adapter: Any = "",
    merge: bool = False,
    settings: Settings = DEFAULTS,
    **fields: Any,
) -> ModelResult:
    """Load a pretrained model with its tokenizer into the session.

    Args:
        source: A hub id, a folder, or a ``.gguf`` file.
        name: Its name in the session; the source's last part where there is none.
        task: Choose the head by task, such as ``text-classification``.
        class_: Choose the head by class, such as ``BertModel`` or ``AutoModelForMaskedLM``.
        tokenizer: Where its tokenizer is (a source, a vocabulary file, the name of a model of the
            session), or a tokenizer object.
        revision: A branch, tag or commit of a hub id.
        gguf: The GGUF file to take from a folder or repository.
        dtype: ``float32``, ``bfloat16``, …; the checkpoint's own where there is none.
        device: ``cpu``, ``cuda:0``, …
        attn: The attention implementation, such as ``eager``.
        set: Keyword arguments of ``from_pretrained``: ``subfolder``, ``variant``, ``device_map``;
            of a server, ``timeout`` in seconds.
        trust_remote_code: Run code that comes with the checkpoint.
        offline: Take what is in the hub's cache.
        replace: Put it in the place of a model of the same name.
        engine: What computes in the place of torch: ``openvino``, ``llamacpp``.
        quantize: ``int8`` or ``int4``: smaller weights, rounded.
        endpoint: The address of a server that has the model (OpenAI's protocol), by the name that
            ``source`` is; ``HF_MAGICS_ENDPOINT_TOKEN`` in the environment is its token.
        share: The name of a model with the same backbone, whose weights this one uses as well.
        adapter: An adapter of peft, such as a LoRA, to put on the model: a folder or a hub id.
        merge: Fold the adapter into the weights: the layers are plain ones then.
        settings: Defaults.
        **fields: Fields of the config.

    Raises:
        HFMagicsError: It can't be had; the session is as it was.
    """
    from hf_magics.specs import LoadSpec

    with first_import():
        from hf_magics.engines import loader_for
    path, given = session.tokenizer_named(tokenizer)
    spec = LoadSpec(
        source=str(source),
        name=name,
        task=task,
        head=class_,
        tokenizer=path,
        revision=revision,
        gguf=gguf,
        dtype=str(dtype),
        device=str(device),
        attn=attn,
        fields=tuple(fields.items()),
        extra=tuple((one, hidden(one, value)) for one, value in (set or {}).items()),
        trust_remote_code=trust_remote_code,
        offline=offline,
        replace=replace,
        engine=engine,
        quantize=quantize,
        endpoint=endpoint,
        share=share,
        adapter=str(adapter),
        merge=merge,
    )
    return loader_for(spec)(spec, session, settings, tokenizer=given)


@orderly_interrupts()
def add(
    model: Any, tokenizer: Any = None, name: str = "", *, replace: bool = False, variable: str = ""
) -> ModelResult:
    """Put a transformers model that is already in memory into the session, as it is.

    Args:
        model: The model.
        tokenizer: Its tokenizer, or a processor, with or without a tokenizer in it.
        name: Its name in the session.
        replace: Put it in the place of a model of the same name.
        variable: The notebook's name of the model.

    Raises:
        HFMagicsError: It is no model, the tokenizer is none, or the name is taken.
    """
    with first_import():
        from hf_magics.modeling import loading
    return loading.add(model, tokenizer, name, session, variable=variable, replace=replace)


@orderly_interrupts()
def new(
    model_type: str,
    *,
    name: str = "",
    task: str = "",
    class_: str = "",
    tokenizer: Any = "",
    dtype: Any = "",
    device: Any = "",
    seed: int | None = None,
    replace: bool = False,
    settings: Settings = DEFAULTS,
    **fields: Any,
) -> ModelResult:
    """Make a model with random weights from a config.

    Args:
        model_type: transformers' name of the architecture: ``bert``, ``gpt2``, ``t5``, …
        name: Its name in the session; the type where there is none.
        task: Choose the head by task.
        class_: Choose the head by class.
        tokenizer: Where a tokenizer for it is, or a tokenizer object.
        dtype: ``float32`` where there is none.
        device: ``cpu``, ``cuda:0``, …
        seed: Makes the weights repeatable; equal to ``torch.manual_seed(seed)`` before.
        replace: Put it in the place of a model of the same name.
        settings: Defaults.
        **fields: Fields of the config.

    Raises:
        HFMagicsError: It can't be made; the session is as it was.
    """
    from hf_magics.specs import NewSpec

    with first_import():
        from hf_magics.modeling import creating
    path, given = session.tokenizer_named(tokenizer)
    spec = NewSpec(
        model_type=model_type,
        name=name,
        task=task,
        head=class_,
        tokenizer=path,
        dtype=str(dtype),
        device=str(device),
        fields=tuple(fields.items()),
        seed=seed,
        replace=replace,
    )
    return creating.new(spec, session, settings, tokenizer=given)


@orderly_interrupts()
def config(
    target: str = "",
    *,
    vs: str = "",
    all: bool = False,
    settings: Settings = DEFAULTS,
) -> ConfigResult:
    """Show the config of a session name, a source or a model type: what differs comes first.

    Args:
        target: What to look at; the current model where there is none.
        vs: Another to compare with, in place of the class's defaults.
        all: Show the fields that do not differ unfolded too.
        settings: Defaults.

    Raises:
        HFMagicsError: There is no such name, source or type.
    """
    from hf_magics.specs import ConfigSpec

    with first_import():
        from hf_magics.modeling import configs
    return configs.show_config(ConfigSpec(target, vs, all), session, offline=settings.offline)


@orderly_interrupts()
def models() -> ModelsResult:
    """List the models of the session."""
    with first_import():
        from hf_magics.modeling import listing
    return listing.ModelsResult(session)


@orderly_interrupts()
def use(name: str = "", *, device: Any = "", dtype: Any = "") -> ModelResult:
    """Make a model the current one, and move or cast it where asked.

    Raises:
        HFMagicsError: No such model, device or dtype, or no room there.
    """
    from hf_magics.specs import UseSpec

    with first_import():
        from hf_magics.modeling import using
    return using.use(UseSpec(name, str(device), str(dtype)), session)


@orderly_interrupts()
def drop(
    *names: str,
    all: bool = False,
    notebook: Notebook | None = None,
) -> DropResult:
    """Let go of models: the named ones, the current one, or all.

    Raises:
        HFMagicsError: There is no model of one of the names; none is dropped then.
    """
    from hf_magics.specs import DropSpec

    with first_import():
        from hf_magics.modeling import dropping
    chosen = tuple(session) if all else names or (session.current.name,)
    return dropping.drop(DropSpec(chosen), session, notebook)


@orderly_interrupts()
def save(
    *where: str, name: str = "", overwrite: bool = False, max_shard_size: str = ""
) -> SaveResult:
    """Write a model with its tokenizer to a folder, whole or not at all.

    ``where`` is the folder, or the name of a model and the folder.

    Raises:
        HFMagicsError: It is neither, or can't be written there; what was there is as it was.
    """
    from hf_magics.specs import SaveSpec

    if len(where) not in (1, 2):
        raise OptionError("a save takes a folder, or the name of a model and a folder")

    with first_import():
        from hf_magics.modeling import saving
    *named, path = where
    name = "".join(named) or name
    return saving.save(SaveSpec(name, str(path), overwrite, max_shard_size), session)
