"""The session: the models by name, the current one, what was done, and what is kept.

Imports neither torch nor transformers, so that the magics can ask it for names at any time.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import SessionNameError, TokenizerError
from hf_magics.interrupts import no_interrupt
from hf_magics.modeling.kept import Kept
from hf_magics.modeling.origin import Origin
from hf_magics.modeling.steps import Piece, Step

if TYPE_CHECKING:
    from hf_magics.modeling.adapters import Adapter
    from hf_magics.modeling.engine_facts import EngineFacts
    from hf_magics.modeling.sentence import SentenceConfig
    from hf_magics.specs import LoadSpec, NewSpec

_NAME = re.compile(r"[^\W\d][\w.-]*")
_numbers = itertools.count(1)
_MOST_STEPS = 10_000  # a loop of a script may call a verb a million times


@dataclass(eq=False, repr=False)
class LoadedModel:
    """A model of the session, with what belongs to it.

    ``model`` and ``tokenizer`` are the ordinary transformers objects; ``tokenizer_given`` says
    that the tokenizer came as an object of the notebook; ``moves`` are the lines of code by which
    it was moved and cast since. ``random`` names the modules whose weights did not come from a
    checkpoint, ``reshaped`` the weights that had another shape there, ``not_finite`` those
    that came with a NaN or an infinity; ``asked`` is the spec as it
    was asked, so that the same line can be known again; ``weights_mark`` changes when the weights
    change. ``sentence`` says how it embeds texts, where sentence-transformers wrote that down;
    ``conversation`` is what a chat keeps; ``runner`` computes the forward pass in the place of
    the torch model, ``writer`` writes text in its place (`hf_magics.modeling.elsewhere` has
    models without torch weights), and ``engine`` says what it is; ``batch_tokens`` are the tokens
    of a batch that it runs fastest with, 0 as long as nobody measured; ``adapter`` was put on it.
    """

    name: str
    model: Any
    tokenizer: Any
    processor: Any
    origin: Origin
    spec: LoadSpec | NewSpec
    asked: LoadSpec | NewSpec
    random: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    weights_mark: tuple[Any, ...] = ()
    tokenizer_given: bool = False
    moves: tuple[str, ...] = ()
    sentence: SentenceConfig | None = None
    conversation: Any = None
    runner: Any = None
    engine: EngineFacts | None = None
    batch_tokens: int = 0
    writer: Any = None
    adapter: Adapter | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __repr__(self) -> str:
        return f"<{self.name} · {self.head}: .model, .tokenizer, .config, .processor>"

    def __getstate__(self) -> dict[str, Any]:
        """Pack for another process: without the lock and the chat."""
        return {**self.__dict__, "lock": None, "conversation": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.RLock()

    @property
    def head(self) -> str:
        """The name of the model's class."""
        return type(self.model).__name__

    @property
    def torch_model(self) -> Any:
        """The model, None where there are no torch weights: ``.model`` raises there."""
        return self.model

    def close(self) -> None:
        """Give back what Python's own memory management does not know of."""

    @property
    def tokenizer_source(self) -> str:
        """Where the tokenizer was read from, ``""`` where it came as an object."""
        if self.tokenizer_given:
            return ""
        own = getattr(self.spec, "source", "")  # a NewSpec has none
        return self.spec.tokenizer or own

    @property
    def config(self) -> Any:
        """The model's config."""
        return self.model.config

    def has_tokenizer_as_given(self, tokenizer: Any) -> bool:
        """Say whether a line that gives this tokenizer object, or None, made this model."""
        if tokenizer is None:
            return not self.tokenizer_given
        return tokenizer is self.tokenizer


