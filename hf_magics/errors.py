"""Every error that a user can meet.

Each message is one line that names the thing and says what to type next::

    HFMagicsError
    ├── OptionError         the line itself: an unknown option, a variable that is not there
    ├── SessionNameError    a session name that is unknown, taken or malformed
    ├── SourceError         a checkpoint that is not there or can't be read
    │   └── HubError        … because of what the hub said, or did not say
    ├── HeadError           a class or task that this architecture does not have
    ├── ConfigError         a config field, its value, or sizes that disagree
    ├── FitError            a model that needs more memory than there is
    ├── TokenizerError      a tokenizer that is missing or can't be loaded
    ├── InputError          a text, a list of token IDs or a tensor that can't be run
    ├── SaveError           a checkpoint that can't be written
    ├── EngineError         an engine or a server that can't do what is asked
    ├── EvictedError        tensors that were let go to stay within the budget
    ├── MapInterruptedError a map that was interrupted: what is kept, and how to go on
    └── MissingExtraError   an optional package that is not installed
"""

from __future__ import annotations

from collections.abc import Iterator


class HFMagicsError(Exception):
    """The root: the magics show it as one line, scripts can catch it as one class."""


class OptionError(HFMagicsError):
    """The line can't be read as options, arguments and text."""


class SessionNameError(HFMagicsError):
    """A name in the session is unknown, already taken, or not a name."""


class SourceError(HFMagicsError):
    """A hub id, folder or file that does not hold a checkpoint that can be read."""


class HubError(SourceError):
    """The hub has no such repository or revision, refuses it, or can't be reached."""


class HeadError(HFMagicsError):
    """No such class in transformers, or the architecture has no head for the task."""


class ConfigError(HFMagicsError):
    """A config field is unknown, its value has the wrong type, or sizes disagree."""


class FitError(HFMagicsError):
    """The weights need more memory than is available."""


class TokenizerError(HFMagicsError):
    """Text has to be tokenised and there is no tokenizer, or it can't be loaded."""


class InputError(HFMagicsError):
    """The input can't be run: no text, no such token ID, the wrong type."""


class SaveError(HFMagicsError):
    """The checkpoint can't be written where it was asked for."""


class EngineError(HFMagicsError):
    """What runs a model in the place of torch can't do this, is not there, or gave up."""


class EvictedError(HFMagicsError):
    """The tensors of a shown result were let go; newer ones needed the room."""


class MapInterruptedError(HFMagicsError, KeyboardInterrupt):
    """A map was interrupted: a script can catch it as the interrupt that it is."""


class MissingExtraError(HFMagicsError):
    """An optional package is needed and not installed."""


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it came from, each once: an error may be its own cause."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [one.__context__, one.__cause__]


def is_full(error: BaseException) -> bool:
    """Say whether an error is that there was no memory for something, on whatever device.

    By name: the class is torch's, which is not imported for that; of the CPU's it has none.
    """
    is_known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_known or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
