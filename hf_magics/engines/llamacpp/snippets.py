"""Plain llama-cpp-python code: what ``.code`` says of a model of this engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_magics.engines.llamacpp.chances import Sampling
from hf_magics.inference.generation.options import Plan
from hf_magics.snippets import Name, Snippet, call

CHAT_FORMAT = "chat_template.default"  # the file's own template, not one that looks like it


def llama_words(words: Mapping[str, Any], *, template: bool) -> dict[str, Any]:
    """Return the keyword arguments of ``Llama``."""
    return {**words, **({"chat_format": CHAT_FORMAT} if template else {}), "verbose": False}


def loading(path: str, words: Mapping[str, Any], *, template: bool) -> Snippet:
    """Return the ``Llama``."""
    made = call("Llama", path, **llama_words(words, template=template))
    return Snippet(("from llama_cpp import Llama",), (f"llm = {made}",))


def generate_words(sampling: Sampling) -> dict[str, Any]:
    """Return the keyword arguments of ``Llama.generate``: nothing is left to its defaults."""
    return {
        "temp": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat,
        "frequency_penalty": sampling.frequency,
        "presence_penalty": sampling.presence,
    }


def writing(sampling: Sampling, made: Plan) -> Snippet:
    """Return a text for each of ``prompts``, or as many as are asked for."""
    several = made.sequences > 1
    words = _words(sampling, made)
    if several:
        words["seed"] = Name(f"{made.seed} + number")
    loop = f" for number in range({made.sequences})" if several else ""
    completion = call("llm.create_completion", Name("prompt"), **words)
    if made.stop:
        above = _reading('choice["text"]')
        return Snippet((), (*above, *_each("texts", _until(made, completion), loop)))
    texts = 'texts = [output["choices"][0]["text"] for output in outputs]'
    return Snippet((), (*_each("outputs", completion, loop), texts))


def replying(sampling: Sampling, made: Plan) -> Snippet:
    """Return one reply to ``messages``."""
    reply = call("llm.create_chat_completion", Name("messages"), **_words(sampling, made))
    if made.stop:
        above = _reading('choice["delta"].get("content", "")')
        return Snippet((), (*above, f"text = {_until(made, reply)}", "texts = [text]"))
    return Snippet(
        (), (f"output = {reply}", 'texts = [output["choices"][0]["message"]["content"]]')
    )


def _each(name: str, value: str, loop: str) -> tuple[str, ...]:
    return (f"{name} = [", f"    {_indented(value)}", f"    for prompt in prompts{loop}", "]")


def _reading(text: str) -> tuple[str, ...]:
    """Return a function that ends a text as we do: llama.cpp's own ``stop`` leaves the string off.

    Args:
        text: What a ``choice`` of a chunk adds, as source.
    """
    return (
        "def read_until(stops, chunks):",
        '    text = ""',
        "    for chunk in chunks:",
        '        choice = chunk["choices"][0]',
        f"        text += {text}",
        "        if any(stop in text for stop in stops):",
        "            break",
        "    return text",
        "",
        "",
    )


def _until(made: Plan, chunks: str) -> str:
    return call("read_until", list(made.stop), Name(_indented(chunks)))


def _words(sampling: Sampling, made: Plan) -> dict[str, Any]:
    """Return the keyword arguments, without those that change nothing where none is drawn."""
    words: dict[str, Any] = {"max_tokens": made.limit, "temperature": sampling.temperature}
    if sampling.temperature:
        words |= {"top_k": sampling.top_k, "top_p": sampling.top_p, "min_p": sampling.min_p}
        words["seed"] = made.seed
    if sampling.penalises:
        words["repeat_penalty"] = sampling.repeat
        words["frequency_penalty"] = sampling.frequency
        words["presence_penalty"] = sampling.presence
    return words | ({"stream": True} if made.stop else {})


def _indented(lines: str) -> str:
    return lines.replace("\n", "\n    ")
