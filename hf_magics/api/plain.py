"""The page of a plain object: no verb, but what a notebook shows of one where it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_magics.first_import import first_import
from hf_magics.settings import Settings

if TYPE_CHECKING:
    from hf_magics.display.shown import Shown
    from hf_magics.modeling.store import Session


def plain_page(thing: Any, session: Session, settings: Settings) -> Shown:
    """Return the page of a tensor, an output, an encoding, a config or a model.

    Raises:
        Exception: It is one that can't be looked into; its own ``repr`` says what it is.
    """
    with first_import():
        import torch
        from transformers import BatchEncoding, PreTrainedConfig, PreTrainedModel
        from transformers.utils import ModelOutput

        from hf_magics.inference import plain_encodings, plain_tensors
        from hf_magics.inside import layers
        from hf_magics.modeling import configs, watching
    with (
        torch.no_grad(),
        torch._C.DisableTorchFunctionSubclass(),  # noqa: SLF001 - a subclass may change what + is
        watching.unwarned(),  # what torch says of sparse or quantized values
    ):
        match thing:
            case torch.Tensor():
                return plain_tensors.show_tensor(thing)
            case ModelOutput():
                return plain_tensors.show_output(thing, settings)
            case BatchEncoding():
                return plain_encodings.show_encoding(thing, settings)
            case PreTrainedConfig():
                return configs.describe(thing)
            case PreTrainedModel():
                return layers.look_at(thing, session)
    raise NotImplementedError(type(thing).__name__)
