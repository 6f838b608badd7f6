"""The weights of a model: how many, how large, and whether they changed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator
from typing import Any

import torch

_SAMPLE = 512


def parameter_count(model: Any) -> int:
    """Return the number of parameters, tied ones once, packed ones each."""
    return sum({id(one): held(one) for one in model.parameters()}.values())


def held(tensor: torch.Tensor) -> int:
    """Return the number of parameters in a tensor, packed ones each."""
    state = getattr(tensor, "quant_state", None)  # of bitsandbytes: two weights lie in a byte
    return math.prod(state.shape) if state is not None else tensor.numel()


def embedding_rows(model: Any) -> int | None:
    """Return the number of rows of the input embedding; None for a model that has none."""
    try:
        embedding = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):  # how transformers says that there is none
        return None
    return getattr(embedding, "num_embeddings", None)


def weights_mark(model: Any) -> tuple[Any, ...]:
    """Return a value that changes when the weights do.

    For each tensor: torch's own count of in-place changes, which an optimiser raises, where it
    lies, and the sum of up to 512 elements spread over it, for changes through ``.data``, which
    torch does not count. A change of single elements through ``.data`` can go unseen.
    """
    return tuple(_tensor_mark(tensor) for _, tensor in all_tensors(model))


def touched(model: Any, mark: tuple[Any, ...]) -> bool:
    """Say whether torch counted a change since the mark, or a weight lies elsewhere.

    A tenth of a millisecond where `changed_since` takes two: it reads no weight, and so sees no
    change through ``.data``.
    """
    before = {one[_VERSION:_SUM] for one in mark}
    plain = (one for one in tensors_of(model) if not hasattr(one, "__tensor_flatten__"))
    return any(
        (one._version, one.data_ptr()) not in before  # noqa: SLF001 - torch's count
        for one in plain
        if not (one.is_meta or one.is_inference())
    )


def tensors_of(model: Any) -> list[torch.Tensor]:
    """Return the parameters and buffers, tied ones twice; unlike torch's own walk, without names.

    Those are what takes the time: a thirtieth of what a batch of a small encoder does.
    """
    found, left = [], [model]
    while left:
        module = left.pop()
        found += [*module._parameters.values(), *module._buffers.values()]  # noqa: SLF001
        left += [one for one in module._modules.values() if one is not None]  # noqa: SLF001
    return [one for one in found if one is not None]


def not_finite(model: Any, among: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the names of the parameters with a NaN or an infinity in them.

    Of those that are quantised none is looked at. The smallest and the largest element are read in
    one pass, and a NaN is both of them.

    Args:
        model: The model.
        among: The names of those that are looked at, None for all.
    """
    asked = {name: one for name, one in model.named_parameters() if among is None or name in among}
    return tuple(name for name, one in asked.items() if _is_plain(one) and not _all_finite(one))


def _is_plain(tensor: torch.Tensor) -> bool:
    plain = not hasattr(tensor, "__tensor_flatten__")  # which torchao's are not
    return plain and tensor.dtype in _FLOATS and not tensor.is_meta and tensor.numel() > 0


_FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def _all_finite(tensor: torch.Tensor) -> bool:
    return all(bool(one.isfinite()) for one in tensor.detach().aminmax())


def weights_hash(model: Any) -> str:
    """Return the sha256 of the weights: of each tensor's name, shape, dtype and bytes, in order.

    Two models have the same where their parameters and buffers are the same bit by bit. Buffers
    that are not saved count too.
    """
    found = hashlib.sha256()
    for name, tensor in all_tensors(model):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        found.update(_bytes_of(tensor))
    return found.hexdigest()


def all_tensors(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Give each parameter and buffer with its name; of a quantised one, what it is made of."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        yield from plain_tensors(name, tensor)


def plain_tensors(name: str, tensor: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Give a tensor with its name, or those that a quantised one is made of, each with its own."""
    inner = getattr(tensor, "__tensor_flatten__", None)  # of torchao
    for part in inner()[0] if inner else ():
        yield from plain_tensors(f"{name}.{part}", getattr(tensor, part))
    if inner is None:
        yield name, tensor
    scales = getattr(tensor, "quant_state", None), getattr(tensor, "SCB", None)  # of bitsandbytes
    for part, value in (*vars(scales[0] or object).items(), ("SCB", scales[1])):
        if isinstance(value, torch.Tensor):
            yield f"{name}.{part}", value


def _bytes_of(tensor: torch.Tensor) -> Any:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy()


def changed_since(
    model: Any, mark: tuple[Any, ...], modules: tuple[str, ...] = ("whole model",)
) -> tuple[str, ...]:
    """Return those of the modules that have a weight whose values are not those of the mark.

    A model that was moved or cast has the same weights, but for what a smaller dtype rounds.

    Args:
        model: The model.
        mark: What `weights_mark` gave of it.
        modules: Paths of modules, without the base model's prefix or with it; a path that no
            weight has, such as ``whole model``, stands for all.
    """
    names = [name for name, _ in all_tensors(model)]
    now = weights_mark(model)
    changed = [
        name for name, one, other in zip(names, now, mark, strict=False) if _moved(one, other)
    ]
    prefix = f"{model.base_model_prefix}."
    found = []
    for module in modules:
        begins = (f"{module}.", f"{prefix}{module}.")
        own = [name for name in names if name.startswith(begins) or name == module]
        if any(name in own or not own for name in changed):
            found.append(module)
    return tuple(found)


def _moved(now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    """Say whether the values of a tensor are others than they were."""
    if now[_SHAPE] != before[_SHAPE]:
        return True
    if len(now) != len(before) or len(now) <= _SUM:
        return False  # on the meta device there are no values
    if now[_DTYPE] == before[_DTYPE]:
        return bool(now[_SUM] != before[_SUM])
    return not math.isclose(float(now[_SUM]), float(before[_SUM]), rel_tol=0.05, abs_tol=0.05)


_DTYPE, _SHAPE, _VERSION, _SUM = 1, 2, 3, 5  # the places in what follows


def _tensor_mark(tensor: torch.Tensor) -> tuple[Any, ...]:
    place = (str(tensor.device), str(tensor.dtype), tuple(tensor.shape))
    if tensor.is_meta or tensor.is_inference():
        return place
    return (*place, tensor._version, tensor.data_ptr(), _sample_sum(tensor))  # noqa: SLF001


def _sample_sum(tensor: torch.Tensor) -> str:
    flat = tensor.detach().reshape(-1) if tensor.is_contiguous() else tensor.detach().flatten()
    step = max(1, flat.numel() // _SAMPLE)
    return repr(flat[::step].double().sum().item())  # a string, so that NaN equals NaN
