"""Refusals: what transformers and the hub raise while a checkpoint is read, in a line of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import transformers

from hf_magics.display.words import nearest, one_line
from hf_magics.errors import ConfigError, HFMagicsError, HubError, OptionError, SourceError
from hf_magics.modeling import architectures, fields, hub, own_code
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.damage import damaged


def config_error(found: Checkpoint, error: Exception, *, trusted: bool) -> HFMagicsError:
    """Return why a config can't be read."""
    text = one_line(error)
    if (problem := _hub_error(found, error)) is not None:
        return problem
    if "trust_remote_code" in text and not trusted:
        return SourceError(own_code.refusal(found.location))
    named = found.read_json("config.json").get("model_type")
    if named and not architectures.is_model_type(str(named)):
        known = nearest(str(named), architectures.model_types())
        return SourceError(
            f"{_config(found)} is of the type '{named}', which transformers "
            f"{transformers.__version__} does not have{known}"
        )
    if found.gguf and "GGUF" not in text:  # of a header that ends too early: counts of bytes
        return SourceError(
            f"'{found.path_or_id}' is damaged: it is cut off, or its header is wrong"
        )
    return SourceError(f"{_config(found)} can't be read: {text}")


def _config(found: Checkpoint) -> str:
    what = "the config" if found.gguf else "config.json"
    return f"{what} of '{found.path_or_id}'"


@contextlib.contextmanager
def config_blamed(found: Checkpoint) -> Iterator[None]:
    """Blame the config for what goes wrong while it is made use of: its values can be anything.

    Raises:
        SourceError: In the place of what came.
    """
    try:
        yield
    except HFMagicsError:
        raise
    except Exception as error:
        raise SourceError(f"{_config(found)} can't be used: {one_line(error)}") from error


def weights_error(found: Checkpoint, error: Exception, config: Any) -> HFMagicsError:
    """Return why a model can't be made from its weights."""
    text = one_line(error)
    if (problem := _not_cached(found) or _hub_error(found, error)) is not None:
        return problem
    if isinstance(error, ImportError):
        return SourceError(f"'{found.location}' needs a package that is not here: {text}")
    if isinstance(error, TypeError) and "unexpected keyword" in text:
        return ConfigError(_unexpected(text, config))
    if "attn_implementation" in text:
        return OptionError(
            f"{text.partition('. ')[0]}: --attn takes eager, sdpa, flash_attention_2, …"
        )
    return _damage(found, error)


def _hub_error(found: Checkpoint, error: Exception) -> HubError | None:
    if found.kind != "hub":
        return None
    return hub.download_error(error, found.location, found.commit)


def _not_cached(found: Checkpoint) -> HubError | None:
    if not found.offline or found.is_cached():
        return None
    return HubError(
        f"the weights of '{found.location}' at the commit {found.commit[:12]} are not in the "
        "cache: load it once with the hub in reach"
    )


def _damage(found: Checkpoint, error: Exception) -> SourceError:
    """Say what is wrong with the files of the weights."""
    if said := damaged(found):
        return SourceError(said)
    is_config = not found.gguf and not isinstance(error, OSError)  # the weights can be read
    said = " as its config.json has it" if is_config else ""
    return SourceError(f"'{found.path_or_id}' can't be loaded{said}: {one_line(error)}")


def _unexpected(text: str, config: Any) -> str:
    name = text.rpartition("argument ")[2].strip("'")
    if name in fields.known_fields(config):
        return f"{name} is a field of the config: write {name}=VALUE without --set"
    return f"from_pretrained does not take what --set gave: {text}"
