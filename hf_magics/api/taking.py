"""The verbs that take the work home: its plain code, and the reasons for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_magics.interrupts import orderly_interrupts
from hf_magics.modeling.store import session

if TYPE_CHECKING:
    from hf_magics.export.pages import CodeResult


@orderly_interrupts()
def code(
    name: str = "", *, all: bool = False, to: str = "", notebook: str = "", overwrite: bool = False
) -> CodeResult:
    """Return what was done as plain transformers code, which runs without this package.

    Args:
        name: A model: how it came to be, and all that was done with it. The last step alone where
            there is none.
        all: The whole session in order, each model made once.
        to: A ``.py`` file to write the script to.
        notebook: An ``.ipynb`` file to write it to as cells, each under a text that says what it
            does.
        overwrite: Replace a file that is there.

    Raises:
        HFMagicsError: Nothing was done yet, or not with a model of that name; or a file is there
            already or can't be written.
    """
    return _shown(name, all, to, notebook, overwrite=overwrite, explain=False)


@orderly_interrupts()
def explain(
    name: str = "", *, all: bool = False, to: str = "", notebook: str = "", overwrite: bool = False
) -> CodeResult:
    """Return the code of `code` with a comment above each kind of step that says why it is there.

    Args:
        name: A model: how it came to be, and all that was done with it. The last step alone where
            there is none.
        all: The whole session in order, each model made once.
        to: A ``.py`` file to write the script to.
        notebook: An ``.ipynb`` file to write it to as cells, each under a text that says what it
            does.
        overwrite: Replace a file that is there.

    Raises:
        HFMagicsError: As `code`.
    """
    return _shown(name, all, to, notebook, overwrite=overwrite, explain=True)


def _shown(
    name: str, everything: bool, to: str, notebook: str, *, overwrite: bool, explain: bool
) -> CodeResult:
    from hf_magics.export import code as exporting
    from hf_magics.specs import CodeSpec

    spec = CodeSpec(name, everything, str(to), str(notebook), overwrite, explain)
    return exporting.show_code(spec, session)
