"""What %hf_code shows: the lines that matter first, the whole script to copy folded below."""

from __future__ import annotations

from hf_magics.display.numbers import plural
from hf_magics.display.parts import Code, Fold, Note, Page, Part
from hf_magics.display.shown import Shown
from hf_magics.display.visible import visible

_LONG = 60  # lines: more of them are read in the file that they were written to
_MOST = 32_768  # characters: a longer one is cut as any page is, and .code has it whole


class CodeResult(Shown):
    """A script: ``.code``, which is also what ``print`` and a terminal show, and ``.path``."""

    def __init__(
        self, code: str, title: str, *, main: str = "", path: str = "", lost: int = 0
    ) -> None:
        """Show a script.

        Args:
            code: The whole script.
            title: What it does.
            main: The part of it that is what was asked for; the whole where it is empty.
            path: The file that it was written to, ``""`` where none was.
            lost: How many steps of the session are not kept any more.
        """
        self.code = code
        self.path = path
        self._title = title
        self._main = main
        self._lost = lost

    def page(self) -> Page:
        """The code, and where it was written."""
        count = plural(len(self.code.splitlines()), "line")
        parts: tuple[Part, ...] = (Code(self.code.rstrip("\n"), "python"),)
        if self._main and self._main != self.code:
            whole = Fold(f"The whole script, {count} with imports and the model", parts)
            parts = (Code(self._main.rstrip("\n"), "python"), whole)
        elif self.path and self.code.count("\n") > _LONG:
            parts = (Fold(f"The script, {count}", parts),)
        said = [Note(f"written to {self.path}", "info")] if self.path else []
        if self._lost:
            are = "is" if self._lost == 1 else "are"
            steps = plural(self._lost, "step")
            said.append(Note(f"the first {steps} of the session {are} forgotten"))
        return Page(self._title, parts, tuple(said))

    def __repr__(self) -> str:
        """The script, what it is in comments above it: a terminal's page can be copied and run."""
        page = self.page()
        said = "".join(f"# {one}\n" for one in (page.title, *(note.text for note in page.notes)))
        code = visible(said + self.code.rstrip("\n"), keep_newlines=True)
        return code if len(code) <= _MOST else super().__repr__()

    def __str__(self) -> str:
        """The script."""
        return self.code
