"""The verbs that look inside a model: its layers, and what it thinks of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_magics.first_import import first_import
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inside.layer_pages import LayersResult
    from hf_magics.inside.score_results import ScoreResult


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


def score(
    inputs: Any,
    *,
    model: str = "",
    max_length: int | None = None,
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> ScoreResult:
    """Score each token of given text: its log-probability and rank, and the model's entropy there.

    Under a causal model each token but the first, by the logits at the token before it. Under a
    masked model each token but special ones, by the logits at a mask in its place (Salazar et al.
    2020, "Masked Language Model Scoring"). Logarithms are natural, ranks count from 1.

    Args:
        inputs: A text, a list or Series of texts, or token IDs.
        model: The name of a model; the current one where there is none.
        max_length: Tokens of one line at most; the model's own limit where it is None.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, one without a head for that, or inputs that can't be scored.
    """
    from hf_magics.specs import ScoreSpec

    with first_import():
        from hf_magics.inside import scoring
    read = scoring.read_lines(inputs)
    spec = ScoreSpec(model, read.texts, read.ids, max_length, variable)
    return scoring.score(spec, read, session, settings)
