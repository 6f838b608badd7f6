"""Embeddings: one vector a text, and how alike the texts are."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch

from hf_magics.display.numbers import number, plural
from hf_magics.display.parts import Cell, Column, Heat, Part, Table, Text, Tint
from hf_magics.display.words import left_out, nearest, sentence_list, shortened
from hf_magics.errors import HeadError, OptionError
from hf_magics.inference import tokenizing
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Done, Request, Task, named_lines
from hf_magics.inference.pooling import pool, pooling_lines, step_snippet
from hf_magics.inference.rows import Rows, tokenise
from hf_magics.inference.snippets import infer_snippet, mask_code
from hf_magics.inference.tensors import heat
from hf_magics.inference.tokenizing import Encoded
from hf_magics.modeling.limits import position_limit
from hf_magics.modeling.sentence import (
    POOLINGS,
    SentenceConfig,
    pooling_words,
    skipped_note,
)
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Snippet

_FIRST_VALUES = 3
_MOST_NAMED, _NAME = 6, 24  # lines, and characters of each, that fit beside their cosines
_MOST_COMPARED = 10  # as many columns as 80 characters hold
_MOST_PAIRED = 4_096
_NO_LENGTH = 1e-12  # what torch's normalize divides by at least


class Embed(Task):
    """The token vectors pooled into one, as sentence-transformers wrote down for the checkpoint."""

    name = "embed"
    options = ("pooling",)

    def is_default_for(self, loaded: LoadedModel) -> bool:
        """Say whether the checkpoint comes with a ``modules.json`` that can be followed whole."""
        return loaded.sentence is not None and not loaded.sentence.skipped

    def check(self, request: Request) -> None:
        """Refuse a pooling that there is none of."""
        super().check(request)
        wanted = request.options.get("pooling", "mean")
        if wanted not in POOLINGS:
            raise OptionError(
                f"no pooling '{wanted}'{nearest(wanted, POOLINGS)}; there are: "
                f"{sentence_list(POOLINGS)}"
            )

    def encode(self, request: Request) -> Encoded:
        """Cut at the length that ``sentence_bert_config.json`` gives, after the prompt is added."""
        inputs = dataclasses.replace(request.inputs, texts=_texts(request))
        return tokenizing.encode_inputs(request.loaded, inputs, _limit(request))

    def rows(self, request: Request) -> Rows | None:
        """Return the texts behind the prompt, cut as `encode` does."""
        if request.inputs.kind not in {"texts", "ids"}:
            return None
        inputs = dataclasses.replace(request.inputs, texts=_texts(request))
        return tokenise(request.loaded, inputs, _limit(request))

    def columns(self, done: Done) -> dict[str, Any]:
        """Return the vectors alone: an array of the shape (inputs, dimensions)."""
        return {"embedding": _vectors(done).numpy()}

    def answer(self, done: Done) -> Answer:
        """Return a row an input: its vector; then how alike they are."""
        vectors = _vectors(done)
        names = named_lines(done.request, len(vectors))
        lengths = vectors.norm(dim=1).tolist()
        records = [
            {"line": at, "text": text, "norm": length}
            for at, (text, length) in enumerate(zip(names, lengths, strict=True), 1)
        ]
        parts = (*_likeness(vectors, names), _table(done, vectors, names, lengths))
        notes = (*_notes(done), *_not_finite(vectors))
        array = vectors.numpy()
        return Answer(parts, records, notes, raw={"embeddings": array}, main="embeddings")

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return the pooling spelled out in torch; a prompt stands in the texts."""
        spec = dataclasses.replace(done.request.spec, texts=_texts(done.request))
        ran = infer_snippet(spec, done.encoded, done.added)
        steps = [step_snippet(done.request.loaded, step) for step in _how(done.request).steps]
        lines = (*self.decoding(done), *(line for step in steps for line in step.lines))
        return (ran, Snippet(tuple(one for step in steps for one in step.imports), lines))

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return the lines from ``outputs`` to the pooled ``embeddings``."""
        is_known = done.encoded.mask is not None
        every = "torch.ones(states.shape[:2]).long().to(states.device)"
        return (
            f"states = outputs.{_states_name(done)}.float()",
            f"mask = {mask_code(done.encoded) if is_known else every}",
            *pooling_lines(_how(done.request)),
        )


def _how(request: Request) -> SentenceConfig:
    """Return what is done: the checkpoint's own, else the mean; ``--pooling`` goes before both."""
    own = request.loaded.sentence or SentenceConfig()
    wanted = request.options.get("pooling")
    return dataclasses.replace(own, pooling=(wanted,)) if wanted else own


