"""HTML: escaped, within its budget, and made only of what a sanitiser keeps."""

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from hf_magics.display import html, text
from hf_magics.display.parts import (
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
    facts,
)
from hf_magics.display.visible import visible
from tests.display.conftest import Reader

BUDGET = 65_536
ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;&amp; {x} %s `"
ANY_TEXT = st.text(st.characters(exclude_categories=()))

# what JupyterLab's sanitiser leaves in an untrusted notebook, as far as it is used here
TAGS = {
    *("div", "p", "pre", "strong", "span", "br", "img", "samp", "details", "summary"),
    *("ul", "li"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"class", "title", "style", "scope", "src", "alt", "cellpadding", "open"}
STYLES = {
    *("background", "border", "border-collapse", "border-left", "color", "cursor", "display"),
    *("font-family", "font-style"),
    *(
        "font-weight",
        "font-size",
        "margin",
        "opacity",
        "overflow",
        "overflow-wrap",
        "overflow-x",
        "padding",
    ),
    *("text-align", "vertical-align", "white-space", "word-break"),
}


def size(page: Page) -> int:
    return len(html.render(page).encode())


def attacked(attack: str) -> Page:
    marked = Marked(attack, (Span(0, 5, attack),))
    heat = Heat(((1.0,),), 0.0, 1.0, attack)
    cells = (attack, marked, heat, Code(attack, attack))
    table = Table(
        tuple(Column(attack, mono=m) for m in (True, False, True, False)), (cells,), attack, attack
    )
    parts = (Text(attack), marked, heat, Code(attack, attack), table)
    return Page(attack, (*parts, Fold(attack, parts)), (Note(attack), Note(attack, "info")))


def test_golden(every_part, golden):
    """A page with every part looks as it did; pictures may differ with the PNG library."""
    drawn = re.sub(r"(base64,)[^\"]+", r"\1…", html.render(every_part))
    golden("every_part.html", drawn.replace("><", ">\n<") + "\n")


def test_a_tree_is_one_without_styles(read, every_part):
    """A list in a list indents its lines, and no space that falls together parts their cells."""
    drawn = html.render(every_part)
    lines = read(drawn).texts("summary")
    assert [line.split() for line in lines[:2]] == [
        ["bert", "BertModel", "1,234"],
        ["pooler", "BertPooler", "34"],
    ]
    assert all(len(re.findall("\u00a0{2}", line)) == 2 for line in lines[:2])
    assert re.search("bert.*</summary><ul[^>]*><li[^>]*><details.*pooler", drawn)


def test_only_what_survives(every_part, read):
    """Every tag, attribute and style is one that a sanitiser keeps; text has a colour in code alone."""
    for element in read(html.render(every_part)).elements:
        assert element.tag in TAGS
        assert set(element.attributes) <= ATTRIBUTES
        for rule in filter(None, element.attributes.get("style", "").split(";")):
            assert rule.split(":")[0] in STYLES


def test_tints_are_translucent(every_part):
    """Colours are rgba with commas, which both themes and the sanitiser stand."""
    drawn = html.render(every_part)
    colours = re.findall(r"(?:background|solid)[: ]([^;\"]+)", drawn)
    assert colours
    assert all(re.fullmatch(r"rgba\(\d+,\d+,\d+,\.\d+\)", colour) for colour in colours)


def test_root(every_part):
    """The root keeps dollar signs from becoming formulas."""
    assert html.render(every_part).startswith(
        '<div class="hf-magics tex2jax_ignore mathjax_ignore">'
    )


def test_markup_is_text(read):
    """Markup in any string of any part is shown, in text and in attributes, and never run."""
    page = read(html.render(attacked(ATTACK)))
    assert {element.tag for element in page.elements} <= TAGS
    assert all(set(element.attributes) <= ATTRIBUTES for element in page.elements)
    assert page.elements[0].text.count(ATTACK) == 30
    titles = [e.attributes["title"] for e in page.elements if "title" in e.attributes]
    assert titles == [ATTACK] * 8
    assert all(
        e.attributes["src"].startswith("data:image/png;base64,")
        for e in page.elements
        if e.tag == "img"
    )


def test_markup_objects_are_text(read):
    """A string that claims to be safe is escaped all the same: there is no raw HTML."""
    page = read(html.render(Page(Markup("<script>"), (Text(Markup("<img src=x>")),))))
    assert page.texts("p") == ["<script>", "<img src=x>"]


@given(ANY_TEXT, st.lists(st.integers(0, 40), max_size=12))
def test_marked_reads_back(content, edges):
    """The text of a marked text, read from the page, is the visible text to the letter."""
    edges = sorted(edge for edge in edges if edge <= len(content))
    spans = tuple(Span(*edge, "label") for edge in zip(edges[::2], edges[1::2], strict=False))
    page = Page("", (Marked(content, spans), Table((Column("a"),), ((Marked(content, spans),),))))
    reader = Reader(html.render(page))
    shown = visible(content, keep_newlines=True)
    pre, samp = reader.texts("pre", "samp")
    assert pre == ("\n" + shown if shown.startswith("\n") else shown)  # a browser drops the first
    assert samp == shown


@given(ANY_TEXT)
def test_text_reads_back(content):
    """Any string comes back from an HTML parser as it is shown, from text and attributes."""
    page = Page(
        content, (facts({"x": content}), Marked("a", (Span(0, 1, content),))), (Note(content),)
    )
    reader = Reader(html.render(page))
    shown = visible(content)
    assert reader.texts("td") == ([shown] if content else [])
    assert reader.texts("p") == [*([shown] if content else []), f"Warning: {shown}"]
    span = next(element for element in reader.elements if element.tag == "span")
    assert span.attributes.get("title", "") == shown


def test_code_keeps_its_first_blank_line(read):
    """A line break at the start of code is doubled, for parsers drop the first."""
    assert read(html.render(Page("", (Code("\nx"),)))).texts("pre") == ["\n\nx"]


def test_words_are_broken_at_spaces(read):
    """In code and marked text a notebook's own style may not break a number in two."""
    page = read(html.render(Page("", (Code("[101, 7592]"), Marked("a b", ())))))
    styles = [e.attributes["style"] for e in page.elements if e.tag == "pre"]
    assert len(styles) == 2
    assert all("word-break:normal;overflow-wrap:break-word" in style for style in styles)


def test_notes_come_first(every_part, read):
    """Notes stand after the title, before the parts, and say in a word what they are."""
    words = read(html.render(every_part)).texts("strong")
    assert words[:3] == ["bert · 2 texts <b>", "Warning:", "Note:"]
    assert words[-1] == "Note:"


def test_table_says_what_it_is(every_part, read):
    """A table has a caption, heads its columns and rows, and states every alignment."""
    page = read(html.render(every_part))
    assert page.texts("caption") == ["The model", "Outputs"]
    heads = [element for element in page.elements if element.tag == "th"]
    assert {head.attributes["scope"] for head in heads} == {"row", "col"}
    cells = [element for element in page.elements if element.tag in {"th", "td"}]
    assert all("text-align:" in cell.attributes["style"] for cell in cells)
    assert len(page.texts("thead")) == 2  # a list of facts has no heading


def test_long_row_heads_are_not_bold(read):
    """A name at the head of a row is bold; a whole text there is not."""
    page = read(html.render(Page("", (facts({"name": "1", "word " * 20: "2"}),))))
    light = ["font-weight:normal" in e.attributes["style"] for e in page.elements if e.tag == "th"]
    assert light == [False, True]


def test_spaces_of_a_token_are_kept(read):
    """A cell with spaces that count keeps them; a plain one pays no bytes for that."""
    cells = (" a", "b ", "c  d", "e f", "g")
    page = read(html.render(Page("", (Table((Column(""),), tuple((c,) for c in cells)),))))
    kept = ["pre-wrap" in e.attributes["style"] for e in page.elements if e.tag == "th"]
    assert kept == [True, True, True, False, False]


def test_same_cells_as_text(every_part, read):
    """Every cell of every table reads the same in HTML and in text."""
    drawn = " ".join(text.render(every_part, 160).split())
    for cell in read(html.render(every_part)).texts("td", "th", "caption", "summary"):
        if cell != "ab":  # marks are tints here and brackets there
            assert " ".join(cell.split()) in drawn
    assert "[a]b" in drawn


def test_columns_and_cells_must_match():
    """A row that doesn't fit its headings is an error, not a cell that disappears."""
    page = Page("", (Table((Column("a"), Column("b")), (("1",),)),))
    with pytest.raises(ValueError, match="zip"):
        html.render(page)
    with pytest.raises(IndexError):
        text.render(page)


def test_many_rows():
    """A table of 10,000 × 8 fits the budget, uses much of it, and says how many rows it lacks."""
    columns = tuple(Column(f"column {at}", "right") for at in range(8))
    rows = tuple(tuple(f"{at}.{cell}" for cell in range(8)) for at in range(10_000))
    page = Page("x", (Table(columns, rows, left_out="--rows shows more"),))
    drawn = html.render(page)
    assert BUDGET / 3 < len(drawn.encode()) <= BUDGET
    shown = drawn.count("<tr>") - 1
    assert f"{10_000 - shown:,} more rows are not shown; --rows shows more" in drawn


@pytest.mark.parametrize(
    "part",
    [
        Text("long " * 200_000),
        Code("x" * 1_000_000),
        Marked("é" * 1_000_000, (Span(0, 900_000, "z" * 100_000),)),
        Marked("ab" * 20_000, tuple(Span(at, at + 1, "1") for at in range(40_000))),
        Note("<" * 1_000_000),
        facts({"x": "\x00" * 1_000_000}),
        Fold("s" * 1_000_000, (Text("t" * 1_000_000),)),
        Table(tuple(Column(str(at)) for at in range(5_000)), (("1",) * 5_000,)),
        Table((Column("c" * 1_000_000),), (("1",),), "t" * 1_000_000, "l" * 1_000_000),
    ],
    ids=lambda part: type(part).__name__,
)
def test_huge_parts(part):
    """Whatever is huge is cut to the budget, and what was cut is counted."""
    drawn = html.render(Page("x", (part,)))
    assert len(drawn.encode()) <= BUDGET
    assert re.search(r"\d more (character|column)s", drawn)


def test_huge_pages():
    """Many parts, notes, pictures and long cells at once are cut to the budget too."""
    noise = random.Random(0)
    heat = Heat(tuple(tuple(noise.random() for _ in range(50)) for _ in range(50)), 0.0, 1.0, "")
    table = Table((Column("a"), Column("b")), (("x" * 5_000, heat),) * 20)
    drawn = html.render(
        Page("t" * 10_000, (table,) * 9 + (Text("y" * 9_999),) * 300, (Note("n" * 999),) * 300)
    )
    assert len(drawn.encode()) <= BUDGET
    assert "more parts not shown" in drawn
    assert "more notes not shown" in drawn


def test_long_cells_are_cut(read):
    """A cell of over 2,000 characters is cut and says by how much, whatever the budget."""
    assert read(html.render(Page("", (facts({"x": "y" * 14_345}),)))).texts("td") == [
        "y" * 2_000 + "… 12,345 more characters"
    ]


def test_usual_page_is_small_and_fast(every_part):
    """A usual page is under 16 KiB and drawn in some milliseconds (generous: machines differ)."""
    assert size(every_part) < 16_384
    start = time.perf_counter()
    for _ in range(10):
        html.render(every_part)
    assert (time.perf_counter() - start) / 10 < 0.05


def test_empty_table(read):
    """A table without rows keeps its headings and says that it has none."""
    page = read(html.render(Page("", (Table((Column("a"),), ()),))))
    assert page.texts("th") == ["a"]
    assert page.elements[0].text.endswith("no rows")


def test_scale_of_a_picture(read):
    """A picture says in words what its colours mean, and magenta only where it is used."""
    drawn = read(html.render(Page("", (Heat(((1.0,),), -1.0, 4.0, "l"),)))).texts("span")
    assert drawn == ["-4.0000 (blue) to 4.0000 (orange)"]
    drawn = read(html.render(Page("", (Heat(((float("nan"),),), 0.0, 1.0, ""),)))).texts("span")
    assert drawn == ["0.0000 (clear) to 1.0000 (full); magenta is not a number"]


@pytest.mark.parametrize(
    ("value", "whole"),
    [("6.061e-04", True), ("90.9 MB", True), ("3\u201312", True), ("-1.5", False)],
)
def test_a_number_is_never_broken_in_two(read, value, whole):
    """What a browser would break in a narrow column is kept in one line; other cells cost nothing."""
    page = read(
        html.render(Page("", (Table((Column("a"), Column("b", "right")), (("x", value),)),)))
    )
    (cell,) = [element for element in page.elements if element.tag == "td"]
    assert ("white-space:pre" in cell.attributes["style"]) == whole
