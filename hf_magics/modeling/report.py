"""What a checkpoint's weights had to say: missing, unused, of another shape, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_magics.display.parts import Column, Note, Table
from hf_magics.display.words import sentence_list


@dataclass(frozen=True)
class Report:
    """The loading report of ``from_pretrained``: names of weights.

    ``missing`` and ``mismatched`` ones have random values now; ``unexpected`` ones were not used.
    ``mismatched`` has the shapes too: in the checkpoint, in the model.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, str, str], ...] = ()
    random_modules: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any, info: dict[str, Any]) -> Report:
        """Make the report from ``output_loading_info``."""
        mismatched = tuple(sorted(_shapes(*entry) for entry in info.get("mismatched_keys", ())))
        missing = tuple(sorted(info.get("missing_keys", ())))
        random = [*missing, *(name for name, _, _ in mismatched)]
        return cls(
            missing,
            tuple(sorted(info.get("unexpected_keys", ()))),
            mismatched,
            tuple(dict.fromkeys(_module(name, model.base_model_prefix) for name in sorted(random))),
        )

    def verdict(self) -> Note:
        """Say in words what it means."""
        if self.random_modules:
            return Note(random_verdict(self.random_modules))
        if self.unexpected:
            return Note(
                "every weight of the model came from the checkpoint, which has more", "info"
            )
        return Note("every weight came from the checkpoint", "info")

    def table(self) -> Table | None:
        """Return the weights that are missing, unused or of another shape, None where none is."""
        rows = [(name, "missing", "random now") for name in self.missing]
        rows += [
            (name, "another shape", f"random now: {found} in the checkpoint, {wanted} in the model")
            for name, found, wanted in self.mismatched
        ]
        rows += [(name, "unused", "the model has no place for it") for name in self.unexpected]
        if not rows:
            return None
        columns = (Column("weight", mono=True), Column("status"), Column("what that means"))
        return Table(columns, tuple(rows), caption="Loading report")


def random_verdict(modules: tuple[str, ...]) -> str:
    """Say what it means that these modules have random weights."""
    names = sentence_list(modules, most=4)
    if len(modules) == 1:
        return f"the {names} is random: its answers mean nothing until it is trained"
    return f"{names} are random: what they give means nothing until they are trained"


def _module(weight: str, prefix: str) -> str:
    """Name the module that a weight makes random: ``classifier``, ``pooler``, ``layer.3``.

    The path without the base model's prefix, up to its first number or, where there is none, its
    first name.
    """
    parts = weight.removeprefix(f"{prefix}.").split(".")[:-1] or [weight]
    number = next((place for place, part in enumerate(parts) if part.isdigit()), None)
    return ".".join(parts[: number + 1]) if number is not None else parts[0]


def _shapes(name: str, *shapes: Any) -> tuple[str, str, str]:
    found, wanted = ("?", "?") if len(shapes) != 2 else (_shape(one) for one in shapes)  # noqa: PLR2004
    return name, found, wanted


def _shape(size: Any) -> str:
    return " × ".join(str(part) for part in size)
