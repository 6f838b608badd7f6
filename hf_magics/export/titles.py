"""A line of words for each kind of step: the headings of a script and of a notebook's cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hf_magics import specs
from hf_magics.display.numbers import plural
from hf_magics.display.visible import visible

_LONG = 60


def title(spec: Any) -> str:
    """Return what a step did, in a few words: of a path in them nothing can end the comment."""
    return visible(" ".join(TITLES[type(spec)](spec).split()))


def _load(spec: specs.LoadSpec) -> str:
    if not spec.source:
        return f"Take the notebook's {spec.variable}"
    how = (
        f" with {spec.engine}" if spec.engine else f" from {_endpoint(spec)}" * bool(spec.endpoint)
    )
    how += f" with the adapter {_where(spec.adapter)}" * bool(spec.adapter)
    return f"Load {_where(spec.source)}{f' as {spec.head}' if spec.head else ''}{how}"


def _endpoint(spec: specs.LoadSpec) -> str:
    return spec.endpoint.rpartition("@")[2]  # a name and a password may stand before it


def _new(spec: specs.NewSpec) -> str:
    return f"Make a {spec.head} with random weights"


def _config(spec: specs.ConfigSpec) -> str:
    return f"Read the config of {_where(spec.target)}"


def _tokens(spec: specs.TokensSpec) -> str:
    if spec.ids:
        return f"Decode {plural(len(spec.ids), 'line')} of token IDs"
    return f"Tokenise {_texts(spec.texts)}"


def _infer(spec: specs.InferSpec) -> str:
    what = _given(spec)
    behind = f", and keep {', '.join(spec.capture)}" if spec.capture else ""
    return f"Run {what} through {spec.name}: {spec.task}{behind}"


def _map(spec: specs.MapSpec) -> str:
    return f"Run the column {_short(spec.source)} through {spec.name}: {spec.task}"


def _save(spec: specs.SaveSpec) -> str:
    return f"Save {spec.name} to {_where(spec.path)}"


def _use(spec: specs.UseSpec) -> str:
    where = f" on {spec.device}" if spec.device else ""
    return f"Go on with {spec.name}{where}{f' in {spec.dtype}' if spec.dtype else ''}"


def _drop(spec: specs.DropSpec) -> str:
    return f"Let go of {', '.join(spec.names)}"


def _generate(spec: specs.GenerateSpec) -> str:
    return f"Let {spec.name} write on from {_given(spec)}"


def _chat(spec: specs.ChatSpec) -> str:
    return f"Chat with {spec.name}: {_short(spec.text)}" if spec.text else f"Chat with {spec.name}"


def _layers(spec: specs.LayersSpec) -> str:
    return f"List the modules of {_where(spec.target)}"


def _attention(spec: specs.AttentionSpec) -> str:
    return f"Attention weights of {spec.name} for {_given(spec)}"


def _lens(spec: specs.LensSpec) -> str:
    return f"The logit lens of {spec.name} for {_given(spec)}"


def _score(spec: specs.ScoreSpec) -> str:
    return f"Score each token of {_given(spec)} under {spec.name}"


def _compare(spec: specs.CompareSpec) -> str:
    return f"Compare {spec.name} with {spec.other}"


TITLES: dict[type, Callable[[Any], str]] = {
    specs.LoadSpec: _load,
    specs.NewSpec: _new,
    specs.ConfigSpec: _config,
    specs.TokensSpec: _tokens,
    specs.InferSpec: _infer,
    specs.MapSpec: _map,
    specs.SaveSpec: _save,
    specs.UseSpec: _use,
    specs.DropSpec: _drop,
    specs.GenerateSpec: _generate,
    specs.ChatSpec: _chat,
    specs.LayersSpec: _layers,
    specs.AttentionSpec: _attention,
    specs.LensSpec: _lens,
    specs.ScoreSpec: _score,
    specs.CompareSpec: _compare,
}


def _given(spec: Any) -> str:
    if spec.texts:
        return _texts(spec.texts)
    if spec.ids:
        return f"{plural(len(spec.ids), 'line')} of token IDs"
    return f"the notebook's {spec.variable}" if spec.variable else "the inputs"


def _texts(texts: tuple[str, ...]) -> str:
    return f'"{_short(texts[0])}"' if len(texts) == 1 else plural(len(texts), "text")


def _where(source: str) -> str:
    """Return the last parts of a long path; the code below has it whole."""
    is_long = len(source) > _LONG and "/" in source
    return f"…/{'/'.join(source.split('/')[-2:])}" if is_long else _short(source)


def _short(text: str) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _LONG else f"{line[: _LONG - 1]}…"
