"""Plain code that compares two models: their weights, and what they give of the same input."""

from __future__ import annotations

from hf_magics.inference.snippets import input_lines, run_lines
from hf_magics.inside.running_both import RanBoth
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.steps import Piece
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet
from hf_magics.specs import CompareSpec, InferSpec

# a model of the session may be called first: its variables end in _model, as none of these do
_MODELS = ("left", "right")
_OUTPUTS = ("left_outputs", "right_outputs")

_WEIGHTS = """\
max_abs_diff, cosine = {}, {}


def weights_of(module):  # its own: parameters, and the buffers that are saved
    own = {**module._parameters, **module._buffers}
    kept = [own[name] for name in own if name not in module._non_persistent_buffers_set]
    return [tensor.detach() for tensor in kept if tensor is not None]


def values(tensors):
    whole = [tensor.dequantize() if tensor.is_quantized or hasattr(tensor, "__tensor_flatten__")
             else tensor for tensor in tensors]
    return torch.cat([tensor.double().cpu().flatten() for tensor in whole])


modules = {path.removeprefix(PREFIX_OTHER): module for path, module in right.named_modules()}
for path, module in left.named_modules():
    same = modules.get(path.removeprefix(PREFIX_ONE))
    mine, its = weights_of(module), weights_of(same) if same is not None else []
    if mine and [tensor.shape for tensor in mine] == [tensor.shape for tensor in its]:
        a, b = values(mine), values(its)
        max_abs_diff[path] = (a - b).abs().max().item()
        cosine[path] = 1.0 if torch.equal(a, b) else torch.cosine_similarity(a, b, dim=0).item()
        print(f"{path:60} {max_abs_diff[path]:.3e} {cosine[path]:.6f}")"""


def code_for(
    spec: CompareSpec, models: tuple[LoadedModel, LoadedModel], ran: RanBoth | None
) -> tuple[Piece, ...]:
    """Return code that loads both, and prints how far weights and outputs are apart."""
    parts = [one for number in (0, 1) for one in _run(spec, models, ran, number)]
    prefixes = [f'"{one.model.base_model_prefix}."' for one in models]
    lines = _WEIGHTS.replace("PREFIX_OTHER", prefixes[1]).replace("PREFIX_ONE", prefixes[0])
    parts.append(Piece(Snippet(("import torch",), tuple(lines.split("\n")))))
    if ran is not None and ran.outputs.pairs.main.isidentifier():
        parts.append(Piece(Snippet((), _outputs(ran))))
    return tuple(parts)


def _run(
    spec: CompareSpec,
    models: tuple[LoadedModel, LoadedModel],
    ran: RanBoth | None,
    number: int,
) -> tuple[Piece, ...]:
    """Return the code of one model, with its outputs where there are inputs."""
    lines = [f"{_MODELS[number]} = model"]
    if ran is not None:
        lines += [*_pass(spec, ran, number), f"{_OUTPUTS[number]} = outputs"]
    return pieces_of(models[number], Snippet((), tuple(lines)))


def _pass(spec: CompareSpec, ran: RanBoth, number: int) -> list[str]:
    lent = ran.outputs.lent == number
    ids = tuple(tuple(line) for line in spec.ids)
    if lent:  # it has no tokenizer: the tokens stand in the code
        ids = tuple(tuple(row) for row in ran.encoded[number].inputs["input_ids"].tolist())
    asked = InferSpec(spec.name, () if lent else spec.texts, ids, variable=spec.variable)
    return [
        *input_lines(asked, ran.encoded[number]),
        *run_lines(asked, ran.added[number], ran.encoded[number]),
    ]


def _outputs(ran: RanBoth) -> tuple[str, ...]:
    """Return the lines that compare the main outputs, at tokens and not at padding."""
    main = ran.outputs.pairs.main
    return (
        f"a, b = (out.{main}.double().cpu() for out in (left_outputs, right_outputs))",
        'mask = inputs.get("attention_mask")',
        "if mask is not None and mask.shape == a.shape[:2]:  # padding means nothing",
        "    a, b = a[mask.cpu().bool()], b[mask.cpu().bool()]",
        "largest = (a - b).abs().max().item()",
        "alike = torch.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()",
        f'print(f"{main}: differs by at most {{largest:.3e}}, cosine {{alike:.6f}}")',
    )
