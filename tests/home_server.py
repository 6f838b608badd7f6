"""The process that scripts run in, see home.py: torch and transformers, and nothing of ours."""

import io
import os
import sys
import traceback
from pathlib import Path

sys.modules["hf_magics"] = None  # type: ignore[assignment] # an import of it fails here

import torch  # noqa: E402 - after the line above
import transformers  # noqa: E402
import transformers.pipelines  # noqa: E402 - transformers is lazy: each fork would import these
from transformers import (  # noqa: E402, F401
    AutoModel,
    AutoTokenizer,
    BertForMaskedLM,
    BertTokenizer,
    GPT2LMHeadModel,
    T5ForConditionalGeneration,
)

transformers.utils.logging.disable_progress_bar()


def run(folder: Path) -> None:
    """Run the script of a folder, and leave there what its variables hold."""
    given = torch.load(folder / "given.pt", weights_only=False)
    names = {"__name__": "__main__", **given}
    code = (folder / "script.py").read_text(encoding="utf-8")
    torch.set_num_threads(int((folder / "threads.txt").read_text(encoding="utf-8")))
    os.chdir((folder / "cwd.txt").read_text(encoding="utf-8"))
    # what a script prints is no answer to the one who asked
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    exec(compile(code, "script.py", "exec"), names)
    made = {name: value for name, value in names.items() if name not in given}
    found = {name: value for name, value in made.items() if is_data(name, value)}
    torch.save(found, folder / "found.pt")


def is_data(name: str, value: object) -> bool:
    """Say whether a variable holds something that another process can read."""
    if name.startswith("__") or isinstance(value, torch.nn.Module):
        return False
    try:
        torch.save(value, io.BytesIO())
    except Exception:  # noqa: BLE001 - whatever pickle makes of objects of all kinds
        return False
    return True


def forked(folder: Path) -> str:
    """Run a script in a fork of this process, which stays as it is."""
    child = os.fork()
    if child:
        return "done" if os.waitpid(child, 0)[1] == 0 else "failed"
    status = 1
    try:
        run(folder)
        status = 0
    except BaseException:  # noqa: BLE001 - the traceback is the answer
        (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
    os._exit(status)


for line in sys.stdin:
    print(forked(Path(line.strip())), flush=True)