def _texts(request: Request) -> tuple[str, ...]:
    how = _how(request)
    return tuple(
        # of the class that it is: a row of a column may be a text that no tab parts
        type(text)(how.prepared(text)) if isinstance(text, str) else text
        for text in request.inputs.texts
    )


def _limit(request: Request) -> int | None:
    if request.spec.max_length is not None:
        return request.spec.max_length
    own, positions = _how(request).max_tokens, position_limit(request.loaded.model)
    return min(own, positions) if own and positions else own


def _vectors(done: Done) -> torch.Tensor:
    """Return the vectors in float32 and on the CPU, of the shape (inputs, dimensions)."""
    states = done.outputs[_states_name(done)].float()
    mask = done.encoded.mask
    mask = torch.ones(states.shape[:2], dtype=torch.long) if mask is None else mask
    with torch.inference_mode():
        return pool(states, mask.to(states.device), _how(done.request)).cpu()


def _states_name(done: Done) -> str:
    """Return the output that holds a vector a token; an encoder-decoder's encoder has it.

    Raises:
        HeadError: The model gives none.
    """
    for name in ("encoder_last_hidden_state", "last_hidden_state"):
        states = done.outputs.get(name)
        if states is not None and states.dim() == _BY_TOKEN:
            return name
    loaded = done.request.loaded
    raise HeadError(
        f"{loaded.name} is a {type(loaded.model).__name__}, whose outputs have no vector a token "
        "to pool: --task features shows those that there are"
    )


_BY_TOKEN = 3  # inputs, tokens, dimensions


def _table(done: Done, vectors: torch.Tensor, names: list[str], lengths: list[float]) -> Table:
    shown = done.request.settings.rows
    columns = (
        Column("line", "right"),
        Column("text"),
        Column("norm", "right"),
        Column("first values", mono=True),
        Column("picture"),
    )
    pictures = [heat(vector) for vector in vectors[:shown]]
    ends = _ends(pictures)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            str(at),
            shortened(text),
            number(length),
            ", ".join(map(number, vector[:_FIRST_VALUES].tolist())) + ", …",
            Heat(picture, *ends, "means of neighbouring values") if ends else "",
        )
        for at, (text, length, vector, picture) in enumerate(
            zip(names[:shown], lengths, vectors, pictures, strict=False), 1
        )
    )
    how = _how(done.request)
    normalized = ", normalised" if how.is_normalized else ""
    caption = (
        f"Vectors of {plural(vectors.shape[1], 'number')}: "
        f"{pooling_words(how.pooling)} pooling{normalized}"
    )
    return Table(columns, rows, caption, left_out(len(vectors), shown))


def _ends(pictures: list[tuple[tuple[float, ...], ...]]) -> tuple[float, float] | None:
    """Return the least and the greatest value of all pictures: one scale makes them comparable."""
    values = torch.tensor([value for picture in pictures for row in picture for value in row])
    values = values[values.isfinite()]
    return (float(values.min()), float(values.max())) if len(values) else None


