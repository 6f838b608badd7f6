"""Drop: let go of models, and say what came back and what still holds them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Protocol

import psutil
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from hf_magics.display.numbers import size
from hf_magics.display.parts import Column, Note, Page, Table, Text, facts
from hf_magics.display.shown import Shown
from hf_magics.display.words import sentence_list
from hf_magics.interrupts import no_interrupt
from hf_magics.modeling.memory import give_back
from hf_magics.modeling.results import ModelFacts
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
    with no_interrupt():  # all of them or none, and the step that says so
        outputs = _drop_outputs(names, session)
        dropped = [_Dropped(session.remove(name)) for name in names]
        if names:
            session.record(DropSpec(tuple(names)))
    left = [said for name in session for said in _left_to(session[name], dropped)]
    held = _also_loaded(session, dropped) or _release(dropped, notebook)
    after = _memory()
    rows = tuple((one.name, one.head, one.nbytes) for one in dropped)
    alive = tuple(one.name for one in dropped if one.is_alive())
    return DropResult(rows, (before, after), alive, held, outputs, tuple(left))


def _drop_outputs(names: list[str], session: Session) -> int:
    """Let go of the outputs that these models made, all of them where no other model is left.

    Returns the bytes that they had.
    """
    if set(names) == set(session):
        return session.kept.clear()
    return session.kept.drop({session[name].number for name in names})


def _also_loaded(session: Session, dropped: list[_Dropped]) -> tuple[str, ...]:
    """Return how to let go of a model that the session has under another name as well."""
    models = [model for one in dropped if (model := one.objects[-1]()) is not None]
    names = [name for name in session if any(session[name].torch_model is one for one in models)]
    return tuple(f"the session's {name} (%hf_drop {name})" for name in names)


class DropResult(Shown):
    """The models that are gone, and the bytes that came back."""

    def __init__(
        self,
        rows: tuple[tuple[str, str, int], ...],
        memory: tuple[tuple[int, int], tuple[int, int]],
        alive: tuple[str, ...],
        held: tuple[str, ...],
        outputs: int = 0,
        left: tuple[str, ...] = (),
    ) -> None:
        self._rows = rows
        self._left = left
        self._before, self._after = memory
        self.alive = alive
        self.held_by = held
        self.outputs_bytes = outputs
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
        if not self._rows:
            return Page("nothing to drop", (Text("The session was empty already."),))
        notes = [Note(said, "info") for said in self._left]
        if self.alive:
            names = sentence_list(self.alive)
            holders = (
                sentence_list(self.held_by) if self.held_by else "something outside the notebook"
            )
            variables = [name for name in self.held_by if name.isidentifier()]
            say = f": del {', '.join(variables)}" if variables else ""
            verb = "is" if len(self.alive) == 1 else "are"
            notes.append(Note(f"{names} {verb} still in memory, held by {holders}{say}"))
        columns = (Column("model"), Column("class", mono=True), Column("weights", "right"))
        rows = tuple((name, head, size(nbytes)) for name, head, nbytes in self._rows)
        memory = facts(
            {
                "came back": size(max(0, self.freed_bytes)),
                "outputs of shown results": f"{size(self.outputs_bytes)} let go"
                if self.outputs_bytes
                else "",
                "process memory": f"{size(self._before[0])} → {size(self._after[0])}",
                "GPU memory": f"{size(self._before[1])} → {size(self._after[1])}"
                if self._before[1]
                else "",
            }
        )
        title = f"dropped {sentence_list(name for name, _, _ in self._rows)}"
        return Page(title, (Table(columns, rows, "Dropped"), memory), tuple(notes))


class _Dropped:
    """What is left of a model when nothing may hold it: its name, size, and weak references.

    The weights count too, each by the memory that it lies in: an optimiser, a layer or a
    ``state_dict`` that is still there holds them without the model.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        model, facts_ = loaded.torch_model, ModelFacts.of(loaded)
        self.name = loaded.name
        self.head = facts_.head
        self.nbytes = facts_.memory_bytes
        self.objects = tuple(weakref.ref(one) for one in (loaded, model) if one is not None)
        self.storages = {_place(one): StorageWeakRef(one) for one in _storages(model)}
        loaded.close()

    def is_alive(self) -> bool:
        """Say whether the model or one of its weights is still in memory."""
        return any(one() is not None for one in self.objects) or any(
            not one.expired() for one in self.storages.values()
        )

    def marks(self) -> set[int]:
        """Return what the objects and memory that are still there are known by."""
        objects = {id(one()) for one in self.objects if one() is not None}
        return objects | {place for place, one in self.storages.items() if not one.expired()}


def _left_to(loaded: LoadedModel, dropped: list[_Dropped]) -> Iterator[str]:
    """Don't count weights that a model which stays shares with a dropped one; say how many."""
    storages = {_place(one): one.nbytes() for one in _storages(loaded.torch_model)}
    for one in dropped:
        shared = storages.keys() & one.storages.keys()
        for place in shared:
            del one.storages[place]
        if shared and one.objects[-1]() is not loaded.torch_model:
            nbytes = size(sum(storages[place] for place in shared))
            yield f"{loaded.name} has {nbytes} of the weights of {one.name}: they stay"


def _storages(model: Any) -> list[Any]:
    if model is None:
        return []
    return [one.untyped_storage() for one in (*model.parameters(), *model.buffers())]


def _place(storage: Any) -> int:
    return int(storage._cdata)  # noqa: SLF001 - torch's own name for the memory, one for all views


def _release(dropped: list[_Dropped], notebook: Notebook | None) -> tuple[str, ...]:
    """Make everything let go, and return the names of the variables that don't."""
    if notebook is not None:
        notebook.let_go(lambda value: _reaches(value, dropped))
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if notebook is None or not any(one.is_alive() for one in dropped):
        return ()
    variables = notebook.variables()
    return tuple(name for name, value in variables.items() if _reaches(value, dropped))


def _reaches(value: Any, dropped: list[_Dropped]) -> bool:
    """Say whether one of the dropped models, or a weight of one, can be reached from a value.

    Follows references as the garbage collector does, and those of torch's graphs of gradients;
    modules, classes and dictionaries of globals are not entered, since from there everything can be
    reached.
    """
    wanted = set[int]().union(*(model.marks() for model in dropped))
    seen: set[int] = set()
    todo = [value]
    while todo and len(seen) < _MOST_OBJECTS:
        one = todo.pop()
        if id(one) in seen or isinstance(one, (ModuleType, type, str, bytes, int, float)):
            continue
        if id(one) in wanted or (isinstance(one, torch.Tensor) and _lies_in(one, wanted)):
            return True
        if type(one) is dict and "__builtins__" in one:
            continue
        seen.add(id(one))
        todo += _referents(one)
    return False


def _lies_in(tensor: torch.Tensor, places: set[int]) -> bool:
    return tensor.layout is torch.strided and _place(tensor.untyped_storage()) in places


def _referents(one: Any) -> list[Any]:
    """Return what an object refers to; the garbage collector does not see a graph of gradients."""
    found = gc.get_referents(one)
    if isinstance(one, torch.Tensor):
        found.append(one.grad_fn)
    if isinstance(one, torch.autograd.graph.Node):
        found += [node for node, _ in one.next_functions]
        found.append(getattr(one, "variable", None))
    return found


def _memory() -> tuple[int, int]:
    """Return the bytes of the process and on the GPU, without those that only wait for a use."""
    give_back()
    on_gpu = torch.cuda.memory_allocated() if torch.cuda.is_initialized() else 0
    return psutil.Process().memory_info().rss, on_gpu
