"""A warm start: what the first load needs is imported while the notebook is idle."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from hf_magics.first_import import AHEAD, IMPORTING, import_ahead
from hf_magics.interrupts import interrupts_held, no_interrupt

_IDLE_S = 0.25  # cells that follow one another at once, as in "Run all", are left alone


class WarmStart:
    """Imports torch and transformers on a thread of its own, a step at a time, between the cells.

    It begins once the cell that loads the extension is through, and waits while another runs: two
    imports at a time can each see the other's half of a module. A cell that begins in the middle of
    a step waits for its end, which is a second or two.
    """

    def __init__(self, shell: Any, wanted: Callable[[], bool]) -> None:
        self._shell = shell
        self._wanted = wanted
        self._cells = 0
        self._quiet = False  # no cell has begun since the notebook was found idle
        self._changed = threading.Condition()
        self._stopped = False
        self._finished = False
        self._thread: threading.Thread | None = None

    def register(self) -> None:
        """Begin after the cell that runs now."""
        self._shell.events.register("pre_execute", self._cell_begins)
        self._shell.events.register("post_execute", self._cell_ends)
        atexit.register(self.stop)

    def unregister(self) -> None:
        """Take everything back; the step that is under way comes to its end."""
        self.stop()
        for event, callback in (
            ("pre_execute", self._cell_begins),
            ("post_execute", self._cell_ends),
        ):
            with contextlib.suppress(ValueError):  # a shell may forget its callbacks
                self._shell.events.unregister(event, callback)
        atexit.unregister(self.stop)

    def stop(self) -> None:
        """Take no further step, and wait for the one under way: a process can't end in it."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            with no_interrupt():
                self._thread.join()

    def _cell_begins(self) -> None:
        self._cells += 1
        self._quiet = False
        with interrupts_held() as held, IMPORTING:
            pass
        if held:  # an interrupt of an event's callback is lost: the cell is to have it
            threading.Timer(0.05, _thread.interrupt_main).start()

    def _cell_ends(self) -> None:
        with self._changed:
            self._cells = max(0, self._cells - 1)  # the first is the cell that registered this
            self._changed.notify_all()
            if not (self._is_running() or self._finished or self._stopped):
                self._thread = threading.Thread(
                    target=self._run, name="hf-magics-warm-start", daemon=True
                )
                self._thread.start()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        steps = iter(AHEAD)
        while self._idle():
            with IMPORTING:
                if self._cells:  # one has begun just now
                    continue
                try:
                    import_ahead(next(steps))
                except StopIteration:
                    self._finished = True
                    return
                except Exception:  # noqa: BLE001 - the verb that needs it raises it in its cell
                    self._finished = True
                    return

    def _idle(self) -> bool:
        """Wait until no cell has run for a moment; False where there is nothing more to do."""
        with self._changed:
            while not self._stopped and self._wanted():
                if self._cells:
                    self._changed.wait()
                elif self._quiet or not (self._changed.wait(_IDLE_S) or self._cells):
                    self._quiet = True
                    return True
        return False
