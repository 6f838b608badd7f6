"""What load, new and use show: a model, where it came from, and what to know about it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from hf_magics.display.numbers import count, seconds, short_count, size
from hf_magics.display.parts import Note, Page, Part, facts
from hf_magics.modeling.architectures import is_head_for
from hf_magics.modeling.elsewhere import EngineModel
from hf_magics.modeling.engine_facts import EngineFacts
from hf_magics.modeling.limits import limit_words
from hf_magics.modeling.of_model import OfModel
from hf_magics.modeling.placement import dtype_name, weight_bytes
from hf_magics.modeling.report import (
    Report,
    random_now,
    weights_notes,
)
from hf_magics.modeling.snippets import model_snippet
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.weights import parameter_count
from hf_magics.snippets import script


@dataclass(frozen=True)
class ModelFacts:
    """A model in numbers and strings; bytes in memory and on disk."""

    name: str
    head: str
    parameters: int
    memory_bytes: int
    disk_bytes: int
    dtype: str
    device: str
    attention: str
    tokenizer: str
    processor: str
    kind: str
    source: str
    commit: str
    random: tuple[str, ...]
    training: bool
    sentence: str = ""
    engine: str = ""
    adapter: str = ""
    more: tuple[tuple[str, str], ...] = ()
    holds: str = ".model, .tokenizer, .config"

    @classmethod
    def of(cls, loaded: LoadedModel) -> ModelFacts:
        """Read them off the model as it is now."""
        if isinstance(loaded, EngineModel):
            return cls._of_engine(loaded)
        model, origin, engine = loaded.model, loaded.origin, loaded.engine or EngineFacts("")
        return cls(
            name=loaded.name,
            head=type(model).__name__,
            parameters=parameter_count(model),
            memory_bytes=weight_bytes(model) + engine.memory_bytes,
            disk_bytes=origin.disk_bytes,
            dtype=dtype_name(model.dtype),
            device=str(model.device),
            attention=str(getattr(model.config, "_attn_implementation", None) or ""),
            tokenizer=_tokenizer_words(loaded),
            processor=type(loaded.processor).__name__ if loaded.processor is not None else "",
            kind=origin.kind,
            source=origin.where,
            commit=origin.commit,
            random=random_now(loaded),
            training=bool(model.training),
            sentence=_embeds(loaded),
            engine=engine.words,
            adapter=loaded.adapter.where() if loaded.adapter else "",
            more=(*engine.rows, *(loaded.adapter.rows() if loaded.adapter else ())),
        )

    @classmethod
    def _of_engine(cls, loaded: EngineModel) -> ModelFacts:
        about, origin = loaded.about, loaded.origin
        return cls(
            name=loaded.name,
            head=about.head,
            parameters=about.parameters,
            memory_bytes=about.memory_bytes,
            disk_bytes=origin.disk_bytes,
            dtype=about.dtype,
            device=about.device,
            attention="",
            tokenizer=about.tokenizer,
            processor="",
            kind=origin.kind,
            source=origin.where,
            commit=origin.commit,
            random=(),
            training=False,
            more=about.more,
            holds=".writer",
        )

    @property
    def parameter_words(self) -> str:
        """The number of parameters, ``""`` where it is not known."""
        return short_count(self.parameters) if self.parameters else ""

    @property
    def memory_words(self) -> str:
        """The bytes in memory, ``""`` where they are not in this process."""
        return size(self.memory_bytes) if self.memory_bytes else ""


_ORIGINS = {
    "hub": "hub: ",
    "folder": "folder ",
    "gguf": "GGUF file ",
    "config": "config of the type ",
    "notebook": "the notebook's variable ",
    "endpoint": "server ",
}


class ModelResult(OfModel):
    """A model of the session: ``.model``, ``.tokenizer`` and ``.config`` are transformers' own."""

    def __init__(
        self,
        number: int,
        facts_: ModelFacts,
        *,
        time_s: float = math.nan,
        report: Report | None = None,
        notes: tuple[Note, ...] = (),
        code: str = "",
    ) -> None:
        super().__init__(number, code)
        self._facts = facts_
        self._time_s = time_s
        self._report = report
        self._notes = notes

    @classmethod
    def of(
        cls,
        loaded: LoadedModel,
        *,
        seconds: float = math.nan,
        report: Report | None = None,
        notes: tuple[str | Note, ...] = (),
        already: bool = False,
    ) -> ModelResult:
        """Describe a model of the session.

        Args:
            loaded: The model.
            seconds: How long it took to get.
            report: The checkpoint's loading report.
            notes: Sentences to put on top, each a warning unless it is a note that says otherwise.
            already: Whether it was there before the line was run.
        """
        said = report.verdicts() if report else [Note(one) for one in weights_notes(loaded)]
        if already:
            said.insert(
                0, Note("this is the model that is already loaded: nothing has changed", "info")
            )
        if loaded.torch_model is not None and loaded.model.training:
            said.append(Note(_TRAINING))
        said += [Note(note) if isinstance(note, str) else note for note in notes]
        return cls(
            loaded.number,
            ModelFacts.of(loaded),
            time_s=seconds,
            report=report,
            notes=tuple(said),
            code=script(model_snippet(loaded)),
        )

    @property
    def name(self) -> str:
        """Its name in the session."""
        return self._facts.name

    @property
    def config(self) -> Any:
        """The model's config."""
        return self.model.config

    @property
    def report(self) -> Report:
        """What the checkpoint had to say; empty for a model that came from none."""
        return self._report or Report()

    def records(self) -> list[dict[str, Any]]:
        """One row: everything the page says of the model."""
        return [asdict(self._facts) | {"seconds": self._time_s}]

    def page(self) -> Page:
        """Its facts, then the loading report."""
        one = self._facts
        table = facts(
            {
                "class": one.head,
                "parameters": f"{count(one.parameters)} ({one.parameter_words})"
                if one.parameters
                else "",
                "engine": one.engine,
                "in memory": one.memory_words,
                "on disk": size(one.disk_bytes) if one.disk_bytes else "",
                "dtype": one.dtype,
                "device": one.device,
                "attention": one.attention,
                "tokenizer": one.tokenizer or "none",
                **dict(one.more),
                "sentence": one.sentence,
                "processor": one.processor,
                "from": _ORIGINS[one.kind] + one.source,
                "revision": one.commit,
                "in Python": f'hf_magics.session["{one.name}"]: {one.holds}',
                "took": "" if math.isnan(self._time_s) else seconds(self._time_s),
            }
        )
        parts: list[Part] = [table]
        listed = self._report.table() if self._report else None
        if listed is not None:
            parts.append(listed)
        return Page(f"{one.name} · {one.head}", tuple(parts), self._notes)


_TRAINING = (
    "the model is in train mode: dropout makes its outputs random; "
    ".model.eval() puts it in eval mode"
)


def _embeds(loaded: LoadedModel) -> str:
    """Return how the model makes a vector of a text; a head of another task makes none."""
    if loaded.sentence is None or not is_head_for(loaded.model, "embed"):
        return ""
    return loaded.sentence.words()


def _tokenizer_words(loaded: LoadedModel) -> str:
    tokenizer = loaded.tokenizer
    if tokenizer is None:
        return ""
    return f"{type(tokenizer).__name__}, {len(tokenizer):,} entries, {limit_words(loaded)}"
