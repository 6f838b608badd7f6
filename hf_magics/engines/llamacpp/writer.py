"""Write with llama.cpp: token by token, its own samplers, the probabilities read beside them."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from hf_magics.display.words import one_line, sentence_list
from hf_magics.engines.llamacpp import opening, snippets
from hf_magics.engines.llamacpp.chances import Sampling, described
from hf_magics.engines.llamacpp.quiet import library, quiet, reason
from hf_magics.engines.llamacpp.vocabulary import Decoder, Vocabulary
from hf_magics.errors import EngineError, InputError, OptionError, TokenizerError
from hf_magics.inference.checks import check_characters, check_ids
from hf_magics.inference.generation.options import Plan
from hf_magics.inference.generation.writer import End, Event, Message, Piece, Prompt, PromptRead
from hf_magics.inference.generation.written import limit_words
from hf_magics.snippets import Snippet

TEMPLATE = "tokenizer.chat_template"
_LARGEST_SEED = 2**32 - 2  # the next one stands for "choose one"
_NAMES = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repetition_penalty": "repeat",
    "frequency_penalty": "frequency",
    "presence_penalty": "presence",
}


class LlamaWriter:
    """A `hf_magics.inference.generation.writer.Writer`; ``llama`` is the ``Llama``."""

    label = "llama.cpp"
    takes = ("min_p", "repetition_penalty", "frequency_penalty", "presence_penalty")
    defaults: Mapping[str, Any] = {"temperature": 1.0, "top_k": 50, "top_p": 1.0}
    draws_by_seed = True

    def __init__(self, llama: Any, name: str, path: str, words: Mapping[str, Any]) -> None:
        self.llama = llama
        self.positions: int | None = opening.context_of(llama)
        self._name = name
        self._loading = snippets.loading(path, words, template=TEMPLATE in llama.metadata)
        self._vocabulary = Vocabulary(llama)
        # at the end of Python too: a Llama that is only freed then finds its library gone
        self._freed = weakref.finalize(self, llama.close)

    def prompt(self, given: str | Sequence[int]) -> Prompt:
        """Return a text, or token IDs, to be written on."""
        if isinstance(given, str):
            ids = self._tokens(given, begin=True)
            if not ids:
                raise InputError("the prompt has no token: there is nothing to write on from")
            return Prompt(_Tokens(ids), len(ids))
        check_ids((tuple(given),), self.llama.n_vocab())
        return Prompt(_Tokens(list(given)), len(given))

    def turn(self, messages: Sequence[Message]) -> Prompt:
        """Return the prompt of a conversation, its special tokens read as such."""
        ids = self._tokens(self._template(messages, asking=True), begin=False)
        last = messages[-1]["content"]
        found = self._vocabulary.specials_in(last, self._tokens(last, begin=False))
        if not found:
            return Prompt(_Tokens(ids, goes_on=True), len(ids))
        words = sentence_list([repr(one) for one in found])
        note = f"the turn has {words}, which the tokenizer reads as a special token, not as text"
        return Prompt(_Tokens(ids, goes_on=True), len(ids), (note,))

    def templated(self, messages: Sequence[Message], *, asking: bool) -> tuple[str, int]:
        """Return what the file's own chat template makes of messages, and its tokens."""
        text = self._template(messages, asking=asking)
        return text, len(self._tokens(text, begin=False))

    def count(self, texts: Sequence[str]) -> list[int | None]:
        """Return how many tokens each text is by itself."""
        return [len(self._tokens(text, begin=False)) for text in texts]

    def plan(self, made: Plan) -> Plan:
        """Refuse a seed that llama.cpp has no room for."""
        if made.seed is not None and made.seed + made.sequences - 1 > _LARGEST_SEED:
            raise OptionError(
                f"--seed {made.seed}: llama.cpp takes seeds up to {_LARGEST_SEED:,}"
                + (", and each text has one of its own" if made.sequences > 1 else "")
            )
        return made

    def write(self, prompt: Prompt, made: Plan) -> Iterator[Event]:
        """Write on; a conversation goes on from the keys and values of its beginning.

        A prompt of its own is read from its first token, since what is read in other portions
        gives other roundings: the same line twice is to write the same text twice. So is a
        conversation where the line has a seed.
        """
        ids = prompt.given.ids
        if not prompt.given.goes_on or made.again:
            self.llama.reset()
        elif self.llama.n_tokens == len(ids):  # an interrupt may have left other logits there
            self.llama.n_tokens -= 1
        yield PromptRead(len(ids), self._reused(ids))
        try:
            with quiet() as errors:
                yield from self._events(ids, made)
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"llama.cpp gave up: {reason(errors, one_line(error))}; nothing is kept"
            ) from error

    def words(self, ids: Iterable[int]) -> Mapping[int, tuple[str, str]]:
        """Return tokens as the vocabulary writes them, and as a person reads them."""
        return self._vocabulary.words(ids)

    def loading(self) -> Snippet:
        """Return the plain code that makes the same ``Llama``."""
        return self._loading

    def writing(self, made: Plan) -> Snippet:
        """Return the plain code that writes on from ``prompts``."""
        return snippets.writing(sampling_of(made), made)

    def replying(self, made: Plan) -> Snippet:
        """Return the plain code that answers ``messages``."""
        return snippets.replying(sampling_of(made), made)

    def close(self) -> None:
        """Free what llama.cpp holds."""
        self.llama = None
        self._freed()

    def _events(self, ids: list[int], made: Plan) -> Iterator[Event]:
        sampling, decoder = sampling_of(made), Decoder()
        stops = _Stops(made.stop)
        if made.seed is not None:
            self.llama.set_seed(made.seed)
        written: list[int] = []
        for token in self.llama.generate(ids, **snippets.generate_words(sampling)):
            step = described(self._logits(), token, sampling, self._counted(written))
            written.append(token)
            yield Piece(decoder.add(self._vocabulary.bytes_of(token)), step)
            stop = self._stop(written, made, stops)
            if stop:
                yield End(stop, rest=decoder.rest())
                return

    def _stop(self, written: list[int], made: Plan, stops: _Stops) -> str:
        """Return why it ends after these tokens, ``""`` where it goes on."""
        if self._vocabulary.ends(written[-1]):
            return "end token"
        came = stops.add(self._vocabulary.bytes_of(written[-1], special=True))
        if came:
            return f"stop string {came!r}"
        return limit_words(made) if len(written) >= made.limit else ""

    def _logits(self) -> Any:
        pointer = library().llama_get_logits_ith(self.llama.ctx, -1)
        if not pointer:
            raise EngineError("llama.cpp gives no logits of this model: it can't write")
        return np.ctypeslib.as_array(pointer, shape=(self.llama.n_vocab(),))

    def _counted(self, written: list[int]) -> list[int]:
        """Return the tokens that penalties count: the last ones of the text that is written."""
        return written[-self.llama.last_n_tokens_size :]

    def _reused(self, ids: list[int]) -> int | None:
        """Return how many tokens of a prompt are in the cache, as ``generate`` will find them.

        None for a model that keeps a state, and can't always go back in it.
        """
        native, model = library(), self.llama.model
        if native.llama_model_is_recurrent(model) or native.llama_model_is_hybrid(model):
            return None
        held = self.llama.input_ids[: self.llama.n_tokens].tolist()
        pairs = zip(held, ids, strict=False)
        return min(sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)), len(ids) - 1)

    def _tokens(self, text: str, *, begin: bool) -> list[int]:
        check_characters(text)
        found: list[int] = self.llama.tokenize(text.encode(), add_bos=begin, special=True)
        return found

    def _template(self, messages: Sequence[Message], *, asking: bool) -> str:
        template = self.llama.metadata.get(TEMPLATE)
        if not template:
            raise TokenizerError(
                f"{self._name} has no chat template: %%hf_generate writes on from plain text"
            )
        formats = library().llama_chat_format
        try:
            made = formats.Jinja2ChatFormatter(
                template,
                eos_token=self._spelled(self.llama.token_eos()),
                bos_token=self._spelled(self.llama.token_bos()),
                add_generation_prompt=asking,
            )
            return str(made(messages=list(messages)).prompt)
        except Exception as error:  # it is a program of whoever made the file
            raise InputError(
                f"the chat template of {self._name} refuses this: {one_line(error)[:300]}"
            ) from error

    def _spelled(self, token: int) -> str:
        return self._vocabulary.words([token])[token][0] if token >= 0 else ""


@dataclass(frozen=True)
class _Tokens:
    """A prompt; ``goes_on`` says that its beginning may have been read before."""

    ids: list[int]
    goes_on: bool = False


class _Stops:
    """Looks for strings in a text that grows, special tokens spelled out."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = [(one, one.encode()) for one in stops]
        self._longest = max((len(one) for _, one in self._stops), default=0)
        self._tail = b""

    def add(self, piece: bytes) -> str:
        """Return the string that a piece completes, ``""`` where none."""
        seen = self._tail + piece
        self._tail = seen[-self._longest :] if self._longest else b""
        return next((text for text, one in self._stops if one in seen), "")


def sampling_of(made: Plan) -> Sampling:
    """Return how tokens are chosen: the likeliest, or drawn from what the line leaves."""
    given = {
        _NAMES[name]: value
        for name, value in made.words.items()
        if name in _NAMES and value is not None
    }
    if not made.sampled:
        penalties = {
            name: given[name] for name in ("repeat", "frequency", "presence") if name in given
        }
        return Sampling(**penalties)
    return dataclasses.replace(Sampling(**LlamaWriter.defaults), **given)
