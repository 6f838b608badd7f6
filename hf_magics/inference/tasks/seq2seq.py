"""Text to text: what an encoder-decoder writes; translation and summaries by its own prefixes."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch

from hf_magics.display.numbers import number, plural
from hf_magics.display.parts import Cell, Column, Table
from hf_magics.display.words import left_out, line_numbers, sentence_list, shortened
from hf_magics.errors import OptionError
from hf_magics.inference import checks, tokenizing
from hf_magics.inference.answering import writing
from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.languages import Route, reading, route, settings_for
from hf_magics.inference.answering.task import Done, Request, Task, named_lines
from hf_magics.inference.answering.writing import Ending
from hf_magics.inference.snippets import input_lines
from hf_magics.inference.tokenizing import Encoded
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Name, Snippet, call


class Text2Text(Task):
    """What the model writes to each text, by transformers' ``generate``.

    The generation config of the checkpoint decides how; ``--beams``, ``--max-new-tokens`` and any
    field of it by ``--set`` go before.
    """

    name = "text2text-generation"
    column = "text"
    window = 64
    options: ClassVar[tuple[str, ...]] = ("beams", "max_new_tokens")
    caption: ClassVar[str] = "Written"

    def check(self, request: Request) -> None:
        """Refuse what ``generate`` does not take, and languages that the model does not have.

        Raises:
            OptionError: Naming it, also where ``--set`` gives what the language decides.
        """
        super().check(request)
        writing.check(request)
        for name in self.route(request).arguments:
            if name in dict(request.spec.extra):
                raise OptionError(f"--to chooses {name}: give one of them")

    def route(self, request: Request) -> Route:  # noqa: ARG002 - for subclasses
        """Return what goes before the texts and to ``generate``: nothing."""
        return Route()

    def encode(self, request: Request) -> Encoded:
        """Return the batch of the texts, each behind the model's prefix."""
        way = self.route(request)
        checks.check_texts(request.inputs.texts or ("-",))
        inputs = dataclasses.replace(request.inputs, texts=_behind(way, request.inputs.texts))
        with reading(request.loaded, way.src_lang if inputs.texts else ""):
            return tokenizing.encode_inputs(request.loaded, inputs, request.spec.max_length)

    def run(self, request: Request, encoded: Encoded) -> tuple[Any, dict[str, Any]]:
        """Return the output of ``generate``; it starts the decoder itself."""
        arguments = self.arguments(request, encoded)
        wanted = writing.asked(request)
        return writing.generate(request.loaded, encoded.inputs, arguments, wanted), {}

    def arguments(self, request: Request, encoded: Encoded) -> dict[str, Any]:
        """Return what ``generate`` is given beside the inputs."""
        way = self.route(request)
        rows = len(next(iter(encoded.inputs.values())))
        return writing.arguments(request, way.defaults, rows) | dict(way.arguments)

    def answer(self, done: Done) -> Answer:
        """Return a row a text: what was written, its tokens, and why it stopped."""
        written = _written(done, self.arguments(done.request, done.encoded))
        way = self.route(done.request)
        notes = (*self.notes(done), *_notes(done, written))
        words = way.words()
        table = _table(done.request, written, f"{self.caption}: {words}" if words else self.caption)
        texts = tuple(text for texts in written.texts for text in texts)
        values = tuple(one[0] if len(one) == 1 else list(one) for one in written.texts)
        return Answer((table,), _records(written), notes, values, texts)

    def notes(self, done: Done) -> tuple[str, ...]:
        """Say what the task took from the checkpoint, and what it could not do."""
        way, given = self.route(done.request), writing.asked(done.request)
        used = self.arguments(done.request, done.encoded)
        own = [
            f"{name} {used[name]}" for name in way.defaults if name in used and name not in given
        ]
        said = []
        if own:
            said.append(
                f"as the checkpoint says for {self.name}: {', '.join(own)}; --set changes that"
            )
        if done.request.inputs.texts:
            return (*way.notes, *said)
        if way.prefix or "from_" in done.request.options:
            said.append(
                "the input is no text: it was taken as it is, without the model's prefix or the "
                "code of a language"
            )
        return tuple(said)

    def code(self, done: Done) -> tuple[Snippet, ...]:
        """Return tokenising, ``generate`` and decoding as transformers' pages write them."""
        request, way = done.request, self.route(done.request)
        spec = dataclasses.replace(request.spec, texts=_behind(way, request.spec.texts))
        source = [f'tokenizer.src_lang = "{way.src_lang}"'] if way.src_lang and spec.texts else []
        used = self.arguments(request, done.encoded) | dict(way.written)
        if writing.stops_at_text(request.loaded.model, used):
            used["tokenizer"] = Name("tokenizer")
        made = call("model.generate", Name("**inputs"), **used, return_dict_in_generate=True)
        lines = [
            *source,
            *input_lines(spec, done.encoded),
            "inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}",
            "with torch.inference_mode():",
            *(f"    {line}" for line in f"outputs = {made}".splitlines()),
        ]
        return (Snippet(("import torch",), tuple(lines)), Snippet((), self.decoding(done)))

    def decoding(self, done: Done) -> tuple[str, ...]:
        """Return IDs to texts."""
        if done.request.loaded.tokenizer is None:
            return ()
        return ("texts = tokenizer.batch_decode(outputs.sequences, skip_special_tokens=True)",)


