"""Steps of a session as the sections of one script: each model made once, each name its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from hf_magics.export.renaming import defined, renamed
from hf_magics.modeling.steps import Owner, Step
from hf_magics.snippets import Given, Snippet, arranged, body, imported, needed
from hf_magics.specs import SaveSpec

_LOADED_BESIDE = re.compile(r"(tokenizer|processor) = \w+\.from_pretrained\(")


_COMPANIONS = ("model = ", "tokenizer = ", "processor = ")


@dataclass(frozen=True)
class Section:
    """What a step adds to a script: its own code, with what is imported and filled in for it."""

    spec: Any
    imports: tuple[str, ...]
    given: tuple[str, ...]
    blocks: tuple[str, ...]


def sections_of(steps: Iterable[Step]) -> list[Section]:
    """Return the sections of a script that does the steps in order.

    A model is made once, where it is first needed, and moved where it was moved. A step that was
    repeated stands where it was done last. Where models alternate, or one of several is filled in
    above the code, ``model`` and the other names of each get the name of the model in front.
    """
    chosen = _without_repeats(list(steps))
    named = _names(chosen) if _alternate(chosen) or _filled_in(chosen) else {}
    writer = _Writer(named, _overwritten(chosen))
    made = (writer.section(step) for step in chosen)
    return [one for one in made if one.blocks]


def whole(sections: Sequence[Section], headings: Sequence[str] = ()) -> str:
    """Return the sections as one script, each under its heading where there are several."""
    blocks = [head(sections)]
    for number, one in enumerate(sections):
        first, *rest = one.blocks
        heading = f"# {headings[number]}\n" if headings else ""
        blocks += [f"{heading}{first}", *rest]
    return arranged(*blocks)


def head(sections: Sequence[Section]) -> str:
    """Return what stands above all sections: the imports, and what is to be filled in."""
    imports = imported(line for one in sections for line in one.imports)
    above = "\n".join(dict.fromkeys(line for one in sections for line in one.given))
    return "\n\n".join(filter(None, (imports, above)))


def _without_repeats(steps: list[Step]) -> list[Step]:
    """Leave out what is done again later. Saving is not: the files may have changed between."""
    done = [(step.code, _contents(step)) for step in steps]
    last = {one: at for at, one in enumerate(done)}
    return [
        step
        for at, step in enumerate(steps)
        if last[done[at]] == at or isinstance(step.spec, SaveSpec)
    ]


def _contents(step: Step) -> tuple[int, ...]:
    """Return hashes of what is filled in: the same code may have run on something else."""
    lines = (line for piece in step.pieces for line in piece.snippet.lines)
    return tuple(line.content for line in lines if isinstance(line, Given))


def _owners(steps: Iterable[Step]) -> Iterator[Owner]:
    return (one.owner for step in steps for one in step.pieces if one.owner is not None)


def _alternate(steps: Iterable[Step]) -> bool:
    """Say whether a model is used after another one was made."""
    in_turn: list[int] = []
    for owner in _owners(steps):
        if not in_turn or in_turn[-1] != owner.number:
            in_turn.append(owner.number)
    return len(set(in_turn)) < len(in_turn)


def _filled_in(steps: Iterable[Step]) -> bool:
    """Say whether one of several models is filled in, which the code of another would overwrite."""
    made = {owner.number: owner.snippet.lines for owner in _owners(steps)}
    return len(made) > 1 and any(isinstance(one, Given) for some in made.values() for one in some)


def _overwritten(steps: Sequence[Step]) -> set[str]:
    """Return the names that code of several steps gives to something, lest one be filled in."""
    if len(steps) == 1:
        return set()
    made = [piece.snippet for step in steps for piece in step.pieces]
    made += [owner.snippet for owner in _owners(steps)]
    return {name for one in made for name in defined(body(one))}


def _names(steps: Iterable[Step]) -> dict[int, str]:
    """Return a Python name for each model by its number: two of one name are told apart."""
    found: dict[int, str] = {}
    for owner in _owners(steps):
        if owner.number in found:
            continue
        base = re.sub(r"\W+", "_", owner.name).strip("_").lower()
        taken = sum(name == base or name.startswith(f"{base}_again") for name in found.values())
        found[owner.number] = f"{base}_again{taken if taken > 1 else ''}" if taken else base
    return found


@dataclass
class _Writer:
    """Writes section after section, and knows what stands in the script already."""

    names: dict[int, str]
    overwritten: set[str]
    _filled: dict[tuple[str, int], str] = field(default_factory=dict)  # what is given, its name
    _written: dict[int, Counter[str]] = field(default_factory=dict)
    _renames: dict[int, dict[str, str]] = field(default_factory=dict)
    _beside: dict[str, str] = field(default_factory=dict)  # a line, and the name that it gave
    _holds: dict[str, str] = field(default_factory=dict)  # a name, and the line that gave it

    def section(self, step: Step) -> Section:
        """Return what a step adds."""
        imports: list[str] = []
        given: list[str] = []
        blocks: list[str] = []
        for piece in step.pieces:
            snippets = [self._filled_in(piece.snippet)]
            if piece.owner is not None:
                snippets.insert(0, self._fresh(piece.owner))
            renames = self._renames.get(piece.owner.number, {}) if piece.owner else {}
            for one in snippets:
                imports += needed(one) if one.lines else ()
                given += [renamed(line, renames) for line in one.lines if isinstance(line, Given)]
                blocks.append(renamed(body(one), renames))
        return Section(step.spec, tuple(imports), tuple(given), tuple(filter(None, blocks)))

    def _filled_in(self, snippet: Snippet) -> Snippet:
        """Return a snippet that finds what it is given, also where its name is another's too."""
        lines: list[str] = []
        for line in snippet.lines:
            if not isinstance(line, Given):
                lines.append(line)
                continue
            made = self._called(line)
            lines.append(made)
            if made.name != line.name:
                lines.append(f"{line.name} = {made.name}")
        return Snippet(snippet.imports, tuple(lines))

    def _called(self, line: Given) -> Given:
        """Return the line under a name that nothing else in the script has."""
        key = (str(line), line.content)
        if key not in self._filled:
            choices = chain([line.name], (f"given_{line.name}{n}" for n in chain([""], count(2))))
            taken = {*self.overwritten, *self._filled.values()}
            self._filled[key] = next(one for one in choices if one not in taken)
        name = self._filled[key]
        return line if name == line.name else line.called(name)

    def _fresh(self, owner: Owner) -> Snippet:
        """Return what of a model's code does not stand in the script yet."""
        written = self._written.setdefault(owner.number, Counter())
        new: list[str] = []
        counted: Counter[str] = Counter()
        for line in owner.snippet.lines:
            counted[line] += 1
            if counted[line] > written[line]:
                new.append(line)
        written |= counted
        self._name(owner)
        kept = tuple(line for line in new if not self._stands(owner, line))
        return Snippet(_used(owner.snippet.imports, kept), kept)

    def _name(self, owner: Owner) -> None:
        """Give each name of a model's code the model's own name in front, once.

        The notebook's own name of what is filled in stays as it is.
        """
        renames = self._renames.setdefault(owner.number, {})
        lines = [
            line
            for line in owner.snippet.lines
            if not isinstance(line, Given) or line.startswith(_COMPANIONS)
        ]
        if owner.number in self.names:
            base = self.names[owner.number]
            for name in defined("\n".join(lines)):
                renames.setdefault(name, f"{base}_{name}")

    def _stands(self, owner: Owner, line: str) -> bool:
        """Say whether another model's tokenizer or processor is the same; its name is used then."""
        found = _LOADED_BESIDE.match(line)
        if not found:
            return False
        name, renames = found[1], self._renames[owner.number]
        if self.names:
            if line in self._beside:
                renames[name] = self._beside[line]
                return True
            self._beside[line] = renames[name]
            return False
        stands = self._holds.get(name) == line
        self._holds[name] = line
        return stands


def _used(imports: tuple[str, ...], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the imports whose names the lines use."""
    code = "\n".join(lines)
    return tuple(
        one for one in imports if re.search(rf"\b{re.escape(one.rsplit(' ', 1)[-1])}\b", code)
    )
