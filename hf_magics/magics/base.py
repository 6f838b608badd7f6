"""What every magic shares: its line read, its errors in one line, its result bound and returned."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, needs_local_scope, no_var_expand
from traitlets import Bool, Int, TraitType, Unicode

from hf_magics import api
from hf_magics.display.guide import Help
from hf_magics.display.progress import lines_from
from hf_magics.display.shown import Shown
from hf_magics.display.streaming import streams_from
from hf_magics.display.visible import make_visible, visible
from hf_magics.display.words import one_line
from hf_magics.errors import HFMagicsError, OptionError, is_full
from hf_magics.interrupts import orderly_interrupts
from hf_magics.magics.asked import Asked, pairs, read
from hf_magics.magics.binding import bind
from hf_magics.magics.hints import hints_on
from hf_magics.magics.lines import look_up
from hf_magics.magics.progress import line_maker, stream_maker
from hf_magics.settings import Settings

_TRAITS: dict[type, type[TraitType[Any, Any]]] = {bool: Bool, int: Int, str: Unicode}
_TASK_OPTIONS = (  # those that a verb takes as the line gives them
    *("task", "max_length", "template", "multi_label", "from_", "top_k", "aggregate"),
    *("pooling", "beams", "max_new_tokens"),
)
_EXAMPLES = "\nExamples:\n"
_SETTINGS = {setting.name: setting for setting in fields(Settings)}
_FULL = (
    "there is no memory left for this: give fewer or shorter lines, or a smaller --max-length; "
    "%hf_drop gives back a model's, %hf_models shows which there are"
)


def _trait(name: str) -> Any:
    """Return the configurable trait for a field of `Settings`: its default and its help."""
    setting = _SETTINGS[name]
    return _TRAITS[type(setting.default)](setting.default, **setting.metadata).tag(config=True)


class HelpAsked(Exception):  # noqa: N818 - nothing is wrong: the line asks for the usage
    """There is ``--help`` among the options; the usage is the message."""


class Base(Magics):
    """The way from a line to a verb and back."""

    shell: Any  # IPython says that it may be None, and gives one to every magics class
    local: Mapping[str, Any] = MappingProxyType({})  # the variables of the function that is run

    device = _trait("device")
    dtype = _trait("dtype")
    attn = _trait("attn")
    rows = _trait("rows")
    max_new_tokens = _trait("max_new_tokens")
    outputs_bytes = _trait("outputs_bytes")
    offline = _trait("offline")

    @property
    def settings(self) -> Settings:
        """The traits as one frozen value."""
        return Settings(**{name: getattr(self, name) for name in _SETTINGS})

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's variables."""
        return {**self.shell.user_ns, **self.local}

    def ask(
        self, method: Any, line: str, cell: str | None = None, *, has_text: bool = False
    ) -> Asked:
        """Read the line of a magic by its own options."""
        asked = read(method.parser, line, cell, self.variables, has_text=has_text)
        if asked.options.help:
            raise HelpAsked(usage_of(method.parser))
        return asked

    def word_or_object(self, word: str) -> Any:
        """Return the notebook's object of that name where it is no string, else the word itself."""
        value = self.variables.get(word, word)
        return word if isinstance(value, str) else value

    def labels(self, words: str) -> Any:
        """Return what ``--labels`` gives: a variable's list, else the words as they are.

        Raises:
            OptionError: There is no label in it.
        """
        labels = self.word_or_object(words)
        given = labels.strip(" ,") if isinstance(labels, str) else labels
        # by its length: of an array or a Series the truth is an error
        is_empty = given is None or (hasattr(given, "__len__") and len(given) == 0)
        if words and is_empty:
            raise OptionError("--labels needs labels, parted by commas: --labels sports,politics")
        if isinstance(labels, str) and labels.startswith("["):
            raise OptionError("--labels takes a,b,c or the name of a list, without $ and brackets")
        return labels

    def task_words(self, given: Any) -> dict[str, Any]:
        """Return what a line says of a task and its limits, as the verbs take it: all but TO.

        Raises:
            OptionError: There is no label in ``--labels``, or no such variable for ``--context``.
        """
        return {name: getattr(given, name) for name in _TASK_OPTIONS} | {
            "labels": self.labels(given.labels),
            "context": look_up(given.context, self.variables) if given.context else None,
            "set": pairs(given.set),
        }

    def give(self, asked: Asked, result: Shown, method: Any) -> Shown:
        """Bind the result where ``-o`` says so, and return the one that is shown."""
        result.hints = hints_on(asked, method.parser, api.session)
        name = getattr(asked.options, "output", "")
        if name:
            bind(name, result, self.shell, self.variables)
        shown = result
        if hasattr(result, "kept_in"):
            shown = result.kept_in(api.session.kept, self.settings.outputs_bytes)
            shown.hints = result.hints
        return quiet(shown, self.shell) if getattr(asked.options, "quiet", False) else shown


def magic(method: Callable[..., Shown]) -> Any:
    """Make a method show its help, its progress, and its errors in one line.

    The line is IPython's own ``UsageError``: the cell fails without a traceback. It is raised
    outside of the handler, so that no traceback keeps a half-loaded model alive. The ``Examples:``
    of the docstring stand at the end of the help.
    """
    _put_examples_last(method)

    @no_var_expand  # the grammar's own expansion is in `lines`
    @needs_local_scope
    @functools.wraps(method)
    def run(
        self: Base, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            with (
                orderly_interrupts(),
                lines_from(line_maker(self.shell)),
                streams_from(stream_maker(self.shell)),
                _variables_of(self, local_ns or {}),
            ):
                return method(self, line) if cell is None else method(self, line, cell)
        except HelpAsked as asked:
            return Help(method.__name__, str(asked))
        except HFMagicsError as error:
            message = visible(one_line(error))
        except Exception as error:
            if not is_full(error):
                make_visible(error)
                raise
            message = _FULL
        raise UsageError(message)

    return run


def usage_of(parser: Any) -> str:
    """Return a magic's usage without the marks that IPython's formatter adds for reST."""
    text = parser.format_help().removeprefix("::\n\n").lstrip()
    return re.sub(r"<([A-Z|=,]+)>( *)", _unmarked, text)


def _unmarked(found: re.Match[str]) -> str:
    word, space = found.groups()
    return f"{word}  {space}" if space else word  # what stands behind it stays in its column


def _put_examples_last(method: Any) -> None:
    """Move the examples of a magic's docstring behind its options, where a usage ends."""
    parser = method.parser
    about, begin, examples = inspect.cleandoc(parser.description).partition(_EXAMPLES)
    if begin:
        parser.description = about.rstrip()
        parser.epilog = begin + examples  # the line break keeps IPython from dedenting them
    method.__doc__ = usage_of(parser)


def quiet(result: Shown, shell: Any) -> Shown:
    """Return the result in a form that IPython shows nothing of, as long as this cell runs."""
    cell = shell.execution_count

    def show() -> None:
        if shell.execution_count != cell:
            raise NotImplementedError  # which IPython takes for: show it as any other object

    other: Any = copy.copy(result)
    other._ipython_display_ = show
    return other  # type: ignore[no-any-return]


@contextlib.contextmanager
def _variables_of(magics: Base, local: Mapping[str, Any]) -> Iterator[None]:
    magics.local = local
    try:
        yield
    finally:
        magics.local = {}
