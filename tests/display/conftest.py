"""A page with every part in it, and a reader of HTML."""

import math
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from hf_magics.display.parts import (
    Branch,
    Code,
    Column,
    Fold,
    Heat,
    Marked,
    Note,
    Page,
    Span,
    Table,
    Text,
    Tree,
    facts,
)


class Reader(HTMLParser):
    """What a browser makes of a page: its elements, each with all the text in it."""

    EMPTY = ("br", "img")

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):  # noqa: D102 - called by the parser, as the next two
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in self.EMPTY:
            self._open.append(element)

    def handle_endtag(self, tag):  # noqa: D102
        assert self._open.pop().tag == tag

    def handle_data(self, data):  # noqa: D102
        for element in self._open:
            element.text += data

    def texts(self, *tags: str) -> list[str]:
        """The text of every element of these tags, in order."""
        return [element.text for element in self.elements if element.tag in tags]


@dataclass
class Element:
    """One element of a page; ``text`` is all the text inside it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = field(default="")


@pytest.fixture
def read():
    return Reader


@pytest.fixture
def every_part() -> Page:
    picture = Heat(((-1.0, 0.0, 0.5), (1.0, math.nan, -0.25)), -1.0, 1.0, "first values")
    tensors = Table(
        (
            Column("tensor", mono=True),
            Column("shape", "right"),
            Column("mean", "right"),
            Column("values"),
        ),
        (
            ("last_hidden_state", "3 × 4 × 384", "-0.0012", picture),
            ("pooler_output", "3 × 384", "12.5000", picture),
        ),
        caption="Outputs",
        left_out="12 more tensors; --capture '*' shows them",
    )
    tokens = Table(
        (Column("position", "right"), Column("token", mono=True), Column("id", "right")),
        (
            ("0", "[CLS]", "101"),
            ("1", " leading", "007"),
            ("2", "日本", "1e5"),
            ("3", "a\tb\u202e", ""),
            ("4", Marked("ab", (Span(0, 1, "x"),)), "5"),
            ("5", Code("x = 1"), "6"),
        ),
    )
    return Page(
        "bert · 2 texts <b>",
        (
            facts({"model": "BertModel", "device": "", "source": "/a/b & c"}, "The model"),
            Text("A paragraph with $5 and $6,\nand a second line."),
            tensors,
            tokens,
            Marked("Hello!\n  Cool\x1b.", (Span(0, 5, "7592"), Span(5, 6, "999"), Span(7, 13))),
            Heat(((0.0, 0.5), (0.75, 1.0)), 0.0, 1.0, "Attention of head 3"),
            Tree(
                (Column("module"), Column("class"), Column("parameters", "right")),
                (
                    Branch(
                        ("bert", "BertModel", "1,234"),
                        (Branch(("pooler", "BertPooler", "34"), details="weight: 4 × 4"),),
                    ),
                ),
                "The modules",
                "7 more lines",
            ),
            Note("Inside the page.", "info"),
            Fold("The plain code", (Code("\nfor x in y:\n    print(x < 1)", "python"),)),
        ),
        (Note("The text was cut at 512 tokens."), Note("All is well.", "info")),
    )
