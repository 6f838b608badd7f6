"""Compare two models of the session: configs, tokenizers, weights, and outputs of a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hf_magics.errors import InputError, OptionError
from hf_magics.inference.inputs import Inputs, kind_of_thing
from hf_magics.inference.token_pages import ComparedTokens
from hf_magics.inference.tokens import tokens_of
from hf_magics.inside.compare_code import code_for
from hf_magics.inside.compare_pages import CompareResult
from hf_magics.inside.compare_words import Compared
from hf_magics.inside.running_both import Models, RanBoth, run_both
from hf_magics.inside.vocabularies import Vocabularies, vocabularies_of
from hf_magics.inside.weight_pairs import pairs_of
from hf_magics.modeling.configs import field_rows
from hf_magics.modeling.report import random_now
from hf_magics.modeling.results import ModelFacts
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.verdicts import random_verdict
from hf_magics.modeling.watching import watched
from hf_magics.settings import Settings
from hf_magics.specs import CompareSpec, TokensSpec


def compare(
    spec: CompareSpec, inputs: Inputs | None, session: Session, settings: Settings
) -> CompareResult:
    """Put two models side by side; where there are inputs, what both give of them.

    Raises:
        HFMagicsError: No such model, twice the same, one without torch weights, or inputs that
            can't be run.
    """
    models = _models(spec, session)
    if inputs is not None and inputs.things:
        raise InputError(
            "texts, token IDs or a dictionary of tensors are needed, not "
            f"{kind_of_thing(inputs.things[0])}"
        )
    if inputs is None and spec.max_length is not None:
        raise OptionError("--max-length cuts what is run, and there is nothing to run: give a text")
    logged: list[str] = []
    with watched(f"comparing {spec.name} and {spec.other}", notes=logged):
        ran = run_both(models, inputs, spec.max_length) if inputs is not None else None
        weights = pairs_of(models[0].model, models[1].model, (spec.name, spec.other))
        vocabularies = _vocabularies(models)
        compared = Compared(
            (ModelFacts.of(models[0]), ModelFacts.of(models[1])),
            weights,
            tuple(one for one in field_rows(models[0].config, models[1].config) if one.differs),
            vocabularies,
            _tokens(models, spec, settings, vocabularies),
            ran.outputs if ran else None,
        )
    return CompareResult(
        compared,
        notes=_notes(models, ran, logged),
        rows=settings.rows,
        code=session.record(spec, *code_for(spec, models, ran)),
    )


def _models(spec: CompareSpec, session: Session) -> Models:
    """Return the two models, each with torch weights."""
    one, other = session[spec.name], session[spec.other]
    if one is other:
        raise OptionError(
            f"'{spec.name}' is named twice: %hf_compare takes two models of the session; %hf_load "
            "-n NAME loads one again, in another dtype, engine or revision"
        )
    for loaded in (one, other):
        _ = loaded.model  # an engine's or a server's says that it has no torch weights
    return one, other


def _vocabularies(models: Models) -> Vocabularies | None:
    one, other = models[0].tokenizer, models[1].tokenizer
    if one is None or other is None:
        return None
    return vocabularies_of(one, other)


def _tokens(
    models: Models, spec: CompareSpec, settings: Settings, known: Vocabularies | None
) -> ComparedTokens | None:
    """Return the lines that the two tokenizers cut otherwise, None where there are none."""
    if known is None or not spec.texts:
        return None
    asked = TokensSpec((spec.name, spec.other), spec.texts)
    one, other = (tokens_of(loaded, asked, settings) for loaded in models)
    lines = [
        number
        for number, (a, b) in enumerate(zip(one.lines, other.lines, strict=True))
        if [(token.text, token.id) for token in a.tokens]
        != [(token.text, token.id) for token in b.tokens]
    ]
    if not lines:
        return None
    asked = dataclasses.replace(asked, texts=tuple(spec.texts[number] for number in lines))
    return ComparedTokens([tokens_of(loaded, asked, settings) for loaded in models])


def _notes(models: Sequence[LoadedModel], ran: RanBoth | None, logged: list[str]) -> list[str]:
    """Say what makes a difference other than it seems."""
    said = [
        f"{loaded.name}: {random_verdict(random)}"
        for loaded in models
        if (random := random_now(loaded))
    ]
    said += [
        f"{loaded.name} is computed by {loaded.engine.words}: the weights that are compared are "
        "those of its torch model"
        for loaded in models
        if loaded.runner is not None and loaded.engine is not None
    ]
    if ran is None:
        return said + logged
    if ran.outputs.lent is not None:
        lacking, having = models[ran.outputs.lent], models[1 - ran.outputs.lent]
        said.append(
            f"{lacking.name} has no tokenizer: it was given the tokens that {having.name} takes"
        )
    # what is said of a model is said of its run too
    return list(dict.fromkeys((*said, *ran.outputs.notes, *logged)))
