"""The verb that runs a whole column: map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_magics.api.words import given_options
from hf_magics.first_import import first_import
from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session
from hf_magics.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from hf_magics.inference.mapping.results import MapResult


@orderly_interrupts()
def map(
    inputs: Any,
    *,
    model: str = "",
    task: str = "",
    column: str = "",
    to: str = "",
    checkpoint: str = "",
    overwrite: bool = False,
    strict: bool = False,
    batch_tokens: int | None = None,
    max_length: int | None = None,
    labels: str | Sequence[str] = (),
    template: str = "",
    multi_label: bool = False,
    context: str | None = None,
    from_: str = "",
    to_language: str = "",
    top_k: int | None = None,
    aggregate: str = "",
    pooling: str = "",
    beams: int | None = None,
    max_new_tokens: int | None = None,
    set: Mapping[str, Any] | None = None,
    on: str = "",
    address: str = "",
    actors: int | None = None,
    variable: str = "",
    settings: Settings = DEFAULTS,
) -> MapResult:
    """Run each row of a column through a model, in batches, however many there are.

    Equal texts of a window are run once. A row that can't be run has its error in the place of an
    answer. With ``to`` or ``checkpoint`` what is finished is written down as it is finished, and
    the same call goes on where an earlier one stopped.

    Args:
        inputs: A list or Series of texts or pairs, a column of a ``datasets.Dataset``, a table with
            ``column``, or the path of a text, CSV, JSONL or Parquet file, which is streamed.
        model: The name of a model; the current one where there is none.
        task: How the outputs are decoded, where the head answers several tasks.
        column: The column of a table or file.
        to: The file that the answers go to: ``.parquet``, ``.jsonl`` or ``.csv``.
        checkpoint: A folder for what is finished; beside ``to`` where there is none.
        overwrite: Begin anew where there is a checkpoint of an earlier job, and replace a file that
            is there; without it a file that this job did not write stays.
        strict: Stop at the first row that can't be run.
        batch_tokens: Tokens of a batch at most, padding included; measured where not given.
        max_length: Tokens of one input at most.
        labels: Zero-shot tasks: the labels, in a list or parted by commas.
        template: Zero-shot tasks: the hypothesis, ``{}`` in the place of the label.
        multi_label: Zero-shot tasks: each label by itself, as several may hold.
        context: Question answering: the text with the answers.
        from_: Translation: the language of the input.
        to_language: Translation: the language that is wanted.
        top_k: How many answers an input.
        aggregate: Token classification: ``first``, ``average`` or ``max``.
        pooling: Embeddings: ``mean``, ``cls``, ``max`` or ``last``.
        beams: Tasks that write: the number of beams.
        max_new_tokens: Tasks that write: tokens of the answer at most.
        set: Keyword arguments of ``forward``, or of ``generate`` where the task writes.
        on: ``ray`` runs it on a pool of Ray actors.
        address: Where the Ray cluster is; local where there is none.
        actors: How many Ray actors, each with a model.
        variable: The notebook's name of the inputs.
        settings: Defaults.

    Raises:
        HFMagicsError: No such model, task, column or file; options that contradict each other; or,
            of a strict job, a row that can't be run.
        MapInterruptedError: An interrupt, which is a ``KeyboardInterrupt`` too.
    """
    from hf_magics.specs import MapSpec

    with first_import():
        from hf_magics.engines.executing import executor_for
        from hf_magics.inference.mapping import job
        from hf_magics.inference.mapping.opening import open_source
    source = open_source(inputs, variable, column)
    spec = MapSpec(
        name=model,
        source=source.name,
        column=column,
        task=task,
        max_length=max_length,
        options=given_options(
            labels=labels,
            template=template,
            multi_label=multi_label,
            context=context,
            from_=from_,
            to=to_language,
            top_k=top_k,
            aggregate=aggregate,
            pooling=pooling,
            beams=beams,
            max_new_tokens=max_new_tokens,
        ),
        extra=tuple((set or {}).items()),
        to=str(to),
        checkpoint=str(checkpoint),
        overwrite=overwrite,
        strict=strict,
        batch_tokens=batch_tokens,
        on=on,
        address=address,
        actors=actors,
    )
    return job.map_source(spec, source, session, settings, executor_for(spec))
