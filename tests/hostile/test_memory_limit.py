"""A process that may take no more memory: what does not fit is one line, and the session goes on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="no limits of memory on this system")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to the limit"),
]

CHILD = """
import json, resource
import psutil, torch
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell("%load_ext hf_magics")
shell.run_cell("%hf_new bert -n it --task fill-mask hidden_size=256 num_hidden_layers=2"
               " num_attention_heads=8 intermediate_size=512 max_position_embeddings=4096"
               " vocab_size=1000")
shell.run_cell("%hf_new gpt2 -n writer --task text-generation n_embd=256 n_layer=2 n_head=8"
               " n_positions=4096 vocab_size=1000")
shell.user_ns["small"] = torch.randint(5, 999, (4, 64)).tolist()
shell.user_ns["large"] = torch.randint(5, 999, (16, 4_000)).tolist()
shell.user_ns["longest"] = shell.user_ns["large"][:1]
SMALL = "%hf_infer -m it --task features -i small"
print("before", str(shell.run_cell(SMALL).error_in_exec))
limit = psutil.Process().memory_info().vms + 300_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
said = {}
for line in LINES:
    failed = shell.run_cell(line).error_in_exec
    again = shell.run_cell(SMALL)
    said[line] = [type(failed).__name__, str(failed), again.success]
shell.run_cell("names = list(__import__('hf_magics').session)")
print(json.dumps([said, shell.user_ns["names"]]))
"""
SHORTER = "fewer or shorter"  # which allocation fails first, and whose words say it, is chance
LINES = {
    "%hf_infer -m it --task features -i large": SHORTER,
    "%hf_infer -m it --task features -i large --set output_hidden_states=True": SHORTER,
    "%hf_attention -m it -i longest": SHORTER,
    "%hf_generate -m writer --max-new-tokens 8 -i large": SHORTER,
    "%hf_new bert -n third hidden_size=2048 num_attention_heads=8": "needs",
}


def test_what_does_not_fit_leaves_the_session_as_it_was():
    """Each line names what to do; the next small line has its answer, and no model is lost."""
    child = f"LINES = {list(LINES)!r}\n{CHILD}"
    done = subprocess.run(
        [sys.executable, "-c", child],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said, names = json.loads(done.stdout.splitlines()[-1])
    for line, words in LINES.items():
        kind, message, again = said[line]
        assert (kind, again) == ("UsageError", True), (line, message)
        assert words in message
        assert "\n" not in message
    assert names == ["it", "writer"]
