"""The verbs that run models: tokenise, infer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_magics.api.words import given_options
from hf_magics.first_import import first_import
from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inference.results import InferResult
    from hf_magics.inference.token_pages import ComparedTokens, TokensResult


@orderly_interrupts()
def tokens(
    inputs: Any,
    *,
    model: str | tuple[str, ...] | list[str] = (),
    max_length: int | None = None,
    padding: str = "",
    special: bool = True,
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> TokensResult | ComparedTokens:
    """Show the tokens of texts, or decode token IDs.

    Args:
        inputs: A text, a list or Series of texts (a tab parts a pair), or token IDs.
        model: The name of a model, or several to compare their tokenizers.
        max_length: Cut each text to so many tokens.
        padding: ``longest`` or ``max_length``.
        special: Whether special tokens are added, and shown where IDs are decoded.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, no tokenizer, no text, or an ID outside the vocabulary.
    """
    from hf_magics.specs import TokensSpec

    with first_import():
        from hf_magics.inference import tokens as showing
        from hf_magics.inference.inputs import texts_or_ids
    read = texts_or_ids(inputs)
    names = (model,) if isinstance(model, str) else tuple(model)
    spec = TokensSpec(names, read.texts, read.ids, max_length, padding, special, variable)
    return showing.show_tokens(spec, session, settings)


@orderly_interrupts()
def infer(
    inputs: Any,
    *,
    model: str = "",
    task: str = "",
    max_length: int | None = None,
    labels: str | Sequence[str] = (),
    template: str = "",
    multi_label: bool = False,
    context: str | Sequence[str] | None = None,
    from_: str = "",
    to: str = "",
    top_k: int | None = None,
    aggregate: str = "",
    pooling: str = "",
    beams: int | None = None,
    max_new_tokens: int | None = None,
    set: Mapping[str, Any] | None = None,
    capture: str | Sequence[str] = (),
    keep: str = "",
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> InferResult:
    """Run texts, token IDs or tensors through a model, and decode what comes out.

    Args:
        inputs: A text, a list or Series of texts (a tab parts a pair), token IDs, a dictionary of
            tensors as the model's ``forward`` takes them, or what the task reads: an image, sound.
        model: The name of a model; the current one where there is none.
        task: How the outputs are decoded, where the head answers several tasks; ``features`` shows
            the tensors of any model.
        max_length: Tokens of one input at most.
        labels: Zero-shot tasks: the labels, in a list or parted by commas.
        template: Zero-shot tasks: the hypothesis, ``{}`` in the place of the label.
        multi_label: Zero-shot tasks: each label by itself, as several may hold.
        context: Question answering: the text with the answers, or one a question.
        from_: Translation: the language of the input.
        to: Translation: the language that is wanted.
        top_k: How many answers an input.
        aggregate: Token classification: ``first``, ``average`` or ``max``; how the sub-tokens of a
            word make its label.
        pooling: Embeddings: ``mean``, ``cls``, ``max`` or ``last``, in place of the model's own.
        beams: Tasks that write: the number of beams.
        max_new_tokens: Tasks that write: tokens of the answer at most.
        set: Keyword arguments of ``forward``, such as ``output_hidden_states``; of ``generate``
            where the task writes, of the pipeline where it is one.
        capture: Paths of modules whose tensors are kept in ``result.captured``, a pattern or
            several: ``*`` stops at a dot, ``**`` does not.
        keep: What of them is kept: ``mean``, over the tokens of each line without padding, where
            it is empty; ``last``, the last token that is no padding; ``all``.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model or task, no tokenizer, or an input that can't be run.
    """
    from hf_magics.specs import InferSpec

    with first_import():
        from hf_magics.inference import infer as inferring
        from hf_magics.inference.inputs import read_inputs
    given = given_options(
        labels=labels,
        template=template,
        multi_label=multi_label,
        context=context,
        from_=from_,
        to=to,
        top_k=top_k,
        aggregate=aggregate,
        pooling=pooling,
        beams=beams,
        max_new_tokens=max_new_tokens,
    )
    read = read_inputs(inputs)
    spec = InferSpec(
        name=model,
        texts=read.texts,
        ids=read.ids,
        task=task,
        max_length=max_length,
        options=given,
        extra=tuple((set or {}).items()),
        variable=variable,
        capture=(capture,) if isinstance(capture, str) and capture else tuple(capture),
        keep=keep,
    )
    return inferring.infer(spec, read, session, settings)
