"""What a magic's arguments may be: how many, and which fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from hf_magics.errors import OptionError
from hf_magics.magics.asked import Asked


def only(asked: Asked, count: int, usage: str) -> None:
    """Refuse more or fewer plain arguments than ``count``, and fields where that is none."""
    if not count:
        no_fields(asked, usage)
    if len(asked.names) < count:
        raise OptionError(f"{usage}: {usage.rpartition(' ')[2]} is missing; --help shows more")
    _check_spelling(asked)
    if len(asked.names) > count:
        raise OptionError(f"{usage}: what is '{asked.names[count]}'? --help shows the options")


def _check_spelling(asked: Asked) -> None:
    """Refuse the ways in which a field is often misspelt, with the one that works."""
    empty = [name for name, value in asked.fields.items() if not value]
    if empty and asked.names[1:]:
        raise OptionError(f"a field is written without spaces: {empty[0]}={asked.names[-1]}")
    for at, name in enumerate(asked.names):
        field, equals, value = name.partition("=")
        if equals and not value:
            raise OptionError(f"a field is written without spaces: {_joined(asked.names, at)}")
        if equals and "-" in field and field.replace("-", "_").isidentifier():
            raise OptionError(f"a field has underscores: {field.replace('-', '_')}={value}")


def _joined(names: list[str], at: int) -> str:
    """Return the words around an equals sign as one: that at ``at`` has it or ends in it."""
    return "".join(names[max(at - 1, 0) if names[at] == "=" else at : at + 2])


def at_most_one(asked: Asked, usage: str) -> str:
    """Return the one argument that may be there, ``""`` where it is not."""
    no_fields(asked, usage)
    if len(asked.names) > 1:
        raise OptionError(f"{usage}: what is '{asked.names[1]}'? --help shows the options")
    return "".join(asked.names)


def no_fields(asked: Asked, usage: str) -> None:
    """Refuse ``FIELD=VALUE`` where it means nothing."""
    for name in asked.fields:
        raise OptionError(f"{usage} takes no FIELD=VALUE such as {name}=…")


def fields_for(verb: Callable[..., Any], asked: Asked) -> dict[str, Any]:
    """Return the config fields to hand to a verb as keywords.

    Raises:
        OptionError: One is a word of the verb itself, so it is an option and no field.
    """
    taken = inspect.signature(verb).parameters
    for name, value in asked.fields.items():
        if hasattr(asked.options, name):
            raise OptionError(f"{name} is an option here and no field: --{name} {value}")
        if name in taken:
            raise OptionError(f"there is no field '{name}'; --help shows what there is")
    return asked.fields


def only_options(asked: Asked, allowed: set[str], usage: str) -> None:
    """Refuse options that have no effect in this use of a magic."""
    for name, value in vars(asked.options).items():
        if value and name not in allowed:
            option = name.rstrip("_").replace("_", "-")
            raise OptionError(f"{usage}: --{option} does nothing there; leave it out")
