"""Notebooks in a headless Chromium: opens them in the JupyterLab and says what is on the screen.

`Lab` opens notebooks of a server in a browser; `OpenNotebook` is one of them on the screen.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, Locator, Page, Request, sync_playwright

from .server import KERNEL, App, Server, Theme

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        app: App = "lab",
        run: bool = True,
        size: tuple[int, int] = (1300, 1500),
    ) -> OpenNotebook:
        """Opens a notebook, and runs it if asked to.

        Args:
            source: the notebook, or its file; it is copied, and never changed.
            theme: JupyterLab's own, which Notebook 7 has too.
            app: which of the two shows it.
            run: True runs all cells and waits for the end (a cell that fails stops the rest).
                False runs nothing: the outputs it came with show as in an untrusted notebook.
            size: of the window, in pixels.
        """
        name = f"{next(self._numbers)}.ipynb"
        self._server.write(name, source)
        self._server.choose(theme)
        shown = self._window(size, app)
        shown.page.goto(self._server.address_of(name, app), wait_until="domcontentloaded")
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

    def _window(self, size: tuple[int, int], app: App) -> OpenNotebook:
        shown = OpenNotebook(self._context.new_page())
        shown.page.set_viewport_size({"width": size[0], "height": size[1]})
        _listen(shown, self._server.address, app)
        return shown


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Starts a headless browser, and stops it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _listen(shown: OpenNotebook, address: str, app: App) -> None:
    """Notes errors, dialogs and foreign requests as they come."""

    def on_request(request: Request) -> None:
        if not request.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            shown.foreign.append(request.url)

    shown.page.on("request", on_request)
    if app == "lab":  # scripts of Notebook 7 fail as it starts, also for a notebook without a cell
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
