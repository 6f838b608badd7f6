"""The plain code that converts a model and puts OpenVINO in the place of its forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_magics.engines.layout import Layout
from hf_magics.engines.openvino.graph import COMPILED_FOR
from hf_magics.snippets import Name, Snippet, call

_FLAT = """\

def tensors_in(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [one for part in value or () for one in tensors_in(part)]


class Flat(torch.nn.Module):  # OpenVINO's graphs have their outputs in a row
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, {names}):
        outputs = self.model(
{given}
        )
        return tuple(tensors_in(outputs.to_tuple()))


example = torch.ones({shape}, dtype=torch.long)
with torch.inference_mode():
    graph = openvino.convert_model(Flat(model), example_input=({example}))"""


_EXAMPLES = {"token_type_ids": "torch.zeros_like(example)"}


def engine_snippet(
    shapes: Mapping[str, int], layout: Layout, fixed: Mapping[str, Any], quantize: str
) -> Snippet:
    """Return code that goes behind a ``model`` of torch: ``model(**inputs)`` is OpenVINO's then.

    Args:
        shapes: The graph's inputs with their number of dimensions.
        layout: The output.
        fixed: More arguments of ``forward``.
        quantize: ``int8`` or nothing.
    """
    imports = ["import openvino", "import torch", _import(layout.output)]
    given = {name: name for name in shapes} | {"return_dict": True, **fixed}
    shape = "2, 8" if shapes["input_ids"] == 2 else "2, 2, 8"  # noqa: PLR2004 - or with choices
    flat = _FLAT.format(
        names=", ".join(shapes),
        given="\n".join(f"            {name}={value}," for name, value in given.items()),
        shape=shape,
        example=", ".join(_EXAMPLES.get(name, "example") for name in shapes),
    )
    lines = flat.split("\n")
    if quantize:
        imports.append("import nncf")
        lines += [
            'tables = nncf.IgnoredScope(types=["Gather"], validate=False)  # of embeddings',
            "mode = nncf.CompressWeightsMode.INT8_ASYM",
            "graph = nncf.compress_weights(graph, mode=mode, ignored_scope=tables)",
        ]
    compiled = call("openvino.compile_model", Name("graph"), "CPU", COMPILED_FOR)
    lines.append(f"compiled = {compiled}")
    return Snippet(tuple(imports), (*lines, *_forward(tuple(shapes), layout)))


def _forward(names: tuple[str, ...], layout: Layout) -> list[str]:
    filled = {"attention_mask": "torch.ones_like", "token_type_ids": "torch.zeros_like"}
    optional = [name for name in names if name in filled]
    parameters = ", ".join(f"{n}=None" if n in filled else n for n in names)
    lines = ["", "", f"def forward({parameters}):"]
    for name in optional:
        lines += [f"    if {name} is None:", f"        {name} = {filled[name]}(input_ids)"]
    arrays = ", ".join(f"{name}.numpy()" for name in names)
    returned = layout.literal("found").replace("\n", "\n    ")
    return [
        *lines,
        f"    found = compiled([{arrays}])",
        f"    found = [torch.from_numpy(found[at]) for at in range({layout.count})]",
        f"    return {returned}",
        "",
        "",
        "model.forward = forward  # OpenVINO computes; config and weights are still the model's",
    ]


def _import(owner: type[Any]) -> str:
    return f"from {owner.__module__} import {owner.__name__}"
