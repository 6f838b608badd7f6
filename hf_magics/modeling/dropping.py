"""Drop: let go of models, and say what came back and what still holds them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Protocol

import psutil
import torch

from hf_magics.display.numbers import size
from hf_magics.display.parts import Column, Note, Page, Table, facts
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.modeling.placement import weight_bytes
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.specs import DropSpec

_MOST_OBJECTS = 200_000


class Notebook(Protocol):
    """What can hold a model beside the session: ``Out[]``, tracebacks, variables."""

    def let_go(self, reaches: Any) -> None:
        """Forget shown values and tracebacks for which ``reaches(value)`` is true."""

    def variables(self) -> Mapping[str, Any]:
        """Return the user's own variables."""


def drop(spec: DropSpec, session: Session, notebook: Notebook | None = None) -> DropResult:
    """Let go of models, all of them where the spec names none.

    Raises:
        SessionNameError: There is no model of one of the names; none is dropped then.
    """
    names = list(dict.fromkeys(spec.names or tuple(session)))
    for name in names:
        session.get(name)
    before = _memory()
    dropped = [_Dropped(session.remove(name)) for name in names]
    held = _release(dropped, notebook)
    after = _memory()
    session.log.append(DropSpec(tuple(names)))
    rows = tuple((one.name, one.head, one.nbytes) for one in dropped)
    alive = tuple(one.name for one in dropped if one.model() is not None)
    return DropResult(rows, before, after, alive, held)


class DropResult(Shown):
    """The models that are gone, and the bytes that came back."""

    def __init__(
        self,
        rows: tuple[tuple[str, str, int], ...],
        before: tuple[int, int],
        after: tuple[int, int],
        alive: tuple[str, ...],
        held: tuple[str, ...],
    ) -> None:
        self._rows = rows
        self._before, self._after = before, after
        self.alive = alive
        self.held_by = held
        self.code = "".join(f"del model  # {name}\n" for name, _, _ in rows)

    @property
    def freed_bytes(self) -> int:
        """How much smaller the process is now, its GPU memory included."""
        return sum(self._before) - sum(self._after)

    def records(self) -> list[dict[str, Any]]:
        """A row a model."""
        return [{"name": name, "class": head, "bytes": nbytes} for name, head, nbytes in self._rows]

    def page(self) -> Page:
        """What was dropped, and the memory before and after."""
        notes = []
        if self.alive:
            names = sentence_list(self.alive)
            holders = (
                sentence_list(self.held_by) if self.held_by else "something outside the notebook"
            )
            say = f": del {', '.join(self.held_by)}" if self.held_by else ""
            notes.append(Note(f"{names} is still in memory, held by {holders}{say}"))
        columns = (Column("model"), Column("class", mono=True), Column("weights", "right"))
        rows = tuple((name, head, size(nbytes)) for name, head, nbytes in self._rows)
        memory = facts(
            {
                "came back": size(max(0, self.freed_bytes)),
                "process memory": f"{size(self._before[0])} → {size(self._after[0])}",
                "GPU memory": f"{size(self._before[1])} → {size(self._after[1])}"
                if self._before[1]
                else "",
            }
        )
        title = f"dropped {sentence_list(name for name, _, _ in self._rows)}"
        return Page(title, (memory, Table(columns, rows)), tuple(notes))


class _Dropped:
    """What is left of a model when nothing may hold it: its name, size, and a weak reference."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.name = loaded.name
        self.head = type(loaded.model).__name__
        self.nbytes = weight_bytes(loaded.model)
        self.model = weakref.ref(loaded.model)
        self.entry = weakref.ref(loaded)


def _release(dropped: list[_Dropped], notebook: Notebook | None) -> tuple[str, ...]:
    """Make everything let go, and return the names of the variables that don't."""
    if notebook is not None:
        notebook.let_go(lambda value: _reaches(value, dropped))
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if notebook is None or all(one.model() is None for one in dropped):
        return ()
    variables = notebook.variables()
    return tuple(name for name, value in variables.items() if _reaches(value, dropped))


def _reaches(value: Any, dropped: list[_Dropped]) -> bool:
    """Say whether one of the dropped models can be reached from a value.

    Follows references as the garbage collector does; modules, classes and dictionaries of globals
    are not entered, since from there everything can be reached.
    """
    wanted = {
        id(one) for model in dropped for one in (model.model(), model.entry()) if one is not None
    }
    seen: set[int] = set()
    todo = [value]
    while todo and len(seen) < _MOST_OBJECTS:
        one = todo.pop()
        if id(one) in seen or isinstance(one, (ModuleType, type, str, bytes, int, float)):
            continue
        if id(one) in wanted:
            return True
        if type(one) is dict and "__builtins__" in one:
            continue
        seen.add(id(one))
        todo += gc.get_referents(one)
    return False


def _memory() -> tuple[int, int]:
    on_gpu = torch.cuda.memory_allocated() if torch.cuda.is_initialized() else 0
    return psutil.Process().memory_info().rss, on_gpu
