"""A real kernel, asked as a notebook asks it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

WAIT_S = 120  # a first cell imports torch on a busy machine


class Kernel:
    """Runs cells; what each sent is a list of (message type, content)."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def started(cls, home: Path) -> Iterator[Kernel]:
        """A kernel for the length of a block, in a folder of its own."""
        env = {**os.environ, "IPYTHONDIR": str(home), "HF_HUB_OFFLINE": "1"}
        manager, client = start_new_kernel(env=env, startup_timeout=WAIT_S, cwd=str(home))
        try:
            yield cls(client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()

    def sent(self, cell: str) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
        """The reply to a cell, and every message that it sent."""
        messages: list[tuple[str, dict[str, Any]]] = []
        reply = self._client.execute_interactive(
            cell,
            timeout=WAIT_S,
            output_hook=lambda one: messages.append((one["msg_type"], one["content"])),
        )
        return reply["content"], messages

    def run(self, cell: str) -> list[tuple[str, dict[str, Any]]]:
        """What a cell that succeeds sent."""
        reply, messages = self.sent(cell)
        assert reply["status"] == "ok", reply
        return [one for one in messages if one[0] not in {"status", "execute_input"}]

    def text(self, cell: str) -> str:
        """The plain text of a cell's value."""
        return next(
            content["data"]["text/plain"]
            for kind, content in self.run(cell)
            if kind == "execute_result"
        )

    def offers(self, line: str) -> list[str]:
        """What Tab offers at the end of a line, as the line would read then."""
        reply = self._client.complete(line, len(line), reply=True, timeout=WAIT_S)["content"]
        return [line[: reply["cursor_start"]] + match for match in reply["matches"]]

    def help(self, code: str) -> str:
        """What Shift-Tab shows."""
        reply = self._client.inspect(code, len(code), reply=True, timeout=WAIT_S)["content"]
        return reply["data"].get("text/plain", "") if reply["found"] else ""
