"""Code: which steps are meant, and their script or notebook."""

from __future__ import annotations

from collections.abc import Callable

from hf_magics.display.markdown import markdown
from hf_magics.display.numbers import plural
from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import InputError, OptionError, SessionNameError
from hf_magics.export.pages import CodeResult
from hf_magics.export.reasons import explained
from hf_magics.export.sections import Section, head, sections_of, whole
from hf_magics.export.titles import title
from hf_magics.export.writing import notebook, write
from hf_magics.modeling.steps import Step
from hf_magics.modeling.store import Session
from hf_magics.snippets import arranged, body
from hf_magics.specs import CodeSpec


def show_code(spec: CodeSpec, session: Session) -> CodeResult:
    """Return the plain code of the last step, of all with a model, or of the session.

    Raises:
        InputError: Nothing was done yet.
        SessionNameError: No step was done with a model of that name.
        OptionError: A name and all are asked for.
        SaveError: The file is there already, or can't be written.
    """
    steps = _chosen(spec, session)
    sections = sections_of(steps)
    told = explained if spec.explain else _as_it_is
    headings = [title(one.spec) for one in sections] if len(sections) > 1 else []
    code = told(whole(sections, headings) if len(steps) > 1 else steps[0].code)
    if spec.to:
        write(spec.to, code, suffix=".py", overwrite=spec.overwrite)
    if spec.notebook:
        cells = _cells(sections, told)
        write(spec.notebook, notebook(cells), suffix=".ipynb", overwrite=spec.overwrite)
    paths = " and ".join(filter(None, (spec.to, spec.notebook)))
    main = told(_main(steps[0])) if len(steps) == 1 else ""
    heading = title(steps[0].spec) if len(steps) == 1 else _heading(spec, len(sections))
    lost = session.forgotten if len(steps) > 1 else 0
    return CodeResult(code, heading, main=main, path=paths, lost=lost)


def _as_it_is(code: str) -> str:
    return code


def _heading(spec: CodeSpec, count: int) -> str:
    return f"{spec.name or 'The session'} in {plural(count, 'step')}"


def _chosen(spec: CodeSpec, session: Session) -> list[Step]:
    steps = [one for one in session.steps if _has_code(one)]
    if spec.name and spec.everything:
        raise OptionError("a name takes what was done with that model, --all the whole session")
    if not steps:
        raise InputError(
            "nothing was done yet: %hf_load SOURCE loads a model, and %hf_code then writes how"
        )
    if spec.everything:
        return steps
    return _with(spec.name, steps, session) if spec.name else steps[-1:]


def _has_code(step: Step) -> bool:
    return any(one.snippet.lines or one.owner is not None for one in step.pieces)


def _with(name: str, steps: list[Step], session: Session) -> list[Step]:
    """Return the steps with a model: the one of that name now, else the last that had it."""
    owners = [one.owner for step in steps for one in step.pieces if one.owner is not None]
    numbers = [one.number for one in owners if one.name == name]
    number = session[name].number if name in session else max(numbers, default=0)
    found = [step for step in steps if number in step.numbers]
    if not found:
        known = list(dict.fromkeys(one.name for one in owners))
        raise SessionNameError(
            f"nothing was done with a model named '{name}'{nearest(name, known)}; there are: "
            f"{sentence_list(known)}"
        )
    return found


def _main(step: Step) -> str:
    """Return what a step did itself, without what made its models; of a load that is all."""
    own = [body(one.snippet) for one in step.pieces]
    return arranged(*own) if any(own) else ""


def _cells(sections: list[Section], told: Callable[[str], str]) -> list[tuple[str, str]]:
    first = head(sections)
    cells = [("", first)] if first else []
    for number, one in enumerate(sections, 1):
        cells.append((f"## {number}. {markdown(title(one.spec))}", told(arranged(*one.blocks))))
    return cells
