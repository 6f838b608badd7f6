"""A tree in lines of one width: how far each is indented, and how few of them are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hf_magics.display.columns import broadest
from hf_magics.display.parts import Branch, Table, Tree
from hf_magics.display.visible import visible

INDENT = 2  # characters a level
_GAP = 2
_PARTING = "\u00a0"  # where styles are stripped spaces fall together: these keep cells apart
_WIDEST = 160  # characters: a cell that is longer moves its own line, and fills up no other


def flat(branches: Sequence[Branch], level: int = 0) -> Iterator[tuple[int, Branch]]:
    """Each line with its level, from the top down."""
    for branch in branches:
        yield level, branch
        yield from flat(branch.below, level + 1)


def as_table(tree: Tree, width: int) -> Table:
    """The same in a table: its first cells indented, without what has no room in ``width``."""
    tree = _fitting(tree, width)
    rows = tuple(
        (" " * (INDENT * level) + branch.cells[0], *branch.cells[1:])
        for level, branch in flat(tree.branches)
    )
    return Table(tree.columns, rows, tree.caption, tree.left_out)


def _fitting(tree: Tree, width: int) -> Tree:
    dropped: list[str] = []
    for name in tree.spare:
        wide = widths(tree)
        if sum(wide) + _GAP * (len(wide) - 1) <= width:
            break
        tree = _without(tree, [column.name for column in tree.columns].index(name))
        dropped.append(name)
    said = f"{', '.join(dropped)}: no room, .df has them" if dropped else ""
    return replace(tree, left_out="; ".join(filter(None, (tree.left_out, said))))


def _without(tree: Tree, at: int) -> Tree:
    def less(one: Branch) -> Branch:
        cells = one.cells[:at] + one.cells[at + 1 :]
        return replace(one, cells=cells, below=tuple(map(less, one.below)))

    columns = tree.columns[:at] + tree.columns[at + 1 :]
    return replace(tree, columns=columns, branches=tuple(map(less, tree.branches)))


def widths(tree: Tree) -> tuple[int, ...]:
    """The characters of each column, the first one's with its indentation; of a long cell some."""
    found = [broadest(visible(column.name)) for column in tree.columns]
    for level, branch in flat(tree.branches):
        for at, cell in enumerate(branch.cells):
            indented = INDENT * level if not at else 0
            found[at] = max(found[at], indented + broadest(visible(cell)))
    return tuple(min(one, _WIDEST) for one in found)


def line(tree: Tree, cells: Sequence[str], level: int, wide: Sequence[int]) -> str:
    """One line, each cell filled up to its column; without the indentation of its level."""
    filled = []
    for at, (column, cell) in enumerate(zip(tree.columns, cells, strict=True)):
        room = wide[at] - (INDENT * level if not at else 0) - broadest(visible(cell))
        space = " " * max(0, room)
        filled.append(space + cell if column.align == "right" else cell + space)
    return (_PARTING * _GAP).join(filled).rstrip()


def kept(tree: Tree, most: int) -> tuple[Tree, int]:
    """The tree with at most so many lines, the deepest left out first; and how many were."""
    lines = list(flat(tree.branches))
    if len(lines) <= most:
        return tree, 0
    depth = max(level for level, _ in lines)
    while depth and sum(level <= depth for level, _ in lines) > most:
        depth -= 1
    branches = _down_to(tree.branches, depth)
    branches = branches[:most] if not depth else branches
    return replace(tree, branches=branches), len(lines) - sum(1 for _ in flat(branches))


def _down_to(branches: tuple[Branch, ...], depth: int) -> tuple[Branch, ...]:
    if depth < 0:
        return ()
    return tuple(replace(one, below=_down_to(one.below, depth - 1)) for one in branches)
