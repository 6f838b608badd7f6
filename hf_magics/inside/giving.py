"""What is given to a model to look into it: texts, token IDs, tensors or images, as a batch."""

from __future__ import annotations

from hf_magics.inference.answering.task import Request
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.snippets import input_lines
from hf_magics.inference.tasks.features import Features, image_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.modeling.store import LoadedModel
from hf_magics.settings import DEFAULTS
from hf_magics.specs import InferSpec


def encoded_for(loaded: LoadedModel, inputs: Inputs, spec: InferSpec) -> Encoded:
    """Return the batch; images go through the model's own image processor.

    Raises:
        HFMagicsError: The model does not take these inputs, or has nothing that prepares them.
    """
    request = Request(loaded, spec, inputs, DEFAULTS)
    task = Features()
    task.check(request)
    return task.encode(request)


def given_lines(
    loaded: LoadedModel, inputs: Inputs, spec: InferSpec, encoded: Encoded
) -> list[str]:
    """Return the plain lines that make ``inputs``, on the CPU."""
    if inputs.kind == "things":
        return image_lines(Request(loaded, spec, inputs, DEFAULTS))
    return input_lines(spec, encoded)
