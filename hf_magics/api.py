"""The verbs: what the magics call, and what scripts call as ``hf_magics.load(...)``.

This is the one file that imports our own rooms inside functions: nothing of torch and transformers
is imported before a verb needs it. Each verb takes the words of its magic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hf_magics import specs
from hf_magics.first_import import first_import
from hf_magics.modeling import store
from hf_magics.settings import Settings

if TYPE_CHECKING:
    from hf_magics.inference.infer import InferResult
    from hf_magics.inference.tokens import ComparedTokens, TokensResult
    from hf_magics.modeling.configs import ConfigResult
    from hf_magics.modeling.dropping import DropResult, Notebook
    from hf_magics.modeling.listing import ModelsResult
    from hf_magics.modeling.results import ModelResult
    from hf_magics.modeling.saving import SaveResult

DEFAULTS = Settings()

session = store.session


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
        set: Keyword arguments of ``from_pretrained``: ``subfolder``, ``variant``, ``device_map``.
        trust_remote_code: Run code that comes with the checkpoint.
        offline: Take what is in the hub's cache.
        replace: Put it in the place of a model of the same name.
        settings: Defaults.
        **fields: Fields of the config.

    Raises:
        HFMagicsError: It can't be had; the session is as it was.
    """
    with first_import():
        from hf_magics.modeling import loading
    path, given = session.tokenizer_named(tokenizer)
    spec = specs.LoadSpec(
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
        extra=tuple((set or {}).items()),
        trust_remote_code=trust_remote_code,
        offline=offline,
        replace=replace,
    )
    return loading.load(spec, session, settings, tokenizer=given)


def add(
    model: Any, tokenizer: Any = None, name: str = "", *, replace: bool = False, variable: str = ""
) -> ModelResult:
    """Put a transformers model that is already in memory into the session, as it is.

    Raises:
        HFMagicsError: It is no model, the tokenizer is none, or the name is taken.
    """
    with first_import():
        from hf_magics.modeling import loading
    return loading.add(model, tokenizer, name, session, variable=variable, replace=replace)


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
    with first_import():
        from hf_magics.modeling import creating
    path, given = session.tokenizer_named(tokenizer)
    spec = specs.NewSpec(
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
    with first_import():
        from hf_magics.modeling import configs
    return configs.show_config(specs.ConfigSpec(target, vs, all), session, offline=settings.offline)


def models() -> ModelsResult:
    """List the models of the session."""
    with first_import():
        from hf_magics.modeling import listing
    return listing.ModelsResult(session)


def use(name: str = "", *, device: Any = "", dtype: Any = "") -> ModelResult:
    """Make a model the current one, and move or cast it where asked.

    Raises:
        HFMagicsError: No such model, device or dtype, or no room there.
    """
    with first_import():
        from hf_magics.modeling import listing
    return listing.use(specs.UseSpec(name, str(device), str(dtype)), session)


def drop(
    *names: str,
    all: bool = False,
    notebook: Notebook | None = None,
) -> DropResult:
    """Let go of models: the named ones, the current one, or all.

    Raises:
        HFMagicsError: There is no model of one of the names; none is dropped then.
    """
    with first_import():
        from hf_magics.modeling import dropping
    chosen = tuple(session) if all else names or (session.current.name,)
    return dropping.drop(specs.DropSpec(chosen), session, notebook)


def save(
    *where: str, name: str = "", overwrite: bool = False, max_shard_size: str = ""
) -> SaveResult:
    """Write a model with its tokenizer to a folder, whole or not at all.

    ``where`` is the folder, or the name of a model and the folder.

    Raises:
        HFMagicsError: It can't be written there; what was there is as it was.
    """
    with first_import():
        from hf_magics.modeling import saving
    *named, path = where
    name = "".join(named) or name
    return saving.save(specs.SaveSpec(name, str(path), overwrite, max_shard_size), session)


def tokens(
    inputs: Any,
    *,
    model: str | tuple[str, ...] | list[str] = (),
    max_length: int | None = None,
    padding: str = "",
    special: bool = True,
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> TokensResult | ComparedTokens:
    """Show the tokens of texts, or decode token IDs.

    Args:
        inputs: A text, a list or Series of texts (a tab parts a pair), or token IDs.
        model: The name of a model, or several to compare their tokenizers.
        max_length: Cut each text to so many tokens.
        padding: ``longest`` or ``max_length``.
        special: Whether special tokens are added, and shown where IDs are decoded.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, no tokenizer, no text, or an ID outside the vocabulary.
    """
    with first_import():
        from hf_magics.inference import tokens as showing
        from hf_magics.inference.inputs import texts_or_ids
    read = texts_or_ids(inputs)
    names = (model,) if isinstance(model, str) else tuple(model)
    spec = specs.TokensSpec(names, read.texts, read.ids, max_length, padding, special, variable)
    return showing.show_tokens(spec, session, settings)


def infer(
    inputs: Any,
    *,
    model: str = "",
    task: str = "",
    max_length: int | None = None,
    set: Mapping[str, Any] | None = None,
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> InferResult:
    """Run texts, token IDs or tensors through a model.

    Args:
        inputs: A text, a list or Series of texts (a tab parts a pair), token IDs, or a dictionary
        of
            tensors as the model's ``forward`` takes them.
        model: The name of a model; the current one where there is none.
        task: How the answer is shown; ``features`` shows the tensors of any model.
        max_length: Tokens of one input at most.
        set: Keyword arguments of ``forward``, such as ``output_hidden_states``.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model or task, no tokenizer, or an input that can't be run.
    """
    with first_import():
        from hf_magics.inference import infer as inferring
        from hf_magics.inference.inputs import read_inputs
    read = read_inputs(inputs)
    extra = tuple((set or {}).items())
    spec = specs.InferSpec(model, read.texts, read.ids, task, max_length, extra, variable)
    return inferring.infer(spec, session, settings, tensors=read.tensors)
