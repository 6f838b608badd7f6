"""Run the windows of a map on a pool of actors, by Ray Data."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
from collections.abc import Generator, Iterator
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.display.words import one_line
from hf_magics.engines.ray.actor import Desk, Ran, WindowActor
from hf_magics.engines.ray.cluster import cluster
from hf_magics.engines.ray.feeding import Feed
from hf_magics.engines.ray.isolating import isolate
from hf_magics.errors import EngineError, HFMagicsError
from hf_magics.inference.mapping.job import Execute
from hf_magics.inference.mapping.sources import Window
from hf_magics.inference.mapping.worker import Finished, Worker
from hf_magics.specs import MapSpec

_AHEAD = 2  # windows an actor: one that it runs and one that waits


def on_ray(spec: MapSpec) -> Execute:
    """Return what runs windows on Ray, as a spec asks: its address and its number of actors."""

    def run(worker: Worker, windows: Iterator[Window]) -> Generator[tuple[Window, Finished]]:
        _check(worker)
        with cluster(spec.address) as ray:
            yield from _Pool(ray, worker, spec.actors).run(windows)

    return run


class _Pool:
    """The actors of one job; each has a copy of the model."""

    def __init__(self, ray: Any, worker: Worker, actors: int | None) -> None:
        self._ray = ray
        self._worker = worker
        self._gpu = worker.request.loaded.model.device.type == "cuda"
        self.actors, self.threads = _sizes(ray, actors, "GPU" if self._gpu else "CPU")
        packed = ray.put(dataclasses.replace(worker, on_tokens=_nothing))
        self._desk = ray.remote(Desk).options(num_cpus=0).remote([packed])

    def run(self, windows: Iterator[Window]) -> Generator[tuple[Window, Finished]]:
        """Yield the windows in their order; those in which actors died are run apart."""
        feed = Feed(self._ray, windows, _AHEAD * self.actors + 1)
        try:
            for ran in self._stream(feed):
                window = feed.came_back()
                yield window, self._taken(ran or isolate(self._ray, self._apart, window))
            feed.check_whole()
        except self._ray.exceptions.RayError as error:
            raise EngineError(
                f"Ray gave up ({one_line(error)[-200:]}): --to FILE or --checkpoint DIR keeps what "
                "is finished, and the same line goes on from there"
            ) from error
        finally:
            feed.close()
            with contextlib.suppress(Exception):  # of a cluster that has gone there is nothing left
                self._ray.kill(self._desk)
        if feed.error is not None:
            raise feed.error

    def _stream(self, feed: Feed) -> Generator[Ran | None]:
        """Yield what Ray Data gives back, in the order of the windows."""
        made = feed.dataset().map_batches(
            WindowActor,
            fn_constructor_args=(self._desk, self.threads),
            batch_size=None,
            compute=self._ray.data.ActorPoolStrategy(size=self.actors),
            num_cpus=self.threads,
            # the rest of a GPU is for a window that is run apart
            num_gpus=0.9 if self._gpu else None,
        )
        with contextlib.closing(iter(made.iter_batches(batch_size=1, prefetch_batches=0))) as rows:
            for row in rows:
                yield pickle.loads(row["ran"][0])  # noqa: S301 - our own

    def _apart(self) -> Any:
        """Return an actor beside the pool, that is not started again."""
        made = self._ray.remote(WindowActor)
        resources = {"num_cpus": 0, "num_gpus": 0.1 if self._gpu else 0}
        return made.options(max_restarts=0, **resources).remote(self._desk, self.threads)

    def _taken(self, ran: Ran) -> Finished:
        """Tell the worker here what those there did."""
        if isinstance(ran, HFMagicsError):
            raise ran
        done, decoding = ran
        worker = self._worker
        if worker.decoding is None:
            worker.decoding = decoding
        worker.on_tokens(done.tokens, 0)
        return done


def _sizes(ray: Any, actors: int | None, kind: str) -> tuple[int, int]:
    """Return the number of actors, a GPU or a node each where none is asked, and their threads.

    The threads are the most with which all of them fit on the nodes.

    Raises:
        EngineError: The cluster has no room for so many.
    """
    nodes = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    there = [int(one.get(kind, 0)) for one in nodes]
    chosen = actors or (sum(there) if kind == "GPU" else len(nodes)) or 1
    if chosen > sum(there):
        raise EngineError(f"--actors {chosen}: the cluster has {plural(sum(there), kind)}")
    cpus = [int(one.get("CPU", 0)) for one in nodes]
    fits = (n for n in range(max(cpus), 1, -1) if sum(one // n for one in cpus) >= chosen)
    return chosen, next(fits, 1)


def _check(worker: Worker) -> None:
    loaded = worker.request.loaded
    if loaded.runner is not None:
        raise EngineError(
            f"--on ray runs torch models, and {loaded.name} is computed by "
            f"{loaded.engine.words if loaded.engine else 'an engine'}: load it without --engine"
        )


def _nothing(*_: int) -> None:
    """Count no tokens: an actor has nobody to tell."""
