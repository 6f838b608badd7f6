"""Plain transformers code for a pipeline: made, its inputs read, called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_magics.inference.answering.task import Request
from hf_magics.inference.tasks.piped.seen import Given
from hf_magics.snippets import Name, Snippet, assigned, call, from_home
from hf_magics.snippets import given as named_input

DEVICE = "model.device"


def making(task: str, expressions: Mapping[str, str]) -> Snippet:
    """Return the line that makes the pipeline over the loaded objects."""
    named = {name: Name(one) for name, one in expressions.items()}
    made = call("pipeline", task, model=Name("model"), **named)
    return Snippet(("from transformers import pipeline",), (f"pipe = {made}",))


def reading(request: Request, given: Sequence[Given], kind: str) -> Snippet:
    """Return the lines that make ``inputs``: what the pipeline is called with, one by one."""
    sources = [one.source for one in given]
    if all(_is_path(one) for one in sources):
        return _from_paths([from_home(str(one)) for one in sources], given, kind)
    if kind == "pair" and all(_is_path(one) for pair in sources for one in pair):
        pairs = [[from_home(str(one)) for one in pair] for pair in sources]
        return Snippet((), (assigned("inputs", pairs),))
    alone = request.inputs.alone
    about = _ONE[kind] if alone else _KINDS[kind]
    name, line = named_input(request.spec.variable or kind, about)
    lines = [line, f"inputs = [{name}]" if alone else f"inputs = list({name})"]
    if kind != "pair" and any(isinstance(one, tuple) for one in request.inputs.things):
        lines.append("inputs = [thing for thing, question in inputs]")
    return _converted(lines, kind, given)


_ONE = {"pair": "two images", "image": "an image", "sound": "a sound", "table": "a table"}
_KINDS = {"pair": "pairs of images", "image": "images", "sound": "sounds", "table": "tables"}


def calling(given: Sequence[Given], asks: str, arguments: Mapping[str, Any]) -> Snippet:
    """Return the line that calls the pipeline for each input."""
    questions = list(dict.fromkeys(one.question for one in given))
    if not asks:
        called = call("pipe", Name("one"), **arguments)
        return Snippet((), (f"answers = [{called} for one in inputs]",))
    if len(questions) == 1:
        called = call("pipe", Name("one"), **{asks: questions[0]}, **arguments)
        return Snippet((), (f"answers = [{called} for one in inputs]",))
    called = call("pipe", Name("one"), **{asks: Name("question")}, **arguments)
    lines = (
        assigned("questions", [one.question for one in given]),
        f"answers = [{called} for one, question in zip(inputs, questions)]",
    )
    return Snippet((), lines)


def chatting(given: Sequence[Given], arguments: Mapping[str, Any]) -> Snippet:
    """Return the lines that ask about each image in a chat of one turn."""
    called = call("pipe", text=Name("chat"), return_full_text=False, **arguments)
    lines = (
        assigned("questions", [one.question for one in given]),
        "chats = [",
        '    [{"role": "user", "content": [{"type": "image", "image": one},',
        '                                  {"type": "text", "text": question}]}]',
        "    for one, question in zip(inputs, questions)",
        "]",
        f"answers = [{called} for chat in chats]",
    )
    return Snippet((), lines)


def _is_path(one: Any) -> bool:
    return isinstance(one, (str, Path))


def _from_paths(paths: list[str], given: Sequence[Given], kind: str) -> Snippet:
    if kind == "table":
        read = "inputs = [pd.read_csv(path).astype(str) for path in paths]"
        return Snippet(("import pandas as pd",), (assigned("paths", paths), read))
    if kind == "sound" and not all(isinstance(one.value, str) for one in given):
        lines = (*_WAVE, assigned("paths", paths), "inputs = [read(path) for path in paths]")
        return Snippet(("import numpy as np", "import wave"), lines)
    return Snippet((), (assigned("inputs", paths),))


_WAVE = (
    "def read(path):",
    "    with wave.open(path) as file:",
    '        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")',
    "        channels = file.getnchannels()",
    "    return frames.reshape(-1, channels).mean(axis=1, dtype=np.float32) / 32768",
    "",
)


def _converted(lines: list[str], kind: str, given: Sequence[Given]) -> Snippet:
    if kind == "table":
        return Snippet((), (*lines, "inputs = [table.astype(str) for table in inputs]"))
    if kind == "sound" and all(hasattr(one.value, "dtype") for one in given):
        line = "inputs = [np.asarray(sound, dtype=np.float32) for sound in inputs]"
        return Snippet(("import numpy as np",), (*lines, line))
    if kind == "image" and any(hasattr(one.source, "dtype") for one in given):
        line = "inputs = [Image.fromarray(np.asarray(image)) for image in inputs]"
        return Snippet(("import numpy as np", "from PIL import Image"), (*lines, line))
    return Snippet((), tuple(lines))
