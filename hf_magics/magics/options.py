"""The options that magics share, in bundles, and the decorator that gives a magic its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from IPython.core.magic_arguments import MagicArgumentParser, argument, kwds, magic_arguments

from hf_magics.modeling.heads import TASKS

Decorator = Callable[[Any], Any]


def options(usage: str, *given: Decorator) -> Decorator:
    """Return one decorator for a magic's usage line and options; every magic has ``--help``.

    The first line of the docstring is kept as ``summary``: IPython puts the whole help in its
    place.
    """
    last = argument("-h", "--help", action="store_true", help="show this")
    line: Any = kwds(usage=usage.replace("%", "%%"))  # argparse fills in a usage as a template

    def decorate(method: Any) -> Any:
        method.summary = (method.__doc__ or "").partition("\n")[0]
        for one in reversed((line, *given, last)):
            method = one(method)
        return magic_arguments()(method)

    return decorate


MODEL = argument(
    "-m", "--model", default="", metavar="NAME", help="the model; else the current one"
)
NAME = argument("-n", "--name", default="", metavar="NAME", help="its name in the session")
HEAD = (
    argument(
        "--task", default="", metavar="TASK", help="choose the head by task, such as fill-mask"
    ),
    argument(
        "--class",
        dest="class_",
        default="",
        metavar="CLASS",
        help="… or by class, such as BertModel",
    ),
    argument("--tokenizer", default="", metavar="SOURCE|VAR", help="where its tokenizer is"),
)
PLACE = (
    argument(
        "--dtype", default="", metavar="D", help="float32, bfloat16, float16; auto: as stored"
    ),
    argument(
        "--device", default="", metavar="D", help="cpu, cuda, cuda:1, mps; auto: a GPU if any"
    ),
)
ENGINE = (
    argument("--engine", default="", metavar="E", help="openvino, llamacpp; else torch"),
    argument("--quantize", default="", metavar="Q", help="int8, int4: smaller weights, rounded"),
    argument("--endpoint", default="", metavar="URL", help="a server that has the model"),
    argument("--share", default="", metavar="NAME", help="use the backbone of this model as well"),
    argument("--adapter", default="", metavar="PATH", help="put a LoRA or its kin on the model"),
    argument("--merge", action="store_true", help="fold the adapter into the weights"),
)
REPLACE = argument("--replace", action="store_true", help="take the place of a model of that name")
INPUT = argument("-i", "--input", default="", metavar="VAR", help="a variable with the input")
OUTPUT = (
    argument("-o", "--output", default="", metavar="VAR", help="bind the result, its tensors kept"),
    argument("-q", "--quiet", action="store_true", help="show nothing"),
)
WHOLE = argument("--whole", action="store_true", help="take the cell as one input, not one a line")
LENGTH = argument(
    "--max-length", type=int, default=None, metavar="N", help="tokens of one input at most"
)
SET = argument(
    "--set", action="append", metavar="KEY=VALUE", help="an argument to pass on; repeatable"
)
TASK = (
    argument("--task", default="", metavar="TASK", help="how to answer; features: the tensors"),
    argument("--labels", default="", metavar="A,B,C", help="zero-shot: the labels"),
    argument("--template", default="", metavar="TEXT", help="zero-shot: the hypothesis, with {}"),
    argument("--multi-label", action="store_true", help="zero-shot: several labels may hold"),
    argument("--context", default="", metavar="VAR", help="questions: the text with the answers"),
    argument("--from", dest="from_", default="", metavar="LANG", help="translation: from"),
    argument("--to", default="", metavar="LANG", help="translation: to"),
    argument("--top-k", type=int, default=None, metavar="N", help="answers an input"),
    argument("--aggregate", default="", metavar="A", help="words' labels by first, average or max"),
    argument("--pooling", default="", metavar="P", help="embeddings by mean, cls, max or last"),
    argument("--beams", type=int, default=None, metavar="N", help="writing: the number of beams"),
    argument(
        "--max-new-tokens", type=int, default=None, metavar="N", help="writing: tokens at most"
    ),
)
"""What the tasks of an inference take: a task refuses what it has no use for."""
WRITING = (
    argument("--max-new-tokens", type=int, default=None, metavar="N", help="tokens at most"),
    argument("--temperature", type=float, default=None, metavar="T", help="0 is greedy; else draw"),
    argument("--top-p", type=float, default=None, metavar="P", help="draw from this probability"),
    argument("--top-k", type=int, default=None, metavar="K", help="draw from the K likeliest"),
    argument("--beams", type=int, default=None, metavar="N", help="compare N texts; no streaming"),
    argument("--seed", type=int, default=None, metavar="N", help="makes what is drawn repeatable"),
    argument("--stop", action="append", metavar="TEXT", help="end at this text; repeatable"),
)
"""How text is written, one prompt or a chat."""
CHOICES = {
    "--task": tuple(TASKS),
    "--dtype": ("auto", "float32", "bfloat16", "float16", "float64"),
    "--device": ("auto", "cpu", "cuda", "mps"),
    "--attn": ("eager", "sdpa", "flash_attention_2"),
    "--engine": ("torch", "openvino", "llamacpp"),
    "--quantize": ("int8", "int4"),
    "--padding": ("longest", "max_length"),
    "--aggregate": ("first", "average", "max"),
    "--kind": ("self", "encoder", "decoder", "cross"),
    "--keep": ("mean", "last", "all"),
    "--pooling": ("mean", "cls", "max", "last"),
}
"""What Tab offers for an option's value."""


def option_names(parser: MagicArgumentParser) -> dict[str, argparse.Action]:
    """Return the magic's options by each of their spellings."""
    return {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001
