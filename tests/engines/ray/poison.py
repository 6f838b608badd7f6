"""A hook that ends the process which runs a marked text, or kills it once."""

import os
import signal
from pathlib import Path

MARK = 29145  # zebra, a token that no other text of the tests has


def end(_module, _args, kwargs) -> None:
    """End this process, if it is an actor's, where the mark is among the tokens."""
    if (kwargs["input_ids"] == MARK).any() and _in_actor():
        os._exit(1)


class KillOnce:
    """Kill -9, the first time that the mark is among the tokens."""

    def __init__(self, witness) -> None:
        self.witness = str(witness)

    def __call__(self, _module, _args, kwargs) -> None:
        """Be called before the model is."""
        if (kwargs["input_ids"] == MARK).any() and _in_actor() and not Path(self.witness).exists():
            Path(self.witness).write_text("killed")
            os.kill(os.getpid(), signal.SIGKILL)


def _in_actor() -> bool:
    import ray

    return ray.is_initialized() and ray.get_runtime_context().worker.mode == ray.WORKER_MODE
