"""Score: the log-probability, rank and entropy of each token of given text."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from hf_magics.display.words import line_numbers
from hf_magics.errors import InputError
from hf_magics.inference import tokenizing
from hf_magics.inference.generation.results import readable
from hf_magics.inference.inputs import Inputs
from hf_magics.inference.tokenizing import Encoded
from hf_magics.inference.vocabulary import vocabulary_words
from hf_magics.inside.likelihood import Scores, Told, causal_scores, masked_scores
from hf_magics.inside.placing import place
from hf_magics.inside.score_results import ScoreResult
from hf_magics.inside.score_snippets import score_snippet
from hf_magics.inside.scored import Scored, ScoredLine
from hf_magics.inside.scorers import Way, mask_id_of, need_head, special_ids_of, way_of
from hf_magics.modeling.report import state_notes
from hf_magics.modeling.snippets import pieces_of
from hf_magics.modeling.store import LoadedModel, Session
from hf_magics.modeling.watching import watched
from hf_magics.settings import Settings
from hf_magics.specs import ScoreSpec


def score(spec: ScoreSpec, inputs: Inputs, session: Session, settings: Settings) -> ScoreResult:
    """Score the tokens of texts or lists of token IDs.

    Under a causal model a token is scored by what the model expects behind those before it: one
    forward pass. Under a masked model, by what it puts in the place of a mask there: a pass a
    token.

    Args:
        spec: The model, and how long a line may be.
        inputs: The lines.
        session: Where the model is.
        settings: How much a page shows.

    Raises:
        SessionNameError: No such model.
        EngineError: An engine or a server computes it.
        HeadError: It has no head for that, or an encoder and a decoder.
        TokenizerError: There is no tokenizer, or no mask token.
        InputError: The input is empty, or has no token with a score.
        FitError: The device has no room for a line.
    """
    loaded = session.get(spec.name)
    spec = dataclasses.replace(spec, name=loaded.name)
    need_head(loaded, "%%hf_score")
    encoded = tokenizing.encode_inputs(loaded, inputs, spec.max_length)
    logged: list[str] = []
    started = time.perf_counter()
    with watched(f"scoring with {loaded.name}", notes=logged) as meter:
        way = way_of(loaded, int(encoded.inputs["input_ids"][0, 0]))
        scored = _scored_places(loaded, encoded, way)
        scores = _scores(loaded, encoded, way, scored, meter.advance)
    took = time.perf_counter() - started
    lines = _lines(loaded, inputs, encoded, scores, settings.rows)
    words = _words(loaded, lines)
    made = Scored(
        name=loaded.name,
        number=loaded.number,
        head=type(loaded.model).__name__,
        way=way,
        lines=lines,
        words=words,
        read=readable(loaded, words),
        seconds=took,
        notes=(*_notes_on(loaded, encoded, lines), *logged),
        rows=settings.rows,
    )
    snippet = score_snippet(spec, encoded, loaded, way)
    return ScoreResult(made, session.record(spec, *pieces_of(loaded, snippet)))


def _scored_places(loaded: LoadedModel, encoded: Encoded, way: Way) -> torch.Tensor:
    """Return which tokens have a score: booleans of the shape of the IDs.

    Raises:
        InputError: None has.
    """
    ids = encoded.inputs["input_ids"]
    scored = torch.arange(ids.shape[1]) < torch.tensor(encoded.lengths)[:, None]
    if way == "causal":
        scored[:, 0] = False
        lacks = "a causal model scores a token by those before it: give a line of two tokens"
    else:
        mask_id_of(loaded)
        scored &= ~torch.isin(ids, torch.tensor(special_ids_of(loaded.tokenizer)))
        lacks = "all tokens are special ones: give a line with text"
    if not bool(scored.any()):
        raise InputError(f"there is no token to score: {lacks}")
    return scored


def _scores(
    loaded: LoadedModel, encoded: Encoded, way: Way, scored: torch.Tensor, told: Told
) -> list[Scores]:
    if way == "causal":
        return causal_scores(loaded, encoded, told)
    return masked_scores(loaded, encoded, scored, mask_id_of(loaded), told)


def _lines(
    loaded: LoadedModel, inputs: Inputs, encoded: Encoded, scores: Sequence[Scores], most: int
) -> tuple[ScoredLine, ...]:
    """Return the lines, with the text of those that are shown."""
    rows = encoded.inputs["input_ids"].tolist()
    texts = inputs.texts or ("",) * len(rows)
    found = []
    for at, (row, length, text) in enumerate(zip(rows, encoded.lengths, texts, strict=True)):
        ids = tuple(row[:length])
        shown = place(loaded, ids, text, encoded.limit) if at < most else ("", ())
        found.append(ScoredLine(ids, scores[at], *shown))
    return tuple(found)


def _words(loaded: LoadedModel, lines: Sequence[ScoredLine]) -> dict[int, str]:
    """Return each token that a result names, as the vocabulary has it."""
    tops = {score.top for line in lines for score in line.scores.values()}
    named = sorted(tops.union(*(line.ids for line in lines)))
    if loaded.tokenizer is None:
        return {one: str(one) for one in named}
    with loaded.lock:
        return dict(zip(named, vocabulary_words(loaded.tokenizer, named), strict=True))


def _notes_on(loaded: LoadedModel, encoded: Encoded, lines: Sequence[ScoredLine]) -> list[str]:
    """Say what makes these scores other than they seem."""
    said = [*state_notes(loaded, "scores"), *tokenizing.notes_on(encoded)]
    numbered = list(enumerate(lines, 1))
    if wrong := [at for at, line in numbered if any(map(_is_nan, line.scores.values()))]:
        said.append(f"logits that are not numbers (NaN, Inf) in {line_numbers(wrong)}")
    if empty := [at for at, line in numbered if not line.scores]:
        said.append(f"no token to score in {line_numbers(empty)}")
    return said


def _is_nan(score: Any) -> bool:
    return math.isnan(score.log_prob)
