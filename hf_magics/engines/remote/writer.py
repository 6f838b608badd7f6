"""Write with a server: what it streams, and the probabilities where it tells them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_magics.engines.remote import snippets
from hf_magics.engines.remote.probing import CHAT, TEXT, Way
from hf_magics.engines.remote.replies import Delta, Usage, pieces, read
from hf_magics.engines.remote.wire import Server
from hf_magics.errors import EngineError, OptionError, TokenizerError
from hf_magics.inference.checks import check_characters
from hf_magics.inference.generation.options import Plan, drawn_words
from hf_magics.inference.generation.writer import (
    EITHER,
    End,
    Event,
    Lexicon,
    Message,
    Prompt,
    PromptRead,
)
from hf_magics.inference.generation.written import limit_words
from hf_magics.snippets import Snippet

_PENALTIES = ("frequency_penalty", "presence_penalty")
NO_CHANCES = "the server gives no token probabilities"
BROKEN = "the server's answer broke off"


class RemoteWriter:
    """A `hf_magics.inference.generation.writer.Writer`.

    Args:
        server: Where the model is.
        model: What it is called there.
        name: What it is called here.
        ways: What the server can do.
        timeout: How long it may send nothing, in seconds.
    """

    label = "OpenAI's protocol"
    takes = _PENALTIES
    defaults: Mapping[str, Any] = {"temperature": 1.0}
    positions: int | None = None
    draws_by_seed = False

    def __init__(
        self, server: Server, model: str, name: str, ways: Mapping[str, Way], timeout: float
    ) -> None:
        self._server = server
        self._model = model
        self._name = name
        self._ways = ways
        self._timeout = timeout
        self._lexicon = Lexicon()

    def prompt(self, given: str | Sequence[int]) -> Prompt:
        """Return a text, or token IDs of the server's own tokenizer, to be written on."""
        if self._ways[TEXT].refusal:
            raise EngineError(
                f"{self._name} can't write on from a prompt, {self._ways[TEXT].refusal}: "
                "%%hf_chat asks it"
            )
        if isinstance(given, str):
            check_characters(given)
            return Prompt(_Asked(TEXT, {"prompt": given}), chances=_CHANCES)
        return Prompt(_Asked(TEXT, {"prompt": list(given)}), len(given), chances=_CHANCES)

    def turn(self, messages: Sequence[Message]) -> Prompt:
        """Return a conversation, as the server takes it."""
        for one in messages:
            check_characters(one["content"])
        asked = _Asked(CHAT, {"messages": [dict(one) for one in messages]})
        return Prompt(asked, chances=_CHANCES)

    def templated(self, messages: Sequence[Message], *, asking: bool) -> tuple[str, int] | None:  # noqa: ARG002 - as the protocol has it
        """Return None: the server has the chat template, and does not show what it makes."""
        if self._ways[CHAT].refusal:
            raise TokenizerError(
                f"{self._name} keeps no conversation, {self._ways[CHAT].refusal}: "
                "%%hf_generate writes on from plain text"
            )
        return None

    def count(self, texts: Sequence[str]) -> list[int | None]:
        """Return None for each text: the server has the tokenizer."""
        return [None] * len(texts)

    def plan(self, made: Plan) -> Plan:
        """Refuse what the protocol has not, and say how tokens are asked for."""
        if made.words.get("top_k") is not None:
            raise OptionError(f"{self.label} has no top_k: leave out --top-k")
        notes = made.notes
        processed = made.sampled or any(made.words.get(name) for name in _PENALTIES)
        if processed and any(way.chances for way in self._ways.values()):
            notes = (*notes, _UNTOLD)
        if not made.sampled:
            return dataclasses.replace(made, notes=notes)
        words = {**self.defaults, **made.words}
        said = drawn_words(words["temperature"], None, words.get("top_p"))
        said = said.replace("the tokens were drawn", "the server was asked to draw")
        said += f"; --seed {made.seed} asks for the same again"
        return dataclasses.replace(made, drawn=said, notes=notes)

    def write(self, prompt: Prompt, made: Plan) -> Iterator[Event]:
        """Stream from the server; where it breaks off, what came is the text."""
        asked: _Asked = prompt.given
        way = self._ways[asked.path]
        body = {"model": self._model, **asked.body, **snippets.body_words(made), **way.words}
        so_far = _SoFar()
        try:
            for event in self._server.events(asked.path, body):
                delta = read(event)
                so_far.add(delta)
                yield from pieces(delta, self._lexicon)
        except EngineError as error:
            if not so_far.text:
                raise
            yield so_far.end(BROKEN, f"{error}: what was written is kept")
            return
        if so_far.usage and so_far.usage.prompt is not None:
            yield PromptRead(so_far.usage.prompt, so_far.usage.reused)
        yield so_far.end(so_far.stop(made))

    def words(self, ids: Iterable[int]) -> Mapping[int, tuple[str, str]]:
        """Return tokens by the IDs that they were given here."""
        return self._lexicon.words(ids)

    def loading(self) -> Snippet:
        """Return the plain code that makes a client."""
        return snippets.loading(self._server.address, self._timeout)

    def writing(self, made: Plan) -> Snippet:
        """Return the plain code that writes on from ``prompts``."""
        limit = self._server.limit_name(TEXT)
        return snippets.writing(self._model, made, self._timeout, limit)

    def replying(self, made: Plan) -> Snippet:
        """Return the plain code that answers ``messages``."""
        return snippets.replying(self._model, made, self._server.limit_name(CHAT))

    def close(self) -> None:
        """Close the connection."""
        self._server.close()


@dataclass(frozen=True)
class _Asked:
    """A request: its path, and what of it is the prompt."""

    path: str
    body: dict[str, Any]


@dataclass
class _SoFar:
    """What came of an answer."""

    text: str = ""
    told: bool = False
    finish: str = ""
    by: str = ""
    thought: int = 0
    usage: Usage | None = None
    notes: list[str] = field(default_factory=list)

    def add(self, delta: Delta) -> None:
        """Take what an event says."""
        self.text += delta.text
        self.told = self.told or bool(delta.tokens)
        self.finish = delta.finish or self.finish
        self.by = delta.stop or self.by
        self.thought += delta.thought
        self.usage = delta.usage or self.usage

    def stop(self, made: Plan) -> str:
        """Return why the text ended, in the words of the page."""
        if self.finish == "length":
            return limit_words(made)
        if self.finish != "stop":
            return self.finish.replace("_", " ")[:40] or "the server gave no reason"
        came = self.by or next((one for one in made.stop if self.text.endswith(one)), "")
        if came:
            return f"stop string {came!r}"
        return EITHER if made.stop else "end token"

    def end(self, stop: str, *notes: str) -> End:
        """Return the end, with what its reader must not miss."""
        counted = self.usage.written if self.usage else None
        said = [*notes]
        if self.text and not self.told:
            said.append(NO_CHANCES)
            if counted is None:
                said.append("the server counts no tokens: what is counted are pieces of text")
        if self.thought:
            said.append(
                f"the server sent {self.thought:,} characters of reasoning, which the text has not"
            )
        return End(stop, tokens=counted, notes=tuple(said))


_CHANCES = "probabilities are as the server tells them"
_UNTOLD = (
    "the server does not say whether its probabilities are those before temperature and penalties "
    "or after"
)
