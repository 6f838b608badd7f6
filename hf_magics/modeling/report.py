"""What a checkpoint's weights had to say: missing, unused, of another shape, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_magics.display.numbers import shape
from hf_magics.display.parts import Column, Note, Table
from hf_magics.modeling.store import LoadedModel
from hf_magics.modeling.verdicts import not_finite_verdict, random_verdict
from hf_magics.modeling.weights import changed_since, not_finite


@dataclass(frozen=True)
class Report:
    """The loading report of ``from_pretrained``: names of weights.

    ``missing`` and ``mismatched`` ones have random values now; ``unexpected`` ones were not used.
    ``mismatched`` has the shapes too: in the checkpoint, in the model. ``donor`` is the model whose
    backbone is shared. ``not_finite`` have a NaN or an infinity in them.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, str, str], ...] = ()
    random_modules: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    donor: str = ""

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
            _random_parts(model, sorted(random)),
            not_finite(model),
        )

    def verdicts(self) -> list[Note]:
        """Say in words what it means."""
        said = [Note(not_finite_verdict(self.not_finite))] if self.not_finite else []
        return [*said, self._verdict()]

    def _verdict(self) -> Note:
        if self.random_modules:
            return Note(random_verdict(self.random_modules))
        donor = f"{self.donor} or " if self.donor else ""
        if self.unexpected:
            return Note(
                f"every weight of the model came from {donor}the checkpoint, which has more", "info"
            )
        return Note(f"every weight came from {donor}the checkpoint", "info")

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


def random_now(loaded: LoadedModel) -> tuple[str, ...]:
    """Return the modules that came with random weights and were not trained since."""
    if not loaded.random:
        return ()
    trained = changed_since(loaded.model, loaded.weights_mark, loaded.random)
    return tuple(module for module in loaded.random if module not in trained)


def state_notes(loaded: LoadedModel, what: str = "outputs") -> list[str]:
    """Say what makes what a model gives other than it seems: random weights, train mode."""
    said = weights_notes(loaded)
    if loaded.model.training:
        said.append(
            f"the model is in train mode: dropout makes its {what} random; .model.eval() ends that"
        )
    return said


def weights_notes(loaded: LoadedModel) -> list[str]:
    """Say what is wrong with the weights as they are now: random, or not finite."""
    said = [random_verdict(random)] if (random := random_now(loaded)) else []
    still = not_finite(loaded.model, loaded.not_finite) if loaded.not_finite else ()
    return [*said, not_finite_verdict(still)] if still else said


_MOST_PARTS = 4


def _random_parts(model: Any, weights: list[str]) -> tuple[str, ...]:
    """Name what is random in a model: ``classifier``, ``encoder.layer.1``, ``whole model``.

    Each is the largest module without any other weight, without the base model's prefix. Where
    those are many, the modules up to their first number stand for them.
    """
    first = {id(tensor): name for name, tensor in model.named_parameters()}
    tied = {
        name: first[id(tensor)] for name, tensor in model.named_parameters(remove_duplicate=False)
    }
    random = {tied.get(name, name) for name in weights}
    known = set(first.values()) - random
    if random and not known:
        return ("whole model",)
    prefix = f"{model.base_model_prefix}."
    parts = dict.fromkeys(_largest(name, known).removeprefix(prefix) for name in sorted(random))
    if len(parts) > _MOST_PARTS:
        parts = dict.fromkeys(_block(name.removeprefix(prefix)) for name in sorted(random))
    return tuple(parts)


def _largest(weight: str, known: set[str]) -> str:
    """Return the largest module around a random weight that holds no weight which is known."""
    steps = weight.split(".")
    for length in range(1, len(steps)):
        module = ".".join(steps[:length])
        if not any(name.startswith(f"{module}.") for name in known):
            return module
    return weight


def _block(weight: str) -> str:
    """Return the path up to its first number or, where there is none, its first name."""
    parts = weight.split(".")[:-1] or [weight]
    number = next((place for place, part in enumerate(parts) if part.isdigit()), None)
    return ".".join(parts[: number + 1]) if number is not None else parts[0]


def _shapes(name: str, *shapes: Any) -> tuple[str, str, str]:
    found, wanted = ("?", "?") if len(shapes) != 2 else map(shape, shapes)  # noqa: PLR2004
    return name, found, wanted
