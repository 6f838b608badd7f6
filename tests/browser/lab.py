"""A real JupyterLab in a headless Chromium: opens a notebook and says what is on the screen.

`Server` is the JupyterLab, with its settings, data and runtime files in a folder of its own;
`Lab` opens notebooks of it in a browser; `OpenNotebook` is one of them on the screen.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from playwright.sync_api import Browser, Locator, Page, Request, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

Theme = Literal["light", "dark"]

START_S = 120
RENDER_MS = 60_000
RUN_MS = 300_000  # cells import torch and load models

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# Without a kernelspec JupyterLab opens a dialog that asks for a kernel.
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

# The prompt is `[*]` while a cell waits or runs, `[3]` after; the cells after one that failed
# go back to `[ ]`.
ALL_RAN = """() => {
    const prompts = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')]
        .map(prompt => prompt.textContent);
    return window.ranAll && prompts.some(prompt => /\\d/.test(prompt))
        && !prompts.some(prompt => prompt.includes('*'));
}"""
RUN_ALL = """() => {
    window.jupyterapp.commands.execute('notebook:run-all-cells')
        .finally(() => { window.ranAll = true; });
}"""
THEME_IS_ON = "light => document.body.dataset.jpThemeLight === String(light)"
# The light in the toolbar says idle before there is a kernel: its connection is asked instead.
KERNEL_IS_IDLE = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
IS_WIDER = "element => element.scrollWidth > element.clientWidth"


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome on this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def notebook(*cells: str) -> dict[str, Any]:
    """A notebook of code cells that haven't run."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": KERNEL},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "source": source,
                "outputs": [],
            }
            for number, source in enumerate(cells)
        ],
    }


@dataclass
class OpenNotebook:
    """A notebook on the screen.

    Attributes:
        page: Playwright's page, for what isn't below.
        problems: each uncaught error of a script, dialog of the browser and dialog of JupyterLab.
        foreign: the addresses that were asked for outside the server.
    """

    page: Page
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> Locator:
        """The outputs of all code cells, of whatever type, from top to bottom."""
        return self.page.locator(".jp-Notebook .jp-OutputArea-output")

    @property
    def html_outputs(self) -> Locator:
        """The outputs that were drawn from `text/html`."""
        return self.page.locator(".jp-Notebook .jp-OutputArea-output.jp-RenderedHTML")

    @property
    def trusted(self) -> list[bool]:
        """For each HTML output, whether JupyterLab draws it as it is, not sanitised."""
        script = "outputs => outputs.map(output => output.classList.contains('jp-mod-trusted'))"
        flags: list[bool] = self.html_outputs.evaluate_all(script)
        return flags

    @property
    def scrolls_sideways(self) -> bool:
        """Whether the whole notebook is wider than its panel."""
        wide: bool = self.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").evaluate(
            IS_WIDER
        )
        return wide

    @property
    def wide_outputs(self) -> list[int]:
        """The numbers of the outputs that have a horizontal scroll bar of their own."""
        script = f"outputs => outputs.map({IS_WIDER})"
        return [number for number, wide in enumerate(self.outputs.evaluate_all(script)) if wide]

    def screenshot(self, path: Path | str, of: Locator | None = None) -> None:
        """Takes a picture of the window, or of one element of it."""
        (of or self.page).screenshot(path=path)


class Lab:
    """Opens notebooks of a server in a browser."""

    def __init__(self, server: Server, browser: Browser) -> None:
        self._server = server
        self._context = browser.new_context()  # one, so that JupyterLab's files are read once
        self._numbers = count()

    def open(
        self,
        source: dict[str, Any] | Path | str,
        theme: Theme = "light",
        *,
        run: bool = True,
        size: tuple[int, int] = (1300, 1500),
    ) -> OpenNotebook:
        """Opens a notebook, and runs it if asked to.

        Args:
            source: the notebook, or its file; it is copied, and never changed.
            theme: JupyterLab's own.
            run: True runs all cells and waits for the end (a cell that fails stops the rest).
                False runs nothing: the outputs it came with show as in an untrusted notebook.
            size: of the window, in pixels.
        """
        name = f"{next(self._numbers)}.ipynb"
        self._server.write(name, source)
        self._server.choose(theme)
        shown = self._window(size)
        shown.page.goto(self._server.address_of(name), wait_until="domcontentloaded")
        _wait_until_drawn(shown.page, theme)
        if run:
            _run_all(shown.page)
        _note_dialogs(shown)
        return shown

    def close(self) -> None:
        """Closes every notebook, and ends their kernels: each may hold a model."""
        for page in self._context.pages:
            page.close()
        self._server.end_kernels()

    def _window(self, size: tuple[int, int]) -> OpenNotebook:
        shown = OpenNotebook(self._context.new_page())
        shown.page.set_viewport_size({"width": size[0], "height": size[1]})
        _listen(shown, self._server.address)
        return shown


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

    def address_of(self, name: str) -> str:
        """Where a notebook is shown, with no trace of the one before it."""
        return f"{self.address}lab/tree/{name}?reset&token={self._token}"

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


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Starts a headless browser, and stops it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _listen(shown: OpenNotebook, address: str) -> None:
    """Notes errors, dialogs and foreign requests as they come."""

    def on_request(request: Request) -> None:
        if not request.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            shown.foreign.append(request.url)

    shown.page.on("request", on_request)
    shown.page.on("pageerror", lambda error: shown.problems.append(f"error: {error}"))
    shown.page.on("dialog", lambda dialog: shown.problems.append(f"dialog: {dialog.message}"))
    shown.page.on("dialog", lambda dialog: dialog.dismiss())


def _wait_until_drawn(page: Page, theme: Theme) -> None:
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=RENDER_MS)
    page.wait_for_function(THEME_IS_ON, arg=theme == "light", timeout=RENDER_MS)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=RENDER_MS)
    page.evaluate(TWO_FRAMES)


def _run_all(page: Page) -> None:
    page.evaluate(RUN_ALL)
    page.wait_for_function(ALL_RAN, timeout=RUN_MS)
    page.evaluate(TWO_FRAMES)


def _note_dialogs(shown: OpenNotebook) -> None:
    for dialog in shown.page.locator(".jp-Dialog").all():
        shown.problems.append(f"JupyterLab asks: {dialog.inner_text()}")
        shown.page.keyboard.press("Escape")
