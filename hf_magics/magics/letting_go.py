"""What a shell holds on to: shown values, the last errors, variables."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_LAST = ("last_exc", "last_value", "last_traceback")
_RECENT = ("_", "__", "___")


class ShellNotebook:
    """A shell, as what can hold a model."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def let_go(self, reaches: Callable[[Any], bool]) -> None:
        """Forget every shown value that reaches a model, and the last error's traceback."""
        namespace = self._shell.user_ns
        shown = namespace.get("_oh", {})
        for number in [number for number, value in shown.items() if reaches(value)]:
            del shown[number]
            namespace.pop(f"_{number}", None)
        for name in _RECENT:
            if reaches(namespace.get(name)):
                namespace[name] = ""
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
            trace = kept.__traceback__ if isinstance(kept, BaseException) else kept
            if trace is not None:
                traceback.clear_frames(trace)
        self._shell.InteractiveTB.tb = None

    def _last_errors(self) -> Iterator[Any]:
        """Yield the errors that Python and IPython keep, and those that they came from."""
        last = self._shell.last_execution_result
        todo = [getattr(sys, name, None) for name in _LAST]
        todo += [last.error_in_exec, last.error_before_exec] if last is not None else []
        seen = set()
        while todo:
            error = todo.pop()
            if error is None or id(error) in seen:
                continue
            seen.add(id(error))
            yield error
            todo += [getattr(error, "__cause__", None), getattr(error, "__context__", None)]
