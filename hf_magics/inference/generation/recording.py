"""What is kept of each step of a generation: the chosen token's probability, and the likeliest.

Transformers puts a processor of one's own before temperature, top-k and top-p, so that it sees
neither the scores as the model gave them nor those that are drawn from. `Recorder.decode` is given
as ``custom_generate``: transformers prepares everything, and calls it in the place of its loop; it
calls that loop with one processor before all others and one behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

ALTERNATIVES = 5
_BLOCK = 512
_PER_CHOICE = 4  # probability and rank after the processors, then raw


@dataclass(frozen=True)
class Step:
    """One token that was written.

    ``prob`` and ``rank`` are those in the distribution it was chosen from, ``raw_prob`` and
    ``raw_rank`` those in the model's own; NaN and 0 where they are not known. ``top`` and
    ``raw_top`` are the likeliest tokens in each: ``(id, probability)``, the first first.
    """

    id: int
    prob: float
    rank: int
    raw_prob: float
    raw_rank: int
    top: tuple[tuple[int, float], ...]
    raw_top: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Stop:
    """What ended a row: the class of a criterion, after so many tokens."""

    criterion: str
    tokens: int


class Recorder(BaseStreamer):
    """Sees the scores of each step and the tokens that were chosen; keeps tokens × k numbers.

    The tensors of scores are let go with the next step. What a step gave is kept at once, in one
    call: an interrupt finds whole steps only.
    """

    def __init__(self, on_step: Callable[[list[int]], None], *, beams: int = 1) -> None:
        self.stops: dict[int, Stop] = {}
        self.processed = False
        self.running: torch.Tensor | None = None
        self.begin = 0
        self.failure: BaseException | None = None
        self._on_step = on_step
        self._beams = beams
        self._raw: torch.Tensor | None = None
        self._waiting: deque[tuple[torch.Tensor, torch.Tensor]] = deque()
        self._ids = _Shelf()
        self._numbers = _Shelf()

    def decode(
        self,
        model: Any,
        input_ids: torch.Tensor,
        *,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        **more: Any,
    ) -> Any:
        """Run transformers' own loop: what ``custom_generate`` takes."""
        self.begin = input_ids.shape[1]
        self.processed = len(logits_processor) > 0
        watched = LogitsProcessorList([_Tap(self._see_raw), *logits_processor, _Tap(self._see)])
        if self._beams > 1:
            return model._beam_search(  # noqa: SLF001 - the loops have no public names
                input_ids, logits_processor=watched, stopping_criteria=stopping_criteria, **more
            )
        reasons = _Reasons(stopping_criteria, self.stops, self.begin)
        return model._sample(  # noqa: SLF001 - as above
            input_ids,
            logits_processor=watched,
            stopping_criteria=reasons,
            streamer=self,
            **more,
        )

    def put(self, value: torch.Tensor) -> None:
        """Take the tokens of a step, a row each: on some devices one step late."""
        raw, scores = self._waiting.popleft()
        chosen = value.to(scores.device)[:, None]
        self._keep(value[:, None], _described(raw, scores, chosen, same=not self.processed))
        self._tell(value.tolist())

    def end(self) -> None:
        """Let go of the scores."""
        self._waiting.clear()
        self._raw = None

    @property
    def count(self) -> int:
        """How many steps were kept."""
        return self._numbers.count

    def tokens(self) -> list[list[int]]:
        """The tokens that were chosen, a list a row; only known without beams."""
        steps = [self._ids.at(step)[:, 0] for step in range(self.count)]
        return torch.stack(steps, dim=1).tolist() if steps else []

    def step(self, at: int, row: int, token: int) -> Step:
        """Return what is known of a token that was chosen in a step from a row of scores."""
        known = self._ids.at(at)[row].tolist()
        packed = self._numbers.at(at)[row].tolist()
        tops = packed[len(known) * _PER_CHOICE :]
        top, raw_top = tops[: len(tops) // 2], tops[len(tops) // 2 :]
        prob, rank, raw_prob, raw_rank = float("nan"), 0.0, float("nan"), 0.0
        if token in known:
            begin = known.index(token) * _PER_CHOICE
            prob, rank, raw_prob, raw_rank = packed[begin : begin + _PER_CHOICE]
        return Step(token, prob, int(rank), raw_prob, int(raw_rank), _paired(top), _paired(raw_top))

    def _see_raw(self, _: torch.Tensor, scores: torch.Tensor) -> None:
        self._raw = scores

    def _see(self, input_ids: torch.Tensor, scores: torch.Tensor) -> None:
        assert self._raw is not None
        if self._beams == 1:
            self._waiting.append((self._raw, scores))
            return
        # a beam goes on with one of its likeliest tokens: all that may be chosen are described
        self.running = input_ids
        likely = scores.topk(min(2 * self._beams + 2, scores.shape[-1]), dim=-1).indices
        self._keep(likely.cpu(), _described(self._raw, scores, likely, same=not self.processed))
        self._tell([])

    def _tell(self, tokens: list[int]) -> None:
        try:
            self._on_step(tokens)
        except Exception as error:
            self.failure = error  # the listener's own, not the model's
            raise

    def _keep(self, ids: torch.Tensor, numbers: torch.Tensor) -> None:
        self._ids.add(ids)
        self._numbers.add(numbers)


class _Shelf:
    """Tensors of one shape, many to a block.

    One by one they would lie between the growing tensors of the key-value cache, whose old places
    the allocator could then not join: a peak of tens of megabytes for kilobytes.
    """

    def __init__(self) -> None:
        self.count = 0
        self._blocks: list[torch.Tensor] = []

    def add(self, tensor: torch.Tensor) -> None:
        """Keep a copy."""
        block, place = divmod(self.count, _BLOCK)
        if block == len(self._blocks):
            self._blocks.append(tensor.new_empty((_BLOCK, *tensor.shape)))
        self._blocks[block][place] = tensor
        self.count += 1

    def at(self, step: int) -> torch.Tensor:
        """Return the tensor of a step."""
        return self._blocks[step // _BLOCK][step % _BLOCK]


class _Tap(LogitsProcessor):
    """Shows the scores that come by, and changes none."""

    def __init__(self, see: Callable[[torch.Tensor, torch.Tensor], None]) -> None:
        self._see = see

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._see(input_ids, scores)
        return scores


class _Reasons(StoppingCriteriaList):
    """The same criteria; which of them ended a row first is written down."""

    def __init__(self, criteria: StoppingCriteriaList, stops: dict[int, Stop], begin: int) -> None:
        super().__init__(criteria)
        self._stops = stops
        self._begin = begin

    def __call__(self, input_ids: torch.Tensor, scores: Any, **more: Any) -> torch.Tensor:
        done = torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
        for one in self:
            said = one(input_ids, scores, **more)
            done = done | said
            if said.any():
                stop = Stop(type(one).__name__, input_ids.shape[1] - self._begin)
                for row in said.nonzero().flatten().tolist():
                    self._stops.setdefault(row, stop)
        return done


def _described(
    raw: torch.Tensor, scores: torch.Tensor, chosen: torch.Tensor, *, same: bool
) -> torch.Tensor:
    """Return what is kept of a step, packed into one tensor: one transfer from the device.

    A row holds, for each chosen token, its probability and rank in the processed and the raw
    scores; then IDs and probabilities of the likeliest in the processed, then in the raw ones.
    An ID is exact in a float up to 2**24.
    """
    after, top = _looked_up(scores, chosen)
    before, raw_top = (after, top) if same else _looked_up(raw, chosen)
    numbers = torch.cat([after, before], dim=-1).flatten(1)
    return torch.cat([numbers, top, raw_top], dim=1).cpu()


def _looked_up(scores: torch.Tensor, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return probability and rank of tokens, and the likeliest ones with their probabilities.

    Args:
        scores: Logits or log-probabilities of the shape (rows, vocabulary).
        chosen: Token IDs of the shape (rows, n).
    """
    scores = scores.float()
    total = scores.logsumexp(dim=-1, keepdim=True)
    values = scores.gather(1, chosen)
    higher = torch.stack([(scores > one[:, None]).sum(dim=-1) for one in values.T], dim=1)
    described = torch.stack([(values - total).exp(), higher + 1.0], dim=-1)
    best = scores.topk(min(ALTERNATIVES, scores.shape[-1]), dim=-1)
    top = torch.cat([best.indices.float(), (best.values - total).exp()], dim=1)
    return described, top


def _paired(packed: list[float]) -> tuple[tuple[int, float], ...]:
    half = len(packed) // 2
    return tuple(
        (int(token), prob)
        for token, prob in zip(packed[:half], packed[half:], strict=True)
        if prob > 0  # what the processors ruled out is no alternative
    )
