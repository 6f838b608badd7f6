"""Look at a config: its fields, what they take, and what differs from the defaults or another."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.parts import Column, Fold, Note, Page, Part, Table, Text
from hf_magics.display.shown import Shown
from hf_magics.display.words import nearest
from hf_magics.errors import SourceError
from hf_magics.modeling import architectures, checkpoints, fields
from hf_magics.modeling.config_files import read_config
from hf_magics.modeling.steps import Piece
from hf_magics.modeling.store import Session
from hf_magics.snippets import Snippet, call, script
from hf_magics.specs import ConfigSpec

_BOOKKEEPING = {"transformers_version", "_name_or_path", "architectures", "dtype"}
_LONG = 120


def show_config(spec: ConfigSpec, session: Session, *, offline: bool = False) -> ConfigResult:
    """Describe the config of a session name, a source or a model type, or compare two.

    Raises:
        HFMagicsError: There is no such name, source or type.
    """
    one = _find(spec.target, session, offline=offline)
    other = _find(spec.versus, session, offline=offline) if spec.versus else None
    shown = dataclasses.replace(spec, target=spec.target or session.current_name)
    session.record(shown, Piece(one.snippet))
    if other is not None:
        return ConfigResult(
            field_rows(one.config, other.config), one, other, everything=spec.everything
        )
    return _beside_defaults(one, everything=spec.everything)


def describe(config: Any) -> ConfigResult:
    """Describe a config of the notebook's own beside the defaults of its class.

    Raises:
        ConfigError: The class has no defaults.
    """
    return _beside_defaults(_Found("config", config, Snippet((), ())), everything=False)


def _beside_defaults(one: _Found, *, everything: bool) -> ConfigResult:
    default = _Found(f"{type(one.config).__name__} defaults", _defaults(one.config), one.snippet)
    return ConfigResult(field_rows(one.config, default.config), one, default, everything=everything)


def find_source(target: str, session: Session, *, offline: bool) -> checkpoints.Checkpoint:
    """Return the files of a source; what is none may be meant for a name or a type.

    Raises:
        SourceError: There is no such source; the message has what is near.
    """
    try:
        return checkpoints.find(target, offline=offline)
    except SourceError as error:
        close = nearest(target, [*session, *architectures.model_types()])
        raise type(error)(f"{error}{close}") from error


@dataclass(frozen=True)
class _Found:
    label: str
    config: Any
    snippet: Snippet
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FieldRow:
    """A field: its value here, its value in the other config, and the type it takes."""

    field: str
    value: Any
    other: Any
    takes: str

    @property
    def differs(self) -> bool:
        """Whether the two values are not the same."""
        return bool(self.value != self.other)


class ConfigResult(Shown):
    """A config beside its class's defaults, or beside another config."""

    def __init__(
        self, rows: tuple[FieldRow, ...], one: _Found, other: _Found, *, everything: bool
    ) -> None:
        self.rows = rows
        self.config = one.config
        self.code = script(one.snippet)
        self._labels = (one.label, other.label)
        self._title = f"{one.label} · {type(one.config).__name__}"
        self._everything = everything
        self._notes = tuple(Note(note) for note in (*one.notes, *other.notes))

    @property
    def differing(self) -> tuple[FieldRow, ...]:
        """The fields whose values are not the same."""
        return tuple(row for row in self.rows if row.differs)

    def records(self) -> list[dict[str, Any]]:
        """A row a field."""
        return [
            {"field": row.field, "value": row.value, "other": row.other, "takes": row.takes}
            for row in self.rows
        ]

    def page(self) -> Page:
        """What differs, then the rest, folded."""
        same = tuple(row for row in self.rows if not row.differs)
        parts: list[Part] = [self._table(self.differing, f"Differs from {self._labels[1]}")]
        if not self.differing:
            parts = [Text(f"Every field is as in {self._labels[1]}.")]
        rest = _plain_table(same, "The same in both")
        if same and self._everything:
            parts.append(rest)
        elif same:
            parts.append(Fold(f"{plural(len(same), 'field')} the same", (rest,)))
        return Page(self._title, tuple(parts), self._notes)

    def _table(self, rows: tuple[FieldRow, ...], caption: str) -> Table:
        columns = (
            Column("field", mono=True),
            Column(self._labels[0], mono=True),
            Column(self._labels[1], mono=True),
            Column("takes", mono=True),
        )
        cells = tuple(
            (row.field, value_words(row.value), value_words(row.other), row.takes) for row in rows
        )
        return Table(columns, cells, caption)


def _plain_table(rows: tuple[FieldRow, ...], caption: str) -> Table:
    columns = (Column("field", mono=True), Column("value", mono=True), Column("takes", mono=True))
    return Table(
        columns, tuple((row.field, value_words(row.value), row.takes) for row in rows), caption
    )


def _find(target: str, session: Session, *, offline: bool) -> _Found:
    """Look a word up: a session name, a folder or file, a model type, a hub id."""
    if not target or target in session:
        loaded = session.get(target)
        return _Found(loaded.name, loaded.config, _plain(loaded.origin.where, loaded.config))
    if architectures.is_model_type(target) and not checkpoints.is_local(target):
        config = architectures.config_class(target)()
        name = type(config).__name__
        imports = (f"from transformers import {name}",)
        return _Found(target, config, Snippet(imports, (f"config = {name}()",)))
    found = find_source(target, session, offline=offline)
    code = _plain(found.location, None, **found.which())
    return _Found(target, read_config(found), code, found.notes)


def _plain(where: str, config: Any, **arguments: Any) -> Snippet:
    if config is not None and architectures.is_model_type(where):
        name = type(config).__name__
        return Snippet((f"from transformers import {name}",), (f"config = {name}()",))
    line = f"config = {call('AutoConfig.from_pretrained', where, **arguments)}"
    return Snippet(("from transformers import AutoConfig",), (line,))


def _defaults(config: Any) -> Any:
    with fields.refusals_named():
        return type(config)()


def field_rows(one: Any, other: Any) -> tuple[FieldRow, ...]:
    """Return each field of two configs with both values; those that differ come first."""
    here, there = _flat(one), _flat(other)
    names = dict.fromkeys([*here, *there])
    rows = [
        FieldRow(name, here.get(name, _ABSENT), there.get(name, _ABSENT), _takes(one, name))
        for name in names
    ]
    return tuple(sorted(rows, key=lambda row: not row.differs))


class _Absent:
    """A field that the other config does not have."""

    def __repr__(self) -> str:
        return "—"


_ABSENT = _Absent()


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Return the config's fields, those of sub-configs under dotted names.

    A field has its standard name where it has one: GPT-2's ``n_embd`` is a ``hidden_size``.
    """
    found: dict[str, Any] = {}
    parts = type(config).sub_configs
    standard = {own: name for name, own in type(config).attribute_map.items()}
    for name, value in config.to_dict().items():
        if name in _BOOKKEEPING or name in parts:
            continue
        found[prefix + standard.get(name, name)] = value
    for name in parts:
        part = getattr(config, name, None)
        if part is not None:
            found |= _flat(part, f"{prefix}{name}.")
    return found


def _takes(config: Any, name: str) -> str:
    owner, dot, rest = name.partition(".")
    if not dot:
        return fields.takes(config, name)
    part = getattr(config, owner, None)
    return _takes(part, rest) if part is not None else ""


def value_words(value: Any) -> str:
    """Return a field's value as a page has it: what is long is cut."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG].rstrip()} … ({len(text):,} characters)"