def _likeness(vectors: torch.Tensor, names: list[str]) -> tuple[Part, ...]:
    """Return the pair that is most alike, in words, and the cosines of the first lines."""
    if len(vectors) == 1:
        return ()
    unit = torch.nn.functional.normalize(vectors[:_MOST_PAIRED], dim=1, eps=_NO_LENGTH)
    cosines = (unit @ unit.T).clamp(-1, 1)
    some = f"Of the first {_MOST_PAIRED:,}: " if len(vectors) > _MOST_PAIRED else ""
    return (Text(some + _most_alike(cosines)), _matrix(cosines, names))


def _most_alike(cosines: torch.Tensor) -> str:
    count = len(cosines)
    one_of_each = torch.ones(count, count, dtype=torch.bool).triu(1)
    found = cosines.nan_to_num(-1).masked_fill(~one_of_each, -2)
    first, second = divmod(int(found.argmax()), count)
    value = float(cosines[first, second])
    if count == 2:  # noqa: PLR2004 - there is one pair
        return f"The cosine of the two lines is {value:.4f}."
    return f"Lines {first + 1} and {second + 1} are the most alike: their cosine is {value:.4f}."


def _matrix(cosines: torch.Tensor, names: list[str]) -> Table:
    count = len(names)
    shown = min(count, _MOST_COMPARED)
    named = count <= _MOST_NAMED
    columns = (
        Column("line", "right"),
        *([Column("text")] if named else []),
        *(Column(str(at), "right") for at in range(1, shown + 1)),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (str(at), *([_beginning(text)] if named else []), *(_tinted(value) for value in row))
        for at, (text, row) in enumerate(
            zip(names[:shown], cosines[:shown, :shown].tolist(), strict=True), 1
        )
    )
    more = ""
    if count > shown:
        more = (
            f"{plural(count - shown, 'more line')}: result.embeddings @ result.embeddings.T has "
            "them all, where the norms are 1"
        )
    return Table(columns, rows, "Cosine similarity", more)


def _beginning(text: str) -> str:
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def _tinted(cosine: float) -> Tint:
    if math.isnan(cosine):
        return Tint("nan", 0.0)
    return Tint(f"{round(cosine, 2) + 0.0:.2f}", cosine)  # never -0.00


def _notes(done: Done) -> tuple[str, ...]:
    own = done.request.loaded.sentence
    if own is None:
        pooled = "" if "pooling" in done.request.options else _MEAN
        return tuple(filter(None, (f"{_NO_MODULES}{pooled}", _pairs_note(done))))
    said = [skipped_note(own), _prompt_note(own, has_text=bool(done.request.inputs.texts))]
    if own.similarity != "cosine" and not (own.is_normalized and own.similarity == "dot"):
        said.append(f"the checkpoint's own measure is {own.similarity}; the page shows the cosine")
    return tuple(filter(None, (*said, _pairs_note(done))))


_NO_MODULES = "no modules.json says how this checkpoint embeds: the vectors are not normalised"
_MEAN = ", and the mean over the tokens (--pooling takes another)"


def _prompt_note(own: SentenceConfig, *, has_text: bool) -> str:
    if own.prompt and not has_text:
        return (
            f"these ran without the checkpoint's prompt {own.prompt!r}, which only texts are given"
        )
    if own.prompt:
        return f"the checkpoint's prompt was put before each text: {own.prompt!r}"
    named = [f"{text!r} ({name})" for name, text in own.prompts.items() if text]
    if not named:
        return ""
    return f"the checkpoint was trained with prompts before the texts: {sentence_list(named)}"


def _pairs_note(done: Done) -> str:
    pairs = sum("\t" in text for text in done.request.inputs.texts)
    if not pairs:
        return ""
    return f"{plural(pairs, 'line')} with a tab: two texts, embedded together as a pair"


def _not_finite(vectors: torch.Tensor) -> tuple[str, ...]:
    bad = int((~vectors.isfinite()).any(dim=1).sum())
    said = f"{plural(bad, 'vector')} with NaN or Inf: no cosine says anything of that"
    return (said,) if bad else ()
