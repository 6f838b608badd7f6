"""The verbs that look inside models: layers, attention, lens, scores of a text, two compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_magics.first_import import first_import
from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inside.attention_pages import AttentionResult
    from hf_magics.inside.compare_pages import CompareResult
    from hf_magics.inside.layer_pages import LayersResult
    from hf_magics.inside.lens_pages import LensResult
    from hf_magics.inside.score_results import ScoreResult


@orderly_interrupts()
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
        target=target,
        fields=tuple(fields.items()),
        task=task,
        head=class_,
        depth=depth,
        find=find,
        measured=read is not None,
        texts=read.texts if read else (),
        ids=read.ids if read else (),
        variable=variable,
    )
    return looking.layers(spec, read, session, settings)


@orderly_interrupts()
def attention(
    inputs: Any,
    *,
    model: str = "",
    layer: int | None = None,
    head: int | None = None,
    kind: str = "",
    variable: str = "",
) -> AttentionResult:
    """Show which token of an input looks at which, in each head of each layer.

    Args:
        inputs: A text, a pair of texts parted by a tab (an encoder-decoder takes the second for
            its decoder), token IDs, or a dictionary of tensors.
        model: The name of a model; the current one where there is none.
        layer: The layer, from 0; all where it is None.
        head: The head, from 0; all where it is None.
        kind: ``self``, ``encoder``, ``decoder`` or ``cross``, where a model has several.
        variable: The notebook's name of the inputs.

    Raises:
        HFMagicsError: No such model, layer, head or kind; the model gives no attention weights; or
            an input that can't be run.
    """
    from hf_magics.specs import AttentionSpec

    with first_import():
        from hf_magics.inference.inputs import read_inputs
        from hf_magics.inside import attention as looking
    read = read_inputs(inputs)
    spec = AttentionSpec(model, read.texts, read.ids, layer, head, kind, variable)
    return looking.attention(spec, read, session)


@orderly_interrupts()
def lens(
    inputs: Any,
    *,
    model: str = "",
    target: str = "",
    position: int | None = None,
    hidden: bool = False,
    variable: str = "",
) -> LensResult:
    """Show what a model's head would say of each layer's hidden states: the logit lens.

    Args:
        inputs: A text, or token IDs, for a model that writes on or fills masks.
        model: The name of a model; the current one where there is none.
        target: A token to follow through the layers; the last layer's likeliest where there is
            none.
        position: Where it is followed, from 0; at the first mask, else at the end, where it is
            None.
        hidden: Show the norms of the hidden states, and the cosines between the layers, too.
        variable: The notebook's name of the inputs.

    Raises:
        HFMagicsError: No such model, a head that gives no token for each position, a target that
            is no single token, or an input that can't be run.
    """
    from hf_magics.specs import LensSpec

    with first_import():
        from hf_magics.inference.inputs import texts_or_rows
        from hf_magics.inside import lens as looking
    read = texts_or_rows(inputs)
    spec = LensSpec(model, read.texts, read.ids, target, position, hidden, variable)
    return looking.lens(spec, read, session)


@orderly_interrupts()
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
        from hf_magics.inference.inputs import texts_or_rows
        from hf_magics.inside import scoring
    read = texts_or_rows(inputs)
    spec = ScoreSpec(model, read.texts, read.ids, max_length, variable)
    return scoring.score(spec, read, session, settings)


@orderly_interrupts()
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