class Session:
    """The store: ``session["bert"].model``, ``"bert" in session``, ``session.current``.

    ``steps`` holds what every verb did that was run, in order, ``log`` their resolved specs; of
    very many the first are ``forgotten``, which is how many.
    """

    def __init__(self) -> None:
        self._models: dict[str, LoadedModel] = {}
        self._current = ""
        self.steps: deque[Step] = deque(maxlen=_MOST_STEPS)
        self.forgotten = 0
        self.kept = Kept()

    def __contains__(self, name: object) -> bool:
        return name in self._models

    def __getitem__(self, name: str) -> LoadedModel:
        if name not in self._models:
            raise SessionNameError(
                f"no model named '{name}'; {self._loaded()}{nearest(name, self._models)}"
            )
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __repr__(self) -> str:
        return f"<hf_magics session: {sentence_list(self._models)}>"

    @property
    def log(self) -> list[Any]:
        """The resolved spec of each step."""
        return [step.spec for step in self.steps]

    def record(self, spec: Any, *pieces: Piece) -> str:
        """Keep what a verb did, and return the plain code that does it again."""
        step = Step(spec, pieces)
        self.forgotten += len(self.steps) == _MOST_STEPS
        self.steps.append(step)
        return step.code

    @property
    def current(self) -> LoadedModel:
        """The model that a verb without a name means.

        Raises:
            SessionNameError: There is none yet.
        """
        if not self._current:
            raise SessionNameError(
                "no model is loaded: %hf_load SOURCE loads one, %hf_new TYPE makes one"
            )
        return self._models[self._current]

    @property
    def current_name(self) -> str:
        """The current model's name, ``""`` where there is none."""
        return self._current

    def get(self, name: str = "") -> LoadedModel:
        """Return the model of that name, the current one where there is no name."""
        if name:
            return self[name]
        return self.current

    def tokenizer_named(self, tokenizer: Any) -> tuple[str, Any]:
        """Return where a tokenizer is, and the object where there is one already.

        Args:
            tokenizer: An object, the name of a model of the session, or a source.
        """
        if isinstance(tokenizer, os.PathLike):
            return os.fspath(tokenizer), None
        if not isinstance(tokenizer, str):
            return "", tokenizer
        if tokenizer in self and self[tokenizer].tokenizer is None:
            raise TokenizerError(f"{tokenizer} has no tokenizer to give: --tokenizer SOURCE")
        if tokenizer in self:
            return self[tokenizer].tokenizer_source, self[tokenizer].tokenizer
        return tokenizer, None

    def by_number(self, number: int) -> LoadedModel:
        """Return the model that a result was made from.

        Raises:
            SessionNameError: It was dropped or replaced since.
        """
        for loaded in self._models.values():
            if loaded.number == number:
                return loaded
        raise SessionNameError("the model of this result was dropped or replaced since")

    @no_interrupt()
    def add(self, loaded: LoadedModel, *pieces: Piece) -> None:
        """Put a model in under its name, in place of one that has it, and make it current.

        Args:
            loaded: The model.
            pieces: The code by which it came to be, for the step that is kept of it.
        """
        replaced = self._models.get(loaded.name)
        self._models[loaded.name] = loaded
        if replaced is not None:
            replaced.close()
        self._current = loaded.name
        if pieces:
            self.record(loaded.spec, *pieces)

    def use(self, name: str) -> LoadedModel:
        """Make the model of that name the current one."""
        loaded = self.get(name)
        self._current = loaded.name
        return loaded

    @no_interrupt()
    def remove(self, name: str) -> LoadedModel:
        """Take a model out; the one that was put in last is current then."""
        loaded = self[name]
        del self._models[name]
        if self._current == name:
            self._current = next(reversed(self._models), "")
        return loaded

    def choose_name(self, wanted: str, fallback: str, *, replace: bool) -> str:
        """Return a name that is free, or that may be replaced.

        Args:
            wanted: What the user asked for, ``""`` where nothing.
            fallback: What it is called otherwise, numbered if it is taken.
            replace: Whether ``wanted`` may be the name of a model that exists.

        Raises:
            SessionNameError: ``wanted`` is no name, or taken and not to be replaced.
        """
        if not wanted:
            return self._free(re.sub(r"[^\w.-]+", "-", fallback).strip("-.") or "model", replace)
        if not _NAME.fullmatch(wanted):
            raise SessionNameError(
                f"'{wanted}' can't be a name: letters, digits, '_', '-' and '.', "
                "beginning with a letter"
            )
        if wanted in self and not replace:
            raise SessionNameError(
                f"'{wanted}' is loaded already, from something else or with other options: "
                "--replace puts this in its place, -n NAME gives it another name"
            )
        return wanted

    def _free(self, base: str, replace: bool) -> str:
        base = base if _NAME.fullmatch(base) else f"model-{base}"
        if replace or base not in self:
            return base
        return next(
            name for number in itertools.count(2) if (name := f"{base}-{number}") not in self
        )

    def _loaded(self) -> str:
        return f"loaded: {sentence_list(self._models)}" if self._models else "nothing is loaded"


session = Session()
"""The one session of this process; the magics and the verbs share it."""
