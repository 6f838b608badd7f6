"""What Tab offers on a magic's line. Never touches the network, never imports torch."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher

from hf_magics.display.visible import visible
from hf_magics.inference.mapping.files import SUFFIXES
from hf_magics.magics.columns import columns_of
from hf_magics.magics.options import CHOICES, option_names
from hf_magics.modeling import catalog
from hf_magics.modeling.heads import ANSWERED, AUTO_CLASSES
from hf_magics.modeling.module_paths import folded
from hf_magics.modeling.store import session

_LINE = re.compile(r"^\s*(?:[\w.]+\s*=\s*)?%%?(?P<magic>hf\w*)\s+(?P<rest>.*)$", re.DOTALL)
_WRITING = {"hf_generate", "hf_chat"}
_TEXT = {"hf_infer", "hf_tokens", "hf_attention", "hf_lens", "hf_score", *_WRITING}
_ANSWERING = {"hf_infer", "hf_map", *_WRITING}


def complete(shell: Any) -> Callable[[Any], Any]:
    """Return the matcher for a shell."""

    @context_matcher(identifier="hf_magics")  # type: ignore[untyped-decorator]
    def matcher(context: Any) -> dict[str, Any]:
        match = _LINE.match(context.text_until_cursor.rpartition("\n")[2])
        magic = match and shell.find_line_magic(match["magic"])
        if not match or magic is None:
            return {"completions": []}
        *before, word = re.split(r"\s+", match["rest"])
        found = [
            SimpleCompletion(text=one, type=kind)
            for one, kind in _offers(shell, match["magic"], before, word)
            if one.startswith(word) and visible(one) == one  # a folder may have any name
        ]
        return {
            "completions": found,
            "matched_fragment": word,
            "suppress": bool(found),
            "ordered": True,  # what is nearest comes first, not what begins with an a
        }

    return matcher  # type: ignore[no-any-return]


def _offers(shell: Any, name: str, before: list[str], word: str) -> Iterable[tuple[str, str]]:
    known = option_names(shell.find_line_magic(name).parser)
    action = known.get(before[-1]) if before else None
    plain = [_expanded(shell, one) for one in _plain(before, known)]
    if word.startswith("$"):
        return _named("variable", [f"${one}" for one in _variables(shell)])
    if name in _TEXT and plain:
        return []  # in the text
    if action is not None and action.dest == "capture":
        return _named("module", _module_paths(before))
    if action is not None and action.nargs != 0:
        return _named("value", _values(shell, name, action.option_strings[-1], plain, word))
    if word.startswith("-"):
        return _named("option", sorted(known))
    return _arguments(shell, name, plain, word)


def _values(shell: Any, name: str, option: str, plain: list[str], word: str) -> list[str]:
    """Return what an option takes: choices, session names, variables, folders, classes."""
    if option in {"--model", "--vs"}:
        return list(session)
    if option in {"--input", "--output", "--context"}:
        return _variables(shell)
    if option in {"--tokenizer", "--adapter"}:
        named = [*session, *_variables(shell)] if option == "--tokenizer" else []
        return [*named, *catalog.cached_ids(), *catalog.folders(word)]
    if option == "--column":
        return [shlex.quote(one) for one in columns_of(plain[0], shell.user_ns)] if plain else []
    if option == "--class":
        return [*_classes(plain), *AUTO_CLASSES]
    return _choices(name, option)


def _module_paths(before: list[str]) -> list[str]:
    """Return the modules of the model that a line names, else of the current one, as patterns."""
    named = [value for name, value in itertools.pairwise(before) if name in {"-m", "--model"}]
    name = named[-1] if named else ""
    model = session.get(name).torch_model if session and name in {"", *session} else None
    return folded(path for path, _ in model.named_modules()) if model is not None else []


def _columns(shell: Any, word: str) -> list[tuple[str, str]]:
    """Return what ``%hf_map`` runs: variables, columns of one that is a table, files."""
    table, dot, _ = word.partition(".")
    if dot and table in shell.user_ns:
        known = [one for one in columns_of(table, shell.user_ns) if one.isidentifier()]
        return _named("column", [f"{table}.{one}" for one in known])
    files = catalog.folders(word, suffixes=(*SUFFIXES, ".gz"))
    return _named("variable", _variables(shell)) + _named("file", files)


def _choices(name: str, option: str) -> list[str]:
    if option == "--task" and name in _ANSWERING:
        return list(ANSWERED)
    if option == "--set" and name == "hf_load":
        return [f"{one}=" for one in catalog.LOAD_ARGUMENTS]
    if option == "--set" and name in _WRITING:
        return [f"{one}=" for one in catalog.generation_fields()]
    return list(CHOICES.get(option, ()))


def _classes(plain: list[str]) -> tuple[str, ...]:
    """Return the classes of the source's type, those of every type where it is not known."""
    kind = plain and (catalog.type_of(plain[0]) or plain[0])
    return (catalog.classes(kind) if kind else ()) or catalog.all_classes()


def _expanded(shell: Any, word: str) -> str:
    """Return the text or path that ``$name`` stands for, any other word as it is."""
    value = shell.user_ns.get(word[1:]) if word.startswith("$") else None
    return str(value) if isinstance(value, (str, Path)) else word


def _variables(shell: Any) -> list[str]:
    hidden = shell.user_ns_hidden
    return [one for one in shell.user_ns if one not in hidden and not one.startswith("_")]


def _arguments(shell: Any, name: str, plain: list[str], word: str) -> list[tuple[str, str]]:
    """Return what may stand among a magic's arguments, after those that stand there already."""
    if name == "hf_map":
        return [] if plain else _columns(shell, word)
    if name in _TEXT:
        return []
    if plain and name in {"hf_new", "hf_load", "hf_layers"}:
        return _fields("" if plain[0] in session else plain[0])
    names = _named("model", session)
    sources = _named("folder", catalog.folders(word)) + _named("cached", catalog.cached_ids())
    types = _named("type", catalog.model_types())
    return {
        "hf_new": types,
        "hf_load": sources,
        **dict.fromkeys(("hf_config", "hf_layers"), names + sources + types),
        "hf_save": names + _named("folder", catalog.folders(word)),
        **dict.fromkeys(("hf_use", "hf_drop", "hf_compare", "hf_code", "hf_explain"), names),
    }.get(name, [])


def _fields(source: str) -> list[tuple[str, str]]:
    """Return the fields of a type's config, or of the type that a source has."""
    kind = source if source in catalog.model_types() else catalog.type_of(source)
    return [(f"{field}=", takes) for field, takes in catalog.config_fields(kind)] if kind else []


def _plain(before: list[str], known: dict[str, Any]) -> list[str]:
    """Return the words that are neither options, nor their values, nor fields."""
    found, skip = [], False
    for word in before:
        if skip:
            skip = False
        elif word in known:
            skip = known[word].nargs != 0
        elif word and "=" not in word:
            found.append(word)
    return found


def _named(kind: str, names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, kind) for name in names]
