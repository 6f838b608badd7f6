"""The same line again: it gives the model that is there, where nothing changed since."""

from __future__ import annotations

import dataclasses
from typing import Any

from hf_magics.errors import SessionNameError
from hf_magics.modeling import checkpoints
from hf_magics.modeling.load_options import subfolder_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.weights import weights_mark
from hf_magics.specs import LoadSpec, NewSpec


def find_same(
    spec: LoadSpec | NewSpec, session: Session, tokenizer: Any = None
) -> LoadedModel | None:
    """Return the model that the same spec loaded or made before, where nothing changed since.

    Raises:
        SessionNameError: It is there under this name, and its weights, files or tokenizer are
        others.
    """
    key = dataclasses.replace(spec, replace=False)
    for loaded in map(session.get, session):
        if spec.replace or dataclasses.replace(loaded.asked, replace=False) != key:
            continue
        changed = _what_changed(loaded)
        if not changed and loaded.has_tokenizer_as_given(tokenizer):
            return loaded
        if spec.name:
            why = changed or "its tokenizer is another"
            raise SessionNameError(
                f"'{spec.name}' is there from this line, and {why}: --replace makes it anew, "
                "-n NAME puts another beside"
            )
    return None


def _what_changed(loaded: LoadedModel) -> str:
    if any("torch." in line for line in loaded.moves):
        return f"it was cast to {str(loaded.model.dtype).removeprefix('torch.')}"
    if loaded.torch_model is not None and weights_mark(loaded.model) != loaded.weights_mark:
        return "its weights have changed since (trained here?)"
    asked = loaded.asked
    if _is_adapter_changed(loaded):
        return "the files of its adapter have changed since"
    if loaded.origin.kind not in {"folder", "gguf"} or not isinstance(asked, LoadSpec):
        return ""  # a commit does not change; a branch that moved is asked for with --replace
    if loaded.origin.commit:
        return ""
    found = checkpoints.find(asked.source, gguf=asked.gguf, subfolder=subfolder_of(asked))
    return "" if found.origin().mark == loaded.origin.mark else "its files have changed since"


def _is_adapter_changed(loaded: LoadedModel) -> bool:
    adapter, asked = loaded.adapter, loaded.asked
    if adapter is None or adapter.origin.kind != "folder" or not isinstance(asked, LoadSpec):
        return False
    return checkpoints.find_files(asked.adapter).origin().mark != adapter.origin.mark
