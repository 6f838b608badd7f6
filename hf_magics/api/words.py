"""The words of a task, as verbs take them, to the options of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hf_magics.errors import InputError
from hf_magics.specs import Fields


def given_options(
    labels: str | Sequence[str],
    context: str | Sequence[str] | None,
    **others: Any,
) -> Fields:
    """Return the options that were given, and not left as they are by default.

    Raises:
        InputError: A label or context is no text; the labels were parted by a space.
    """
    options = {"labels": _listed(labels), **others, "context": _contexts(context)}
    return tuple((name, value) for name, value in options.items() if _is_given(value))


def _is_given(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", ())


def _listed(labels: str | Sequence[str]) -> tuple[str, ...]:
    """Return labels as they are, or a text of them parted by commas."""
    if isinstance(labels, str) and labels.endswith(",") and labels.strip(", "):
        raise InputError(
            f"labels stand without spaces: --labels {labels}…; or in quotes: --labels 'a, b'"
        )
    parted = labels.split(",") if isinstance(labels, str) else _texts(labels, "labels")
    return tuple(dict.fromkeys(label.strip() for label in parted if label.strip()))


def _contexts(context: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return one text or several, an empty one too: it was given; None is not."""
    if context is None:
        return ()
    return (context,) if isinstance(context, str) else _texts(context, "context")


def _texts(value: Any, name: str) -> tuple[str, ...]:
    listed = list(value) if isinstance(value, Iterable) else [value]
    strange = next((one for one in listed if not isinstance(one, str)), None)
    if strange is not None:
        raise InputError(
            f"--{name} takes texts, and {str(strange)[:60]!r} is {type(strange).__name__}"
        )
    return tuple(listed)
