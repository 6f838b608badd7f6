"""The verbs: what the magics call, and what scripts call as ``hf_magics.load(...)``.

This is the one file that imports our own rooms inside functions: nothing of torch and transformers
is imported before a verb needs it. Each verb takes the words of its magic.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hf_magics.display.progress import progress
from hf_magics.errors import InputError
from hf_magics.modeling import store
from hf_magics.settings import Settings
from hf_magics.specs import (
    ConfigSpec,
    DropSpec,
    InferSpec,
    LoadSpec,
    NewSpec,
    SaveSpec,
    TokensSpec,
    UseSpec,
)

if TYPE_CHECKING:
    from hf_magics.display.shown import Shown
    from hf_magics.inference.infer import InferResult
    from hf_magics.inference.inputs import Inputs
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
    dtype: str = "",
    device: str = "",
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
    with _imports():
        from hf_magics.modeling import loading
    path, given = _word_or_object(tokenizer)
    spec = LoadSpec(
        source=str(source),
        name=name,
        task=task,
        head=class_,
        tokenizer=path,
        revision=revision,
        gguf=gguf,
        dtype=dtype,
        device=device,
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
    with _imports():
        from hf_magics.modeling import loading
    return loading.add(model, tokenizer, name, session, variable=variable, replace=replace)


def new(
    model_type: str,
    *,
    name: str = "",
    task: str = "",
    class_: str = "",
    tokenizer: Any = "",
    dtype: str = "",
    device: str = "",
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
    with _imports():
        from hf_magics.modeling import creating
    path, given = _word_or_object(tokenizer)
    spec = NewSpec(
        model_type=model_type,
        name=name,
        task=task,
        head=class_,
        tokenizer=path,
        dtype=dtype,
        device=device,
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
    with _imports():
        from hf_magics.modeling import configs
    return configs.show_config(ConfigSpec(target, vs, all), session, offline=settings.offline)


def models() -> ModelsResult:
    """List the models of the session."""
    with _imports():
        from hf_magics.modeling import listing
    return listing.ModelsResult(session)


def use(name: str = "", *, device: str = "", dtype: str = "") -> ModelResult:
    """Make a model the current one, and move or cast it where asked.

    Raises:
        HFMagicsError: No such model, device or dtype, or no room there.
    """
    with _imports():
        from hf_magics.modeling import listing
    return listing.use(UseSpec(name, device, dtype), session)


def drop(
    *names: str,
    all: bool = False,
    notebook: Notebook | None = None,
) -> DropResult:
    """Let go of models: the named ones, the current one, or all.

    Raises:
        HFMagicsError: There is no model of one of the names; none is dropped then.
    """
    with _imports():
        from hf_magics.modeling import dropping
    chosen = tuple(session) if all else names or (session.current.name,)
    return dropping.drop(DropSpec(chosen), session, notebook)


def save(
    path: str, *, name: str = "", overwrite: bool = False, max_shard_size: str = ""
) -> SaveResult:
    """Write a model with its tokenizer to a folder, whole or not at all.

    Raises:
        HFMagicsError: It can't be written there; what was there is as it was.
    """
    with _imports():
        from hf_magics.modeling import saving
    return saving.save(SaveSpec(name, str(path), overwrite, max_shard_size), session)


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
    with _imports():
        from hf_magics.inference import tokens as showing
    read = _texts_or_ids(inputs)
    names = (model,) if isinstance(model, str) else tuple(model)
    spec = TokensSpec(names, read.texts, read.ids, max_length, padding, special, variable)
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
    with _imports():
        from hf_magics.inference import infer as inferring
    read = _read(inputs)
    extra = tuple((set or {}).items())
    spec = InferSpec(model, read.texts, read.ids, task, max_length, extra, variable)
    return inferring.infer(spec, session, settings, tensors=read.tensors)


def overview(magics: Mapping[str, str]) -> Shown:
    """Show the models that are loaded, and the magics with a line each."""
    from hf_magics.display.guide import Overview

    return Overview(magics, models() if len(session) else None)


def usage(title: str, text: str) -> Shown:
    """Show the usage of a magic."""
    from hf_magics.display.guide import Help

    return Help(title, text)


def _read(inputs: Any) -> Inputs:
    from hf_magics.inference.inputs import read_inputs

    return read_inputs(inputs)


def _texts_or_ids(inputs: Any) -> Inputs:
    """Return the inputs; of a dictionary of tensors, as a tokenizer gives one, the IDs."""
    read = _read(inputs)
    if read.tensors is None:
        return read
    if "input_ids" not in read.tensors:
        raise InputError("the dictionary has no 'input_ids': give texts or token IDs")
    return _read(read.tensors["input_ids"])


def _word_or_object(tokenizer: Any) -> tuple[str, Any]:
    """Return where a tokenizer is, and the object where there is one already."""
    if not isinstance(tokenizer, str):
        return "", tokenizer
    if tokenizer in session:
        loaded = session[tokenizer]
        return loaded.tokenizer_source, loaded.tokenizer
    return tokenizer, None


@contextlib.contextmanager
def _imports() -> Iterator[None]:
    """Import what a verb needs; the first time that takes seconds, which a line says.

    An interrupt is held back until the imports are done: one in their middle would leave
    transformers broken for the rest of the process.
    """
    if "hf_magics.modeling.loading" in sys.modules:
        yield
        return
    with (
        progress("importing torch and transformers") as meter,
        _no_interrupt(),
        warnings.catch_warnings(),
    ):
        # tqdm finds no widgets for the bars that are never shown: progress is ours
        warnings.filterwarnings("ignore", message="IProgress not found")
        meter.at_once()
        from hf_magics.modeling import loading  # noqa: F401 - the room behind which all the rest is

        yield


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold SIGINT back; the handler that was there is called after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *caught: held.append(caught))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held and callable(before):
        before(*held[-1])
