"""The verbs that look inside models: the layers of one, two side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_magics.first_import import first_import
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inside.compare_pages import CompareResult
    from hf_magics.inside.layer_pages import LayersResult


def layers(
    target: str = "",
    inputs: Any = None,
    *,
    depth: int | None = None,
    find: str = "",
    task: str = "",
    class_: str = "",
    variable: str = "",
    settings: Settings = DEFAULTS,
    **fields: Any,
) -> LayersResult:
    """Show the modules of a model as a tree: their parameters, and with inputs what they compute.

    Args:
        target: The name of a model, the current one where there is none; or a source or a model
            type that is not loaded, which takes no memory.
        inputs: Texts, token IDs or tensors to run: each module then has its shapes, its
            floating-point operations and its seconds.
        depth: How many levels are shown; all where it is None.
        find: A regular expression: only modules whose path it matches, with what is below them.
        task: Of what is not loaded: choose the head by task.
        class_: … or by class.
        variable: The notebook's name of the inputs.
        settings: Defaults.
        **fields: Of what is not loaded: fields of the config.

    Raises:
        HFMagicsError: No such model, source or type, no such module, or inputs that can't be run.
    """
    from hf_magics.specs import LayersSpec

    with first_import():
        from hf_magics.inference.inputs import read_inputs
        from hf_magics.inside import layers as looking
    read = read_inputs(inputs) if inputs is not None else None
    spec = LayersSpec(
        target,
        tuple(fields.items()),
        task,
        class_,
        depth,
        find,
        measured=read is not None,
        texts=read.texts if read else (),
        ids=read.ids if read else (),
        variable=variable,
    )
    return looking.layers(spec, read, session, settings)


def compare(
    name: str,
    other: str,
    inputs: Any = None,
    *,
    max_length: int | None = None,
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> CompareResult:
    """Put two models of the session side by side: config, tokenizer, weights by module.

    Args:
        name: The name of a model.
        other: The name of another.
        inputs: Texts, token IDs or tensors to run through both: outputs, hidden states by layer
            and times are compared too.
        max_length: Tokens of one input at most; what both take where it is None.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, twice the same, one without torch weights, or inputs that
            can't be run.
    """
    from hf_magics.specs import CompareSpec

    with first_import():
        from hf_magics.inference.inputs import read_inputs
        from hf_magics.inside import comparing
    read = read_inputs(inputs) if inputs is not None else None
    texts, ids = (read.texts, read.ids) if read else ((), ())
    spec = CompareSpec(name, other, texts, ids, max_length, variable)
    return comparing.compare(spec, read, session, settings)
