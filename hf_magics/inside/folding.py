"""Modules as a tree, in which blocks that repeat stand once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hf_magics.inside.modules import ModuleRow

Signature = tuple[object, ...]


@dataclass(frozen=True)
class Node:
    """A module of the tree, or several with the same inside.

    ``rows`` are the modules that stand at this place, one in each of the blocks that are folded
    around it; ``count`` is how many neighbours are folded into this node itself.
    """

    rows: tuple[ModuleRow, ...]
    below: tuple[Node, ...] = ()
    count: int = 1

    @property
    def places(self) -> int:
        """How many times the node itself stands in the model."""
        return len(self.rows) // self.count

    @property
    def first(self) -> ModuleRow:
        """The first of its modules."""
        return self.rows[0]


def tree_of(rows: Sequence[ModuleRow]) -> Node:
    """Return the model with all below it; neighbours in a list that are the same are folded."""
    below: dict[str, list[ModuleRow]] = {}
    for row in rows[1:]:
        below.setdefault(row.path.rpartition(".")[0], []).append(row)
    return _folded(_node(rows[0], below))[0]


def cut(node: Node, depth: int) -> Node:
    """Return the node without what lies more than ``depth`` levels below it."""
    below = tuple(cut(one, depth - 1) for one in node.below) if depth else ()
    return replace(node, below=below)


def walk(node: Node) -> Iterator[Node]:
    """Give the node and all below it, from the top down."""
    yield node
    for one in node.below:
        yield from walk(one)


def _node(row: ModuleRow, below: dict[str, list[ModuleRow]]) -> Node:
    return Node((row,), tuple(_node(one, below) for one in below.get(row.path, ())))


def _folded(node: Node) -> tuple[Node, Signature]:
    pairs = [_folded(one) for one in node.below]
    below = tuple(_merged(same) for same in _alike(node, pairs))
    signature = (_own(node.first), *(found for _, found in pairs))
    return replace(node, below=below), signature


def _alike(node: Node, pairs: Sequence[tuple[Node, Signature]]) -> list[list[Node]]:
    """Return what is below in groups that are the same inside; what has a name stands alone.

    Of a list of layers those that alternate with others are one group too; of a sequence, whose
    order says what is computed, only neighbours are.
    """
    groups: dict[object, list[Node]] = {}
    last: Signature | None = None
    for at, (one, signature) in enumerate(pairs):
        key: object = signature
        if not one.first.name.isdigit() or (node.first.kind != "ModuleList" and signature != last):
            groups = {id(group): group for group in groups.values()}  # no later one joins them
            key = at if not one.first.name.isdigit() else signature
        groups.setdefault(key, []).append(one)
        last = signature
    return list(groups.values())


def _own(row: ModuleRow) -> Signature:
    """Return what makes two modules the same in a tree; the numbers of a list do not."""
    name = "" if row.name.isdigit() else row.name
    weights = tuple(replace(one, tied_to="") for one in row.weights)
    # what is below may be left out: the number of parameters says whether it is the same
    return (name, row.kind, row.says, row.verdict, weights, row.tied, row.parameters)


def _merged(nodes: list[Node]) -> Node:
    """Return one node for nodes with the same inside."""
    if len(nodes) == 1:
        return nodes[0]
    return replace(_across(nodes), count=len(nodes))


def _across(nodes: Sequence[Node]) -> Node:
    rows = tuple(row for one in nodes for row in one.rows)
    below = tuple(_across(ones) for ones in zip(*(one.below for one in nodes), strict=True))
    return replace(nodes[0], rows=rows, below=below)
