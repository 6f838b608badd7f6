"""A model of the session without torch weights: an engine or a server has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_magics.errors import EngineError
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet

if TYPE_CHECKING:
    from hf_magics.specs import LoadSpec


@dataclass(frozen=True)
class About:
    """What there is to say of such a model, where a torch model would be asked.

    ``head`` stands where the class would; 0 and ``""`` are not known or have no meaning. ``more``
    are rows of the model's page, such as its context. ``runs`` and ``instead`` make the line by
    which verbs are refused: "smol ``runs``, which has no torch weights: ``instead``".
    """

    head: str
    runs: str
    instead: str
    parameters: int = 0
    memory_bytes: int = 0
    dtype: str = ""
    device: str = ""
    tokenizer: str = ""
    more: tuple[tuple[str, str], ...] = ()


class EngineModel(LoadedModel):
    """A model that writes text, and is no torch model: ``.writer`` does it.

    Whatever asks for its torch weights gets one line that says what has them; nothing else needs
    to know. ``.writer`` is a `hf_magics.inference.generation.writer.Writer`.
    """

    about: About
    snippet: Snippet

    @classmethod
    def of(cls, spec: LoadSpec, origin: Origin, writer: Any, about: About) -> EngineModel:
        """Return the entry of a model.

        Args:
            spec: As it was resolved; its ``name`` is the one in the session.
            origin: Where it is.
            writer: What writes; its ``loading()`` is the plain code that makes the same.
            about: What its page says.
        """
        made = cls(spec.name, None, None, None, origin, spec, spec, writer=writer)
        made.about = about
        made.snippet = writer.loading()
        return made

    @property
    def model(self) -> Any:
        """There is none.

        Raises:
            EngineError: Always; it says what has torch weights.
        """
        raise self.refusal("torch weights")

    @model.setter
    def model(self, value: Any) -> None:
        if value is not None:
            raise self.refusal("torch weights")

    @property
    def head(self) -> str:
        """What stands where the name of a class would."""
        return self.about.head

    @property
    def torch_model(self) -> Any:
        """None: see `model`."""
        return None

    def __repr__(self) -> str:
        return f"<{self.name} · {self.head}: .writer>"

    def refusal(self, what: str) -> EngineError:
        """Return the error for a verb that needs what is not there."""
        about = self.about
        return EngineError(f"{self.name} {about.runs}, which has no {what}: {about.instead}")

    def close(self) -> None:
        """Let the writer give back its memory or its connection."""
        self.writer.close()
