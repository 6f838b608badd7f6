"""What a shell holds on to: shown values, the last errors, variables."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from hf_magics.errors import with_causes

_LAST = ("last_exc", "last_value", "last_traceback")
_RECENT = ("_", "__", "___")
_SHOWN = re.compile(r"_{1,3}|_\d+")


class ShellNotebook:
    """A shell, as what can hold a model."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def let_go(self, reaches: Callable[[Any], bool]) -> None:
        """Forget every shown value that reaches a model, and the last error's traceback."""
        shown = self._shell.user_ns.get("_oh", {})
        for number in [number for number, value in shown.items() if reaches(value)]:
            del shown[number]
        # IPython pushes what it shows into both: the second is its list of names that are not yours
        for names in (self._shell.user_ns, self._shell.user_ns_hidden):
            for name in [name for name in names if _SHOWN.fullmatch(name) and reaches(names[name])]:
                names[name] = ""
                if name not in _RECENT:
                    del names[name]
        for name in _RECENT:
            if reaches(getattr(self._shell.displayhook, name, None)):
                setattr(self._shell.displayhook, name, "")
        last = self._shell.last_execution_result
        if last is not None and reaches(last.result):
            last.result = None
        self._forget_errors()

    def variables(self) -> Mapping[str, Any]:
        """Return the variables that the user made."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self._shell.user_ns.items()
            if name not in hidden and not name.startswith("_")
        }

    def _forget_errors(self) -> None:
        """Clear the frames of the last errors: their text can still be read."""
        for kept in self._last_errors():
            _clear(kept.__traceback__ if isinstance(kept, BaseException) else kept)
        self._shell.InteractiveTB.tb = None

    def _last_errors(self) -> Iterator[Any]:
        """Yield the errors that Python and IPython keep, and those that they came from."""
        last = self._shell.last_execution_result
        kept = [getattr(sys, name, None) for name in _LAST]
        kept += [last.error_in_exec, last.error_before_exec] if last is not None else []
        for one in kept:
            if isinstance(one, BaseException):
                yield from with_causes(one)
            elif one is not None:
                yield one  # a bare traceback


def _clear(trace: TracebackType | None) -> None:
    """Clear the frames of a traceback.

    Before Python 3.13 a frame whose variables were looked at keeps a copy of them, which is brought
    up to date where it is asked for again.
    """
    traceback.clear_frames(trace)
    for frame, _line in traceback.walk_tb(trace):
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            _ = frame.f_locals
