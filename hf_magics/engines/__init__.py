"""Engines: what loads and runs a model in other ways than torch in this process."""

from __future__ import annotations

from collections.abc import Callable

from hf_magics.display.words import nearest
from hf_magics.engines import openvino, quantized
from hf_magics.engines.llamacpp import loading as llamacpp
from hf_magics.engines.remote import loading as remote
from hf_magics.errors import OptionError
from hf_magics.modeling import loading
from hf_magics.modeling.load_options import check_adapter
from hf_magics.modeling.results import ModelResult
from hf_magics.specs import LoadSpec

Loader = Callable[..., ModelResult]
"""Takes spec, session, settings and ``tokenizer=``, as `hf_magics.modeling.loading.load` does."""

_LOADERS: dict[str, Loader] = {
    "torch": loading.load,
    "openvino": openvino.load,
    "llamacpp": llamacpp.load,
}


def loader_for(spec: LoadSpec) -> Loader:
    """Return what loads for the engine or server that a spec names; torch where it names none.

    Raises:
        OptionError: There is no such engine, or it takes no adapter.
    """
    check_adapter(spec)
    if spec.endpoint:
        return remote.load
    name = spec.engine or "torch"
    if name == "torch" and spec.quantize:
        return quantized.load
    if name not in _LOADERS:
        raise OptionError(
            f"no engine '{name}'{nearest(name, _LOADERS)}; there are: {', '.join(_LOADERS)}"
        )
    return _LOADERS[name]
