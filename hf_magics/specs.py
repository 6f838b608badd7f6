"""What was asked, as frozen values: one spec a verb.

A verb resolves its spec (the class that was chosen, the commit that a hub id stands for) and
appends that to ``session.log``; plain code is written from it. A spec holds numbers and strings,
never a model or a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Fields = tuple[tuple[str, Any], ...]
"""Config fields or keyword arguments with their values, in the order they were given."""

TokenIds = tuple[tuple[int, ...], ...]
"""A list of token IDs a line."""


@dataclass(frozen=True)
class LoadSpec:
    """A pretrained model: ``source`` is a hub id, a folder or a ``.gguf`` file.

    Or it came from the Python name ``variable``. ``head`` is the class that was asked for, or, once
    resolved, used; ``extra`` are keyword arguments of ``from_pretrained``. ``engine`` computes in
    the place of torch, ``endpoint`` is a server that has the model, ``share`` the name of one whose
    backbone this uses as well. ``adapter`` is put on it, and with ``merge`` folded into it.
    """

    source: str
    name: str = ""
    task: str = ""
    head: str = ""
    tokenizer: str = ""
    revision: str = ""
    gguf: str = ""
    dtype: str = ""
    device: str = ""
    attn: str = ""
    fields: Fields = ()
    extra: Fields = ()
    trust_remote_code: bool = False
    offline: bool = False
    replace: bool = False
    variable: str = ""
    engine: str = ""
    quantize: str = ""
    endpoint: str = ""
    share: str = ""
    adapter: str = ""
    merge: bool = False


@dataclass(frozen=True)
class NewSpec:
    """A model made from a config; ``model_type`` is transformers' name, such as ``bert``."""

    model_type: str
    name: str = ""
    task: str = ""
    head: str = ""
    tokenizer: str = ""
    dtype: str = ""
    device: str = ""
    fields: Fields = ()
    seed: int | None = None
    replace: bool = False


@dataclass(frozen=True)
class ConfigSpec:
    """A config to look at: a session name, a source or a model type; ``versus`` is another."""

    target: str
    versus: str = ""
    everything: bool = False


@dataclass(frozen=True)
class TokensSpec:
    """Texts to tokenise, or ``ids`` to decode, with one tokenizer or several."""

    names: tuple[str, ...]
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    max_length: int | None = None
    padding: str = ""
    special: bool = True
    variable: str = ""


@dataclass(frozen=True)
class InferSpec:
    """Inputs to run through a model: ``texts``, ``ids``, or the tensors of ``variable``.

    ``options`` are those of the task, such as ``labels``; ``extra`` are keyword arguments of the
    model's ``forward``, or of ``generate`` where the task writes text. ``capture`` are patterns of
    module paths, and ``keep`` is what of their tensors is kept: ``mean``, ``last`` or ``all``.
    """

    name: str
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    task: str = ""
    max_length: int | None = None
    options: Fields = ()
    extra: Fields = ()
    variable: str = ""
    capture: tuple[str, ...] = ()
    keep: str = ""


@dataclass(frozen=True)
class MapSpec:
    """A column of inputs to run through a model.

    ``source`` is how the inputs are named: a variable or a file; ``column`` is the one of a table
    or file. ``to`` is the file that the answers go to, ``checkpoint`` the folder of what is
    finished. ``options`` and ``extra`` are as in `InferSpec`. ``on`` is ``ray`` or nothing.
    """

    name: str
    source: str
    column: str = ""
    task: str = ""
    max_length: int | None = None
    options: Fields = ()
    extra: Fields = ()
    to: str = ""
    checkpoint: str = ""
    overwrite: bool = False
    strict: bool = False
    batch_tokens: int | None = None
    on: str = ""
    address: str = ""
    actors: int | None = None


@dataclass(frozen=True)
class SaveSpec:
    """A model to write to the folder ``path``."""

    name: str
    path: str
    overwrite: bool = False
    max_shard_size: str = ""


@dataclass(frozen=True)
class UseSpec:
    """A model to make the current one, and to move or cast where asked."""

    name: str
    device: str = ""
    dtype: str = ""


@dataclass(frozen=True)
class DropSpec:
    """Models to let go."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class GenerateSpec:
    """Prompts to write on from: ``texts``, ``ids``, or the tensors of ``variable``.

    ``extra`` are fields of transformers' ``GenerationConfig``. Of a spec in the log,
    ``max_new_tokens`` and ``seed`` are those that were used.
    """

    name: str
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    beams: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    sequences: int | None = None
    extra: Fields = ()
    variable: str = ""


@dataclass(frozen=True)
class ChatSpec:
    """A turn of a conversation: ``text`` is what the user says, ``""`` to look at what was said.

    ``new`` begins anew, ``undo`` takes the last turn back; ``extra`` are fields of transformers'
    ``GenerationConfig``. Of a spec in the log, ``max_new_tokens`` and ``seed`` are those that were
    used.
    """

    name: str
    text: str = ""
    system: str = ""
    new: bool = False
    undo: bool = False
    show_prompt: bool = False
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Fields = ()


@dataclass(frozen=True)
class LayersSpec:
    """The modules of a session name, a source or a model type.

    ``depth`` is how many levels are shown, None for all; ``find`` a regular expression for paths;
    ``measured`` says that inputs were run through it, and ``texts`` are those.
    """

    target: str
    fields: Fields = ()
    task: str = ""
    head: str = ""
    depth: int | None = None
    find: str = ""
    measured: bool = False
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    variable: str = ""


@dataclass(frozen=True)
class AttentionSpec:
    """The attention weights of one input: of a ``layer``, a ``head``, or all where they are None.

    ``kind`` is ``self``, ``encoder``, ``decoder`` or ``cross``; ``""`` is the model's first.
    """

    name: str
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    layer: int | None = None
    head: int | None = None
    kind: str = ""
    variable: str = ""


@dataclass(frozen=True)
class LensSpec:
    """What the head says of each layer: ``target`` is a token to follow, at a ``position``.

    ``hidden`` says that norms and cosines of the hidden states are wanted too.
    """

    name: str
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    target: str = ""
    position: int | None = None
    hidden: bool = False
    variable: str = ""


@dataclass(frozen=True)
class ScoreSpec:
    """Lines whose tokens are scored: ``texts`` or ``ids``."""

    name: str
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    max_length: int | None = None
    variable: str = ""


@dataclass(frozen=True)
class CompareSpec:
    """Two models of the session side by side; ``texts`` or ``ids`` were run through both."""

    name: str
    other: str
    texts: tuple[str, ...] = ()
    ids: TokenIds = ()
    max_length: int | None = None
    variable: str = ""


@dataclass(frozen=True)
class CodeSpec:
    """What was done as plain code: the last step, all with the model ``name``, or ``everything``.

    ``to`` and ``notebook`` are files to write it to; ``explain`` says why each step is there. It
    does nothing itself, and is not in the log.
    """

    name: str = ""
    everything: bool = False
    to: str = ""
    notebook: str = ""
    overwrite: bool = False
    explain: bool = False
