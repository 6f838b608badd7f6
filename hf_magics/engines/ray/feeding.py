"""Windows on their way: read here, one after the other, and given to Ray as it takes them."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from typing import Any

from hf_magics.display.numbers import plural
from hf_magics.errors import EngineError
from hf_magics.inference.mapping.sources import Window
from hf_magics.optional import optional


class Feed:
    """Gives windows to Ray Data, no more at a time than there is room for.

    ``pending`` are those that were given and have not come back, in their order.
    """

    def __init__(self, ray: Any, windows: Iterator[Window], ahead: int) -> None:
        from ray.util.queue import Queue  # noqa: PLC0415 - an optional package

        self.pending: list[Window] = []
        self.error: BaseException | None = None
        self._ray = ray
        self._windows = windows
        self._room = threading.Semaphore(ahead)
        self._stopped = False
        self._queue = Queue(actor_options={"num_cpus": 0})
        self._ticket = Queue(actor_options={"num_cpus": 0})
        self._ticket.put("read once")
        self._thread = threading.Thread(target=self._give, name="hf-magics-feed", daemon=True)

    def dataset(self) -> Any:
        """Return the windows as a lazy dataset: a row each, in blocks of their own."""
        self._thread.start()
        return self._ray.data.read_datasource(
            _source(self._queue, self._ticket),
            override_num_blocks=1,
            num_cpus=0,
        )

    def came_back(self) -> Window:
        """Take note that the first of those that are pending came back."""
        self._room.release()
        return self.pending.pop(0)

    def check_whole(self) -> None:
        """Refuse an end at which windows are missing.

        Raises:
            EngineError: Ray came to an end before all that were given had come back.
        """
        if self.pending and self.error is None:
            raise EngineError(
                f"Ray ended with {plural(len(self.pending), 'window')} missing: --to FILE or "
                "--checkpoint DIR keeps what is finished, and the same line goes on from there"
            )

    def close(self) -> None:
        """Give no more; what was read and not given is pending."""
        self._stopped = True
        self._room.release()
        self._queue.shutdown(force=True)
        self._ticket.shutdown(force=True)
        if self._thread.ident is not None:
            self._thread.join()

    def _give(self) -> None:
        number = 0
        try:
            while True:
                self._room.acquire()
                if self._stopped:
                    return
                window = next(self._windows, None)
                if window is not None:
                    self.pending.append(window)
                self._queue.put(None if window is None else (number, pickle.dumps(window)))
                if window is None:
                    return
                number += 1
        except self._ray.exceptions.RayError:
            if not self._stopped:
                raise
        except BaseException as error:  # noqa: BLE001 - of reading: it is raised where they are used
            self.error = error
            self._queue.put(None)


def _source(queue: Any, ticket: Any) -> Any:
    """Return a datasource with one task, that reads the queue until its end.

    Ray begins a task anew whose process died, and what that had taken from the queue is gone: a
    second reader has no ticket.
    """
    pa = optional("pyarrow", extra="ray")
    from ray.data.block import BlockMetadata  # noqa: PLC0415
    from ray.data.datasource import Datasource, ReadTask  # noqa: PLC0415

    def read() -> Iterator[Any]:
        if ticket.empty():
            raise RuntimeError("the process that read the windows died")
        ticket.get()
        while (found := queue.get()) is not None:
            number, window = found
            row = {"number": [number], "window": pa.array([window], pa.large_binary())}
            yield pa.table(row)

    class Windows(Datasource):  # type: ignore[misc,unused-ignore]
        def get_read_tasks(self, *_: Any, **__: Any) -> list[Any]:
            unknown = BlockMetadata(
                num_rows=None, size_bytes=None, input_files=None, exec_stats=None
            )
            return [ReadTask(read, unknown)]

        def estimate_inmemory_data_size(self) -> None:
            return None

    return Windows()
