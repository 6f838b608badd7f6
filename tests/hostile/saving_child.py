"""A process that saves, in a fork of itself for each line that it reads."""

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import torch

import hf_magics as hf
from hf_magics.errors import SaveError
from tests.modeling.tiny import BERT

SHARDS = {"one": "40KB", "two": "60KB"}


def make() -> None:
    """Put the two models into the session."""
    hf.new("bert", name="one", seed=1, replace=True, **BERT)
    hf.new("bert", name="two", seed=2, replace=True, **(BERT | {"num_hidden_layers": 3}))


def save(name: str, folder: Path, *, overwrite: bool = True) -> None:
    """Save one of them in shards."""
    hf.save(str(folder), name=name, overwrite=overwrite, max_shard_size=SHARDS[name])


def save_on(home: Path) -> None:
    """Save over a folder, and to new ones, until the end of the process."""
    turn = 0
    while True:
        save("two", home / "over")
        save("one", home / f"new-{turn}", overwrite=False)
        save("one", home / "over")
        turn += 1


def save_once(folder: Path, *, umask: int = 0o022, limit: int = 0, user: int = 0) -> str:
    """Save as another user, or with a limit on the size of files; return the error's line."""
    os.umask(umask)
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if user:
        os.setgid(user)
        os.setuid(user)
    try:
        save("two", folder)
    except SaveError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whoever asked waits for a line
        return "".join(traceback.format_exception(error))
    return ""


def main() -> None:
    """Fork for each line: for an empty one to save on, for words as JSON to save once."""
    torch.set_num_threads(1)  # those of a pool are not there in a fork
    make()
    with tempfile.TemporaryDirectory() as home:  # imports what a save needs: not every user may
        save("one", Path(home) / "first")
    for line in sys.stdin:
        asked = json.loads(line)
        process = os.fork()
        if not process and "folder" in asked:
            print(json.dumps(save_once(Path(asked.pop("folder")), **asked)), flush=True)
            os._exit(0)
        if not process:
            save_on(Path(asked["home"]))
        if "home" in asked:
            print(process, flush=True)
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()
