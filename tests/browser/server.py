"""A real JupyterLab on loopback, with its settings, data and runtime files in a folder of its own.

The same server shows a notebook in Notebook 7 too: that is another page over the same parts.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Theme = Literal["light", "dark"]
App = Literal["lab", "notebook"]

START_S = 120
PAGES: dict[App, str] = {"lab": "lab/tree", "notebook": "notebooks"}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# Without a kernelspec JupyterLab opens a dialog that asks for a kernel.
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class Server:
    """A JupyterLab on loopback, with a token, that reads and writes nothing outside `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = secrets.token_hex()
        self._notebooks = folder / "notebooks"
        self._notebooks.mkdir()
        self._set("notification", {"fetchNews": "false", "checkForUpdates": False})
        # all cells are in the document, not only those in view
        self._set("tracker", {"windowingMode": "none"}, extension="notebook-extension")
        self.address = ""

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Starts it, waits until it answers, and stops it at the end."""
        with (self._folder / "lab.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
            try:
                self.address = self._wait(process)
                yield self
            finally:
                process.terminate()
                process.wait(START_S)

    def write(self, name: str, source: dict[str, Any] | Path | str) -> None:
        """Puts a copy of a notebook where the server finds it."""
        content = (
            source if isinstance(source, dict) else json.loads(Path(source).read_text("utf-8"))
        )
        content = {**content, "metadata": {"kernelspec": KERNEL, **content.get("metadata", {})}}
        (self._notebooks / name).write_text(json.dumps(content), "utf-8")

    def choose(self, theme: Theme) -> None:
        """Sets the theme of the windows that are opened from now on."""
        self._set("themes", {"theme": THEMES[theme], "adaptive-theme": False})

    def address_of(self, name: str, app: App = "lab") -> str:
        """Where an app shows a notebook, with no trace of the one before it."""
        return f"{self.address}{PAGES[app]}/{name}?reset&token={self._token}"

    def end_kernels(self) -> None:
        """Ends the kernels of all notebooks."""
        for session in json.loads(self._ask("GET", "api/sessions")):
            self._ask("DELETE", f"api/sessions/{session['id']}")

    def _set(self, plugin: str, values: object, extension: str = "apputils-extension") -> None:
        path = self._folder / "settings/@jupyterlab" / extension / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")

    def _ask(self, method: str, path: str) -> bytes:
        headers = {"Authorization": f"token {self._token}"}
        request = urllib.request.Request(self.address + path, headers=headers, method=method)
        # a proxy of the environment would be asked for loopback too
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=START_S) as answer:
            body: bytes = answer.read()
        return body

    def _command(self) -> list[str]:
        options = (
            "ServerApp.ip=127.0.0.1",
            "ServerApp.port=0",  # any that is free
            "ServerApp.allow_root=True",
            "ServerApp.open_browser=False",
            f"ServerApp.root_dir={self._notebooks}",
            "LabApp.expose_app_in_browser=True",  # `window.jupyterapp` runs its commands
            "JupyterNotebookApp.expose_app_in_browser=True",
            "LabApp.news_url=",
            "LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        )
        return [sys.executable, "-m", "jupyterlab", *(f"--{option}" for option in options)]

    def _environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        own = {name: str(self._folder / folder) for name, folder in folders.items()}
        return {**os.environ, **own, "JUPYTER_TOKEN": self._token}

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        """Waits for the file that tells the port, which comes when the server listens."""
        told = self._folder / f"runtime/jpserver-{process.pid}.json"
        end = time.monotonic() + START_S
        while time.monotonic() < end and process.poll() is None:
            if told.exists() and (text := told.read_text("utf-8")):
                address: str = json.loads(text)["url"]
                return address
            time.sleep(0.1)
        log = (self._folder / "lab.log").read_text("utf-8", "replace")
        raise RuntimeError(f"JupyterLab did not start:\n{log[-3000:]}")