class Translation(Text2Text):
    """Text in another language: the model is told which by its own prefix, code or mark."""

    name = "translation"
    options: ClassVar[tuple[str, ...]] = ("from_", "to", "beams", "max_new_tokens")
    caption = "Translation"

    def is_default_for(self, loaded: LoadedModel) -> bool:  # noqa: ARG002 - as its base has it
        """Say that a line has to ask for it, by name or by ``--to``."""
        return False

    def route(self, request: Request) -> Route:
        """Return how the model is told the languages.

        Raises:
            OptionError: It does not have them.
        """
        asked = request.options
        return route(request.loaded, asked.get("from_", ""), asked.get("to", ""))


class Summarization(Text2Text):
    """A summary, by the prefix and the lengths that the checkpoint says, where it says any."""

    name = "summarization"
    caption = "Summary"

    def is_default_for(self, loaded: LoadedModel) -> bool:  # noqa: ARG002 - as its base has it
        """Say that a line has to ask for it."""
        return False

    def route(self, request: Request) -> Route:
        """Return the checkpoint's prefix and settings for summaries."""
        settings = settings_for(request.loaded.config, self.name)
        return Route(prefix=settings.pop("prefix", ""), defaults=settings)


@dataclasses.dataclass(frozen=True)
class _Written:
    """What was written: a name, texts, endings and scores of each input.

    ``scores`` is empty without a beam search. ``most`` is the limit in tokens.
    """

    names: list[str]
    texts: list[list[str]]
    endings: list[list[Ending]]
    scores: list[list[float]]
    most: int
    arguments: dict[str, Any]


def _behind(way: Route, texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{way.prefix}{text}" for text in texts)


def _written(done: Done, arguments: dict[str, Any]) -> _Written:
    loaded, sequences = done.request.loaded, done.outputs.sequences
    started = _started(done, arguments)
    count = len(next(iter(done.encoded.inputs.values())))
    each = len(sequences) // count
    endings = writing.endings(loaded.model, arguments, sequences, started)
    scores = getattr(done.outputs, "sequences_scores", None)
    listed = [] if scores is None else scores.float().tolist()
    return _Written(
        named_lines(done.request, count),
        _by_input(_decoded(loaded, sequences), each),
        _by_input(endings, each),
        _by_input(listed, each),
        writing.limit(loaded.model, arguments, started),
        arguments,
    )


def _by_input(items: list[Any], each: int) -> list[list[Any]]:
    return [items[at : at + each] for at in range(0, len(items), each)]


def _started(done: Done, arguments: dict[str, Any]) -> int:
    """Return how many tokens the decoder began with: its start token, and what was given it.

    ``generate`` puts the start token before given ones where none of them begins with it.
    """
    given = done.encoded.inputs.get("decoder_input_ids")
    if given is None:
        return 1
    start = arguments.get("decoder_start_token_id")
    if start is None:
        start = done.request.loaded.model.generation_config.decoder_start_token_id
    return int(given.shape[1]) + int(bool((given[:, 0] != start).all()))


def _decoded(loaded: LoadedModel, sequences: torch.Tensor) -> list[str]:
    if loaded.tokenizer is None:
        return [f"IDs {sentence_list(map(str, row), most=40)}" for row in sequences.tolist()]
    with loaded.lock:
        return list(loaded.tokenizer.batch_decode(sequences, skip_special_tokens=True))


def _table(request: Request, written: _Written, caption: str) -> Table:
    scored = bool(written.scores)
    columns = (
        Column("input"),
        Column("output"),
        *((Column("score", "right"),) if scored else ()),
        Column("tokens", "right"),
        Column("stopped by"),
    )
    rows: list[tuple[Cell, ...]] = []
    for row in _records(written):
        score = (number(row["score"]),) if scored else ()
        input_ = shortened(row["text"])
        rows.append(
            (input_, row["output"] or "(nothing)", *score, f"{row['tokens']:,}", row["ended"])
        )
    shown = request.settings.rows
    if scored:
        caption += " · score: sum of log probabilities / length ** length_penalty"
    return Table(columns, tuple(rows[:shown]), caption, left_out(len(rows), shown))


def _records(written: _Written) -> list[dict[str, Any]]:
    rows = []
    for at, (name, texts) in enumerate(zip(written.names, written.texts, strict=True)):
        for rank, text in enumerate(texts):
            ending = written.endings[at][rank]
            row = {"line": at + 1, "text": name}
            if len(texts) > 1:
                row["rank"] = rank + 1
            row |= {"output": text, "tokens": ending.tokens, "ended": _why(ending, written.most)}
            if written.scores:
                row["score"] = written.scores[at][rank]
            rows.append(row)
    return rows


def _why(ending: Ending, most: int) -> str:
    return f"limit of {most:,}" if ending.cut else ending.why


def _notes(done: Done, written: _Written) -> list[str]:
    """Say what was cut off, what is left to chance, and what had no effect."""
    model, wanted = done.request.loaded.model, writing.asked(done.request)
    cut = [at for at, ends in enumerate(written.endings, 1) if any(one.cut for one in ends)]
    said = writing.notes_on(model, written.arguments, wanted)
    if cut:
        said.insert(
            0,
            f"the output of {line_numbers(cut)} was cut off at {plural(written.most, 'token')}: "
            f"{writing.more_than(model, written.most)}",
        )
    if writing.number_of_beams(model, written.arguments) > 1 and not written.scores:
        said.append(
            "the scores of the beams need too much memory: --set output_scores=true keeps them"
        )
    return said
